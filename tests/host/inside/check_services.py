"""The lifecycle service under systemd, shut in as `config/systemd` has it."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_CONFIG = Path("config")
_UNITS = Path("/etc/systemd/system")
_METRICS = Path("/var/lib/ds01/metrics/culler.prom")
_PYTHON = Path("/opt/ds01/.venv/bin/python")
_NAME = "services._.alice"
_BOUND_SECONDS = 180
_DROP_IN = """[Service]
ExecStart=
ExecStart={python} -m ds01_spawner.culler
Environment=PYTHONPATH=/opt/ds01/src:/opt/ds01/lib PYTHONDONTWRITEBYTECODE=1
Environment=DS01_CULLER_PASS_SECONDS=1
RestartSec=1
"""
_NO_HUB = "JUPYTERHUB_API_URL=http://127.0.0.1:9/hub/api\nJUPYTERHUB_API_TOKEN=nobody-asks-for-it\n"
_UNREADABLE = re.compile(r'^ds01_culler_signal_read_failures_total\{signal="(\w+)"\}', re.MULTILINE)


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def until(condition: Callable[[], bool]) -> None:
    bound = time.monotonic() + _BOUND_SECONDS
    while not condition():
        assert time.monotonic() < bound
        time.sleep(0.2)


def figures() -> str:
    return _METRICS.read_text() if _METRICS.exists() else ""


def good_passes() -> float:
    found = re.search(r'^ds01_culler_passes_total\{outcome="good"\} (\S+)', figures(), re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture(scope="module")
def container(tiny_image: str) -> Iterator[str]:
    """One that is not root's."""
    labels = ("--label", "ds01.user=alice", "--label", "ds01.interface=cli")
    command = ["docker", "run", "-d", "-t", "-u", "1000", "--name", _NAME, *labels, tiny_image]
    subprocess.run([*command, "sleep", "600"], check=True, capture_output=True)
    yield _NAME
    subprocess.run(["docker", "rm", "-f", _NAME], check=True, capture_output=True)


@pytest.fixture(params=["ds01-culler", "ds01-hub"])
def unit(request: pytest.FixtureRequest) -> Iterator[str]:
    """The service in its own unit, and as the hub's unit would let its child be."""
    name: str = request.param
    shutil.rmtree("/var/lib/ds01", ignore_errors=True)
    shutil.copytree(_CONFIG, "/etc/ds01", dirs_exist_ok=True)
    Path("/etc/ds01/culler.env").write_text(_NO_HUB)
    _PYTHON.parent.mkdir(parents=True, exist_ok=True)
    if not _PYTHON.exists():
        _PYTHON.symlink_to("/usr/bin/python3")
    shutil.copy(_CONFIG / "systemd" / f"{name}.service", _UNITS)
    drop_in = _UNITS / f"{name}.service.d" / "check.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(_DROP_IN.format(python=_PYTHON))
    systemctl("daemon-reload")
    systemctl("start", name)
    yield name
    systemctl("stop", name)
    shutil.rmtree(drop_in.parent)


@pytest.mark.usefixtures("unit", "container")
def test_reads_every_signal_of_somebody_elses_container() -> None:
    until(lambda: good_passes() >= 3)
    assert "\nds01_culler_containers 1.0\n" in figures()
    assert set(_UNREADABLE.findall(figures())) == set()
    assert Path("/var/log/ds01/events.jsonl").exists()


@pytest.mark.usefixtures("container")
@pytest.mark.parametrize("unit", ["ds01-culler"], indirect=True)
def test_goes_on_after_it_was_killed(unit: str) -> None:
    until(lambda: good_passes() >= 1)
    killed = systemctl("show", "-P", "MainPID", unit)
    systemctl("kill", "--signal=KILL", unit)
    until(lambda: systemctl("show", "-P", "MainPID", unit) not in {killed, "0"})
    _METRICS.unlink()
    until(lambda: good_passes() >= 1)
