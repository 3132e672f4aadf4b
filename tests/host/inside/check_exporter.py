"""The exporter under systemd, shut in as `config/systemd` has it."""

import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

_CONFIG = Path("config")
_UNIT = _CONFIG / "systemd" / "ds01-exporter.service"
_UNITS = Path("/etc/systemd/system")
_PYTHON = Path("/opt/ds01/.venv/bin/python")
_NAME = "ds01-exporter"
_SETTINGS, _STATE = Path("/etc/ds01-figures"), Path("/var/lib/ds01-figures")
"""Not those of the other checks, which run meanwhile."""

_JOBS = Path("/run/ds01-exporter/jobs")
_TOKEN = "0123456789abcdef" * 4
_BOUND_SECONDS = 180
_DROP_IN = f"""[Service]
Environment=PYTHONPATH=/opt/ds01/src:/opt/ds01/lib PYTHONDONTWRITEBYTECODE=1
Environment=DS01_CONFIG_DIR={_SETTINGS} DS01_STATE_DIR={_STATE}
Environment=DS01_EXPORTER_JOB_MAPPING_DIR={_JOBS}
StateDirectory=
StateDirectory={_STATE.name}
WorkingDirectory={_STATE}
RestartSec=1
"""
_CAPABILITIES = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYSLOG": 34,
}
"""Numbers: https://github.com/torvalds/linux/blob/master/include/uapi/linux/capability.h"""


def run(*command: object) -> str:
    arguments = [str(each) for each in command]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()


def journal() -> str:
    command = ["journalctl", "-u", _NAME, "--no-pager", "-n", "40"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def until(condition: Callable[[], bool]) -> None:
    bound = time.monotonic() + _BOUND_SECONDS
    while not condition():
        assert time.monotonic() < bound, journal()
        time.sleep(0.2)


def main_pid() -> str:
    return run("systemctl", "show", "-P", "MainPID", _NAME)


def asked(path: str = "/metrics", token: str | None = _TOKEN) -> tuple[int, str]:
    """What is answered; 0 by nobody."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:484{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()
    except OSError:
        return 0, ""


def parts(text: str) -> dict[str, float]:
    """Which could be read whole."""
    return {
        sample.labels["part"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "ds01_collector_up"
    }


@pytest.fixture(scope="module", autouse=True)
def _exporter() -> Iterator[None]:
    shutil.copytree(_CONFIG, _SETTINGS, dirs_exist_ok=True)
    _PYTHON.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        _PYTHON.symlink_to("/usr/bin/python3")
    shutil.copy(_UNIT, _UNITS)
    drop_in = _UNITS / f"{_NAME}.service.d" / "check.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(_DROP_IN)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", _NAME)
    until(lambda: asked("/-/healthy")[0] == 200)
    yield
    run("systemctl", "stop", _NAME)


def test_only_who_has_the_token_is_told_and_only_here() -> None:
    file = _SETTINGS / "exporter.token"
    assert asked()[0] == 401  # there is none yet
    file.touch(0o600)
    file.write_text(f"{_TOKEN}\n")
    assert [asked(token=each)[0] for each in (None, "0" * 64, _TOKEN)] == [401, 401, 200]
    listening = run("ss", "-H", "-t", "-l", "-n", "sport = :484").splitlines()
    assert [line.split()[3] for line in listening] == ["127.0.0.1:484"]


def test_everything_can_be_read_from_where_it_is_shut_in() -> None:
    # The emulated engine may take longer than a scrape waits.
    until(lambda: set(parts(asked()[1]).values()) == {1.0})
    _, text = asked()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["ds01_gpu_up"].samples
    assert families["ds01_policy_valid"].samples[0].value == 1.0
    places = {each.labels["place"] for each in families["ds01_storage_free_bytes"].samples}
    assert places == {"homes", "engine", "state", "events"}
    assert _JOBS.stat().st_mode & 0o777 == 0o750


def test_it_has_the_rights_of_its_unit_and_no_others() -> None:
    pid = main_pid()
    status = Path(f"/proc/{pid}/status").read_text()
    said = dict(re.findall(r"^(\w+):\s*(.*)$", status, re.MULTILINE))
    (line,) = re.findall(r"^CapabilityBoundingSet=(.*)$", _UNIT.read_text(), re.MULTILINE)
    allowed = sum(1 << _CAPABILITIES[name] for name in line.split())
    assert [int(said[name], 16) for name in ("CapBnd", "CapEff")] == [allowed, allowed]
    assert said["Uid"].split() == ["0"] * 4
    assert (said["NoNewPrivs"], said["Seccomp"]) == ("1", "2")
    for folder in ("/etc", "/home", "/usr", "/sys/fs/cgroup"):
        inside = ("nsenter", "--target", pid, "--mount", "touch", f"{folder}/written")
        done = subprocess.run(inside, capture_output=True, text=True, check=False)
        assert "Read-only file system" in done.stderr, folder
    mounts = [run("readlink", f"/proc/{each}/ns/mnt") for each in ("1", pid)]
    assert mounts[0] != mounts[1]


def test_it_is_there_again_after_it_was_killed() -> None:
    killed = main_pid()
    run("systemctl", "kill", "--signal=KILL", _NAME)
    until(lambda: main_pid() not in {killed, "0"} and asked()[0] == 200)
