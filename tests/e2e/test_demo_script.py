import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.domain.names import bridge_tag
from e2e.hub import docker, eventually
from integration.gateway.people import Person
from integration.ports import free_port
from integration.unix_people import CAROL, as_person, own_folder, unix_person

DEMO = Path(__file__).parents[2] / "script" / "demo"

pytestmark = pytest.mark.timeout(600)


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DEMO, *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=500,
    )


def answer(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=10) as response:
        content: dict[str, object] = json.load(response)
        return content


def processes_of(state: Path) -> list[str]:
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = environment.read_bytes().split(b"\0")
        except OSError:
            continue
        if f"DS01_DEMO={state}".encode() in variables:
            found.append(environment.parent.name)
    return found


def test_says_how_to_log_in_outlives_the_hub_and_leaves_nothing_behind(tmp_path: Path) -> None:
    state, port = tmp_path / "state", free_port()
    run = Path(f"/run/ds01-demo-{port}")
    program = Path(f"/usr/local/lib/ds01-demo-{port}/ds01")
    place = ("--port", str(port), "--state", str(state))
    carol = Person(unix_person(CAROL), run / "docker.sock")
    mine = carol.named("demo")
    try:
        first = demo(*place)
        assert first.returncode == 0, first.stdout + first.stderr
        assert f"DS01 runs:   http://127.0.0.1:{port}\n" in first.stdout
        told = ("alice", (state / "password").read_text().strip())
        assert [each for each in told if each not in first.stdout] == []
        assert f"script/demo --stop --state {state}" in first.stdout
        assert f"DOCKER_HOST={carol.host}\n" in first.stdout
        assert "version" in answer(f"http://127.0.0.1:{port}/hub/api/")
        assert whose_services_answer(first.stdout) == {"hub", "gateway", "engine"}
        second = demo(*place).stdout
        assert second.startswith(
            f"The demo already runs.\n\nDS01 runs:   http://127.0.0.1:{port}\n"
        )
        described = answer(f"http://127.0.0.1:{port}/services/ds01/api/openapi.json")
        assert described["openapi"] == "3.1.0"
        carol.docker("volume", "create", mine)
        with own_folder(carol.account) as folder:
            mounts = ("-v", f"{folder}:/here", "-v", f"{mine}:/there")
            carol.docker(
                *("run", "-d", "--gpus", "1", *mounts, "--name", mine),
                *("ds01/starter:latest", "sleep", "600"),
            )
            assert mine in as_person(carol.account, f"{program} container list")
            check_looks(program)
            os.kill(int((state / "hub.pid").read_text()), signal.SIGKILL)
            assert mine in carol.docker("ps", "--format", "{{.Names}}")
            (gateway,) = gateways_of(state)
            os.kill(gateway, signal.SIGKILL)
            eventually(lambda: mine in carol.try_docker("ps").out, what="the gateway is back")

            again = demo(*place)
            assert "Starting the hub" in again.stdout, again.stdout + again.stderr
            assert mine in carol.docker("ps", "--format", "{{.Names}}")
            tag = bridge_tag((state / "instance-id").read_text().strip())
            assert tag in packet_rules()
            stopped = demo("--stop", "--state", str(state))
    finally:
        if state.exists():
            stopped = demo("--stop", "--state", str(state))
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert not state.exists()
    assert not run.exists()
    assert not program.parent.exists()
    assert str(program) != os.path.realpath("/usr/local/bin/ds01")
    assert str(run) not in Path("/proc/self/mountinfo").read_text()
    assert f"DS01-FORWARD-{tag}" not in packet_rules()
    assert mine not in docker("ps", "--all") + docker("volume", "ls")
    assert processes_of(state) == []


def whose_services_answer(said: str) -> set[str]:
    """Of those that the exporter lists; the lifecycle service may not have passed yet."""
    url = next(line.split()[1] for line in said.splitlines() if line.startswith("Metrics "))
    with urllib.request.urlopen(url, timeout=10) as response:
        figures = response.read().decode()
    found = re.findall(r'^ds01_service_up\{service="(\w+)"\} 1\.0$', figures, re.MULTILINE)
    return set(found) - {"culler"}


def check_looks(program: Path) -> None:
    """The demo's own people and services are looked at, and its machine is left as it is."""
    assert "carol" in as_root(program, "admin", "user", "list")
    done = subprocess.run(
        [program, "health", "--json"], capture_output=True, text=True, check=False, timeout=60
    )
    parts = {each["name"]: each for each in json.loads(done.stdout)["parts"]}
    found = {name: parts[name]["level"] for name in ("hub", "gateway", "exporter")}
    assert found == {"hub": "ok", "gateway": "ok", "exporter": "ok"}
    assert "This is a demo" in as_root(program, "admin", "doors")


def gateways_of(state: Path) -> list[int]:
    pids = [int(pid) for pid in processes_of(state)]
    return [
        pid
        for pid in pids
        if b"-m\0ds01_spawner.gateway\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def as_root(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def packet_rules() -> str:
    return subprocess.run(
        ["iptables-save", "-t", "filter"], capture_output=True, text=True, check=True
    ).stdout


def test_keeps_settings_that_somebody_edited(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "config").mkdir(parents=True)
    (state / "config.first").mkdir()
    (state / ".ds01-demo").touch()
    (state / "hub.log").touch()
    (state / "config" / "resource-limits.yaml").write_text("edited")

    assert demo("--stop", "--state", str(state)).returncode == 0

    assert (state / "config" / "resource-limits.yaml").read_text() == "edited"
    assert not (state / "hub.log").exists()


def test_refuses_a_folder_with_files_of_others(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()

    refused = demo("--state", str(tmp_path))

    assert refused.returncode == 1
    assert "It has files that are not a demo's." in refused.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "thesis.tex"]


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    yield folder
    assert (folder / "thesis.tex").read_text() == "precious"


def begun(state: Path) -> Path:
    state.mkdir(parents=True)
    (state / ".ds01-demo").touch()
    return state


@pytest.mark.parametrize("mode", [(), ("--stop",)], ids=["start", "stop"])
@pytest.mark.parametrize("whose", ["the folder", "the one above"])
def test_refuses_a_folder_that_somebody_else_can_change(
    tmp_path: Path, victim: Path, whose: str, mode: tuple[str, ...]
) -> None:
    theirs = tmp_path / "theirs"
    state = begun(theirs if whose == "the folder" else theirs / "state")
    (state / ".lock").symlink_to(victim / "thesis.tex")
    os.chown(theirs, 1000, 1000)

    refused = demo(*mode, "--state", str(state))

    assert refused.returncode == 1, refused.stdout
    assert f"{theirs} belongs to" in refused.stderr
    assert "/var/lib/ds01-demo" in refused.stderr
    assert (state / ".ds01-demo").exists()


@pytest.mark.parametrize("mode", [(), ("--stop",)], ids=["start", "stop"])
def test_refuses_a_folder_with_a_link_in_it(
    tmp_path: Path, victim: Path, mode: tuple[str, ...]
) -> None:
    state = begun(tmp_path / "state")
    (state / "setup.log").symlink_to(victim / "thesis.tex")

    refused = demo(*mode, "--state", str(state))

    assert refused.returncode == 1, refused.stdout
    assert f"A link is in it: {state / 'setup.log'}" in refused.stderr


def test_a_port_that_is_a_path_leads_nowhere(tmp_path: Path, victim: Path) -> None:
    state = begun(tmp_path / "state")
    (state / "port").write_text(f"8000/../../../..{victim}\n")

    refused = demo("--stop", "--state", str(state))

    assert refused.returncode == 1, refused.stdout
    assert "Its file port holds no number." in refused.stderr


def test_what_is_mounted_in_a_folder_outlives_it(tmp_path: Path, victim: Path) -> None:
    run = tmp_path / "run"
    (run / "binds" / "0").mkdir(parents=True)
    script = """
    . "$1/folders.sh"
    mount --bind "$2" "$3/binds/0" && ! remove_folder "$3" &&
        umount "$3/binds/0" && remove_folder "$3"
    """
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script, "-", DEMO.parent / "lib", victim, run],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"Still mounted in it:\n{run}/binds/0\n" in done.stdout
    assert not run.exists()


def test_names_the_next_step_when_the_port_is_taken(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused, again = [demo("--port", str(port), "--state", str(state)) for _ in range(2)]
    assert (refused.returncode, again.returncode) == (1, 1)
    for each in (refused, again):  # what the first one left is no folder of somebody else's
        assert f"Port {port} is taken." in each.stderr
        assert f"script/demo --port {port + 1}" in each.stderr
    assert demo("--stop", "--state", str(state)).returncode == 0
    assert not state.exists()


def test_a_folder_with_nothing_but_a_lock_is_as_good_as_empty(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / ".lock").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = demo("--port", str(taken.getsockname()[1]), "--state", str(state))
    assert "It has files that are not a demo's." not in refused.stderr
    assert "is taken." in refused.stderr
