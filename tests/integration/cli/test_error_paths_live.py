"""Error paths before a real gateway: it is killed, people press Ctrl-C, a disk is full.

Ctrl-C while somebody waits, and while it is made: `test_container_waiting`; while an image is
built: `gateway/test_image_create`.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.composition import Directories, open_platform
from integration.cli.leftovers import first_line, nothing_of
from integration.cli.typing_people import SECONDS, Typist
from integration.gateway.gateway_process import Gateway, eventually, running_gateway
from integration.gateway.people import Person
from integration.unix_people import ALICE, BOB, unix_person

SIZE = "2g.10gb"
"""There are two of them."""

WORDS = {"waiting": "Waiting for", "creating": "Making the container", "starting": "Starting it"}
"""What `ds01` tells at each moment of deploy."""

moments = pytest.mark.parametrize("moment", WORDS)


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory, tiny_image: str) -> Iterator[Gateway]:
    """A gateway that is killed, and starts again."""
    with running_gateway(tmp_path_factory.mktemp("mortal"), tiny_image) as running:
        yield running


def before(gateway: Gateway, name: str) -> Typist:
    """Somebody before that gateway."""
    return Typist(Person(unix_person(name), gateway.socket))


class Later(SystemClock):
    """Some minutes from now: what nobody sees to any more has lost its place and its promise."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=5)


def a_pass_of_the_service(gateway: Gateway) -> None:
    """What the service does all the time, a few minutes later."""
    events = gateway.state / "events.jsonl"
    folders = Directories(gateway.config, gateway.state, events, run=gateway.run)
    platform = open_platform(folders, actor="test")
    platform.clock = Later()
    platform.reconciler(None).by_hand(lambda: None, dry_run=False)


@contextmanager
def taken(alice: Typist, moment: str) -> Iterator[None]:
    """Alice has every slot of the size, where somebody is to wait."""
    name = alice.named("both")
    if moment != "waiting":
        yield
        return
    alice.types("container", "deploy", name, "--gpu", SIZE, "--num-gpus", "2")
    try:
        yield
    finally:
        alice.tries("container", "retire", name)


@contextmanager
def begun(who: Typist, *words: str) -> "Iterator[subprocess.Popen[str]]":
    """`ds01 …`, under way; it does not outlive the test."""
    process = who.begins(*words)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@moments
def test_a_gateway_that_is_killed_in_the_middle_of_deploy_leaves_nothing(
    mortal: Gateway, moment: str
) -> None:
    alice, bob = before(mortal, ALICE), before(mortal, BOB)
    name = bob.named(f"killed-{moment}")
    deploy = ("container", "deploy", name, "--gpu", SIZE)
    with taken(alice, moment), begun(bob, *deploy) as deploying:
        first_line(deploying, WORDS[moment])
        mortal.kill()
        try:
            out, err = deploying.communicate(timeout=SECONDS)
            down = bob.tries(*deploy)
        finally:
            mortal.start()
    assert (deploying.returncode, out) == (1, ""), err
    for said in (err, down.err):
        (line,) = [each for each in said.splitlines() if each.startswith("ds01: ")]
        assert line.startswith(f"ds01: The gateway does not answer on {mortal.socket}. Try again")
    assert (down.code, down.out) == (1, "")
    a_pass_of_the_service(mortal)
    if moment == "starting":  # it was made: it is there, whole, and theirs to give back
        bob.tries("container", "retire", name)
    assert nothing_of(mortal, name, bob)
    bob.types(*deploy)
    bob.types("container", "retire", name)


def test_ctrl_c_while_it_starts_leaves_nothing(gateway: Gateway, bob: Typist) -> None:
    name = bob.named("ended")
    with begun(bob, "container", "deploy", name, "--gpu", SIZE) as deploying:
        first_line(deploying, WORDS["starting"])
        deploying.send_signal(signal.SIGINT)
        out, err = deploying.communicate(timeout=SECONDS)
    if deploying.returncode == 0:  # it was there before
        assert f"{name} runs" in out
        bob.types("container", "retire", name)
        return
    assert (deploying.returncode, out) == (130, ""), err
    assert "nothing of it stays" in err, err
    eventually(lambda: nothing_of(gateway, name, bob), what="nothing of it stays")


def test_ctrl_c_once_one_is_in_goes_to_what_runs_there(gateway: Gateway, bob: Typist) -> None:
    name = bob.named("inside")
    with bob.terminal("container", "deploy", name, "--cpu-only", "--open") as shell:
        shell.wait_for("$")
        shell.type("sh -c 'echo be\"gun\"; exec sleep 100'\r")
        shell.wait_for("begun")
        shell.type("\x03")
        shell.type("exit 7\r")
        assert shell.end() == 7
        assert not shell.is_raw
    assert not nothing_of(gateway, name, bob)
    assert f"{name} is retired" in bob.types("container", "retire", name)
    assert nothing_of(gateway, name, bob)


@pytest.fixture
def home(bob: Typist) -> Iterator[Path]:
    """An empty home of Bob's."""
    folder = Path(tempfile.mkdtemp(prefix="ds01-test-"))
    os.chown(folder, bob.person.account.uid, bob.person.account.gid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def elsewhere(bob: Typist, home: Path) -> Typist:
    """Bob, in that home."""
    variables = {"HOME": str(home), "DS01_GATEWAY_SOCKET": str(bob.person.socket)}
    return Typist(bob.person, variables)


@pytest.fixture
def small(bob: Typist, home: Path) -> Iterator[Path]:
    """That home, with room for 64 KiB."""
    account = bob.person.account
    options = f"size=64k,uid={account.uid},gid={account.gid},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", home], check=True)
    try:
        yield home
    finally:
        subprocess.run(["umount", home], check=True)


@pytest.mark.parametrize(
    "words",
    ["project init leaves --quick", "image create leaves --framework cpu", "ssh-config --yes"],
)
def test_a_disk_that_is_full_is_said_and_nothing_half_made_stays(
    elsewhere: Typist, small: Path, words: str
) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small / "ballast").write_bytes(bytes(70_000))
    done = elsewhere.tries(*words.split())
    last = done.err.splitlines()[-1]
    assert (done.code, done.out) == (1, ""), done.err
    assert last.startswith("ds01: "), done.err
    assert "No space left on device" in last
    assert "Traceback" not in done.err
    files = [each for each in small.rglob("*") if each.is_file() and each.name != "ballast"]
    assert files == []


def test_ctrl_c_in_user_setup_keeps_what_is_whole_and_it_goes_on_later(
    gateway: Gateway, elsewhere: Typist
) -> None:
    with begun(elsewhere, "user-setup", "--quick") as setting_up:
        first_line(setting_up, "Making the container")
        setting_up.send_signal(signal.SIGINT)
        _, err = setting_up.communicate(timeout=SECONDS)
    assert setting_up.returncode == 130, err
    eventually(lambda: nothing_of(gateway, "first", elsewhere), what="nothing of it stays")
    steps = {
        each["name"]: each["state"] for each in elsewhere.told("user-setup", "--quick")["steps"]
    }
    assert steps == {
        "folders": "there",
        "key": "there",
        "vscode": "there",
        "container": "done",
        "first-steps": "done",
    }
    elsewhere.types("container", "retire", "first")
