"""The gateway under systemd, shut in as `config/systemd` has it, before an unmodified docker."""

import json
import pwd
import shutil
import site
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_CONFIG = Path("config")
_UNITS = Path("/etc/systemd/system")
_SOCKET = Path("/run/ds01/docker.sock")
_PYTHON = Path("/opt/ds01/.venv/bin/python")
_NAMES = ("ds01-gateway.service", "ds01-gateway.socket")
_PERSON = "gwalice"
_SETTINGS, _STATE = Path("/etc/ds01-gateway"), Path("/var/lib/ds01-gateway")
"""Not those of the other checks, which run meanwhile."""

_BOUND_SECONDS = 240
pytestmark = pytest.mark.timeout(400)
_DROP_IN = f"""[Service]
ExecStart=
ExecStart={_PYTHON} -m ds01_spawner.gateway
Environment=PYTHONDONTWRITEBYTECODE=1 DS01_CONFIG_DIR={_SETTINGS} DS01_STATE_DIR={_STATE}
StateDirectory={_STATE.name}
WorkingDirectory={_STATE}
"""


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def journal() -> str:
    command = ["journalctl", "-u", "ds01-gateway", "--no-pager", "-n", "40"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def docker(*arguments: str, stdin: str = "") -> str:
    """The output of `docker …`, asked again where it is told to: the engine is emulated, too."""
    bound = time.monotonic() + _BOUND_SECONDS
    while "Try again" in (done := _try_docker(*arguments, stdin=stdin)).stderr:
        assert time.monotonic() < bound, f"{done.stderr}\n{journal()}"
    assert done.returncode == 0, f"{done.stderr}\n{journal()}"
    return done.stdout.strip()


def _try_docker(*arguments: str, stdin: str) -> subprocess.CompletedProcess[str]:
    account = pwd.getpwnam(_PERSON)
    return subprocess.run(
        ["docker", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=_BOUND_SECONDS,
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd=account.pw_dir,
        env={"HOME": account.pw_dir, "PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{_SOCKET}"},
    )


def until(condition: Callable[[], bool]) -> None:
    bound = time.monotonic() + _BOUND_SECONDS
    while not condition():
        assert time.monotonic() < bound, journal()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    subprocess.run(["useradd", "--create-home", _PERSON], check=True)
    yield Path(pwd.getpwnam(_PERSON).pw_dir)
    subprocess.run(["userdel", "--remove", _PERSON], check=False)


@pytest.fixture(scope="module", autouse=True)
def _gateway(home: Path, tiny_image: str) -> Iterator[None]:
    shutil.copytree(_CONFIG, _SETTINGS, dirs_exist_ok=True)
    offered = {"default": "tiny", "images": {"tiny": {"reference": tiny_image, "title": "Tiny"}}}
    (_SETTINGS / "images.yaml").write_text(json.dumps(offered))
    _PYTHON.parent.mkdir(parents=True, exist_ok=True)
    if not _PYTHON.exists():
        _PYTHON.symlink_to("/usr/bin/python3")
    # Its processes for one person are started without anybody's environment.
    Path(site.getsitepackages()[0], "ds01.pth").write_text("/opt/ds01/src\n/opt/ds01/lib\n")
    for name in _NAMES:
        shutil.copy(_CONFIG / "systemd" / name, _UNITS)
    drop_in = _UNITS / f"{_NAMES[0]}.d" / "check.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(_DROP_IN)
    systemctl("daemon-reload")
    systemctl("start", *_NAMES)
    (home / "work").mkdir()
    (home / "work" / "data.txt").write_text("from the host\n")
    shutil.chown(home / "work", _PERSON)
    yield
    systemctl("stop", *_NAMES)


@pytest.fixture(scope="module")
def box(home: Path, tiny_image: str) -> Iterator[str]:
    docker("run", "-d", "--name", "box", "-v", f"{home}/work:/work", tiny_image, "sleep", "600")
    yield "box"
    docker("rm", "-f", "box")


def test_the_engine_finds_the_folders_that_people_mount(home: Path, box: str) -> None:
    assert docker("exec", box, "cat", "/work/data.txt") == "from the host"
    docker("exec", box, "touch", "/work/from-inside")
    assert (home / "work" / "from-inside").owner() == _PERSON


def test_files_are_copied_into_a_running_container_as_the_person(home: Path, box: str) -> None:
    docker("cp", f"{home}/work/data.txt", f"{box}:/work/copied.txt")
    assert (home / "work" / "copied.txt").owner() == _PERSON
    docker("cp", f"{box}:/work/copied.txt", f"{home}/back.txt")
    assert (home / "back.txt").read_text() == "from the host\n"


def test_limits_are_in_the_persons_cgroup(box: str) -> None:
    assert docker("inspect", "-f", "{{.HostConfig.CgroupParent}}", box).endswith(
        f"-{_PERSON}.slice"
    )


def test_a_container_starts_again_after_the_gateway_was_restarted(box: str) -> None:
    docker("stop", "-t", "0", box)
    systemctl("restart", _NAMES[0])
    docker("start", box)
    assert docker("exec", box, "cat", "/work/data.txt") == "from the host"


def test_nobody_notices_a_restart_but_by_waiting(box: str) -> None:
    killed = systemctl("show", "-P", "MainPID", _NAMES[0])
    systemctl("kill", "--signal=KILL", _NAMES[0])
    assert docker("ps", "--format", "{{.Names}}") == box
    assert systemctl("show", "-P", "MainPID", _NAMES[0]) not in {killed, "0"}
    assert docker("exec", box, "cat", "/work/data.txt") == "from the host"


def test_the_rules_between_containers_and_the_host_are_in_force() -> None:
    def rules() -> str:
        command = ["iptables", "-S", "DOCKER-USER"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    until(lambda: "DS01-" in rules())
