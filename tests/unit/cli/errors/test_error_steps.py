"""Each step of each command: Ctrl-C there, a line that breaks, a disk that is full."""

import builtins
import io
import threading
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from ds01_cli.container import making, terminal
from ds01_spawner.client import models as m
from fakes.api_app import Asked
from fakes.api_server import Fault, hangs_up, interrupts, says
from fakes.cli_faults import FullDisk
from fakes.cli_scene import Ended, Scene
from unit.cli.errors.judging import (
    check_interrupted,
    check_one_line,
    check_output,
    check_whole,
)
from unit.cli.errors.table import ROWS

pytestmark = pytest.mark.enable_socket

MOST_STEPS = 80
MORE = (
    "container retire thesis --force --save",
    "container deploy new --image mine --dry-run",
    "image create fresh --framework cpu --requirements projects/leaves/requirements.txt",
    "image update mine --rebuild",
    "image delete mine --yes --with-dockerfile",
    "project launch leaves --rebuild",
    "project init sprout --quick --devcontainer",
)
"""Ways through commands that those of the table do not take."""

STEPPING = {
    " ".join(row.typed): (row.command, row.typed) for row in ROWS.values() if "our" in row.codes
} | {words: (" ".join(words.split()[:2]), tuple(words.split())) for words in MORE}

broken = says(200, b'{"old": 1}', Content_Type="application/json")


def stepped(scene: Scene, command: str, typed: tuple[str, ...], fault: Fault) -> Iterator[Ended]:
    """How the command ends when the fault meets its first request, its second, …."""
    for step in range(MOST_STEPS):
        scene.begin(command, far=command == "login")
        before = dict(scene.api.containers)

        def at(number: int, step: int = step) -> Fault | None:
            return fault if number == step else None

        ended = scene.types(typed, at)
        if len(scene.server.requests) <= step:
            assert ended.code == 0, ended.err
            return
        check_whole(ended, command)
        if "createContainer" not in scene.api.operations():
            assert scene.api.containers.keys() <= before.keys()
        yield ended
    raise AssertionError("it never ends")


@pytest.mark.parametrize("words", STEPPING)
def test_ctrl_c_at_each_step_leaves_nothing_half_made(words: str, scene: Scene) -> None:
    command, typed = STEPPING[words]
    if typed == ROWS[command].typed:
        typed = ROWS[command].for_programs or typed
    for ended in stepped(scene, command, typed, interrupts):
        if ended.code == 0:
            assert "new" in scene.api.containers  # it was there: they are told how to get in
            continue
        check_interrupted(ended)
        check_output(ended, typed, may_say=True)
        assert "new" not in scene.api.containers
        assert ended.ran == ()


@pytest.mark.parametrize("fault", [hangs_up, broken], ids=["gone", "other release"])
@pytest.mark.parametrize("words", STEPPING)
def test_a_line_that_breaks_at_a_step_is_said(words: str, fault: Fault, scene: Scene) -> None:
    command, typed = STEPPING[words]
    for ended in stepped(scene, command, typed, fault):
        if ended.code != 0:
            check_one_line(ended, 1)
            assert ended.ran == ()


@pytest.mark.parametrize("command", [row.command for row in ROWS.values() if "dsk" in row.codes])
def test_a_full_disk_leaves_nothing_half_made(
    command: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ROWS[command]
    for room in count():
        assert room < MOST_STEPS
        scene.begin(command, far=command == "login")
        disk = FullDisk(scene.home, room)
        with monkeypatch.context() as patch:
            patch.setattr(builtins, "open", disk.open)
            patch.setattr(io, "open", disk.open)
            ended = scene.types(row.typed)
        if not disk.was_full:
            assert ended.code == 0, ended.err
            return
        check_one_line(ended, row.codes["dsk"])
        assert "No space left" in ended.err
        check_whole(ended, command)
        assert ended.ran == ()


PLACE = m.Place(place=1, length=2, reason="All are in use.", gpu="a MIG slot", waited_seconds=1.0)
STEPS = ("waiting", "creating", "starting", "ready")


class Shown:
    """Counts what is shown, so that Ctrl-C comes after it was seen."""

    def __init__(self) -> None:
        self._times = 0
        self._more = threading.Condition()

    def after(self, deed: Callable[..., None]) -> Callable[..., None]:
        """A deed that is counted when it was done."""

        def counted(*arguments: object) -> None:
            deed(*arguments)
            with self._more:
                self._times += 1
                self._more.notify_all()

        return counted

    def wait(self, times: int) -> None:
        """Return when so much has been shown."""
        with self._more:
            assert self._more.wait_for(lambda: self._times >= times, timeout=20)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """What somebody at the keyboard has seen."""
    found = Shown()
    for module, name in ((making._Progress, "place"), (making._Progress, "step")):
        monkeypatch.setattr(module, name, found.after(getattr(module, name)))
    monkeypatch.setattr(terminal, "_write", found.after(terminal._write))
    return found


def deploying(scene: Scene, shown: Shown, moment: str) -> None:
    """Let somebody press Ctrl-C at that moment of `createContainer`."""

    def told() -> Iterator[tuple[str, m.Wire]]:
        def interrupted(now: str) -> bool:
            if now == moment:
                shown.wait(1 + STEPS.index(min(now, "starting", key=STEPS.index)))
                assert scene.server.streaming is not None
                interrupts(scene.server.streaming)
            return now == moment

        yield "place", PLACE
        if interrupted("waiting"):
            return
        yield "step", m.Step(name="create", text="Making the container.")
        scene.api.has("new", state="created")
        if interrupted("creating"):
            scene.api.containers.pop("new")  # the server takes back what nobody waits for
            return
        yield "step", m.Step(name="start", text="Starting it.")
        if interrupted("starting"):
            scene.api.containers.pop("new")
            return
        made = scene.api.has("new")
        if not interrupted("ready"):  # else it was done before the server saw that nobody waits
            yield "end", made

    def answer(_asked: Asked) -> object:
        return told()

    scene.api.answers["createContainer"] = answer  # type: ignore[assignment]


@pytest.mark.parametrize("moment", STEPS)
def test_ctrl_c_at_each_moment_of_deploy_leaves_no_container(
    moment: str, scene: Scene, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "_SECONDS", 0.5)
    scene.begin("container deploy")
    deploying(scene, shown, moment)
    ended = scene.types(("container", "deploy", "new", "--gpu", "mig", "--wait", "1h"))
    check_interrupted(ended)
    words = {"waiting": "You left the queue. Nothing was made."}
    assert words.get(moment, "nothing of it stays") in ended.err
    assert ended.out == ""
    assert "new" not in scene.api.containers
    assert ended.changed == set()


def test_ctrl_c_while_a_command_runs_in_a_container_says_that_it_may_run_on(
    scene: Scene, shown: Shown
) -> None:
    scene.begin("container exec")

    def outputs() -> Iterator[tuple[int, bytes]]:
        yield 1, b"begun\n"
        shown.wait(1)
        assert scene.server.streaming is not None
        interrupts(scene.server.streaming)

    scene.api.outputs["true"] = (outputs(), 0)  # type: ignore[assignment]
    ended = scene.types(("container", "exec", "thesis", "--", "true"))
    check_interrupted(ended)
    assert ended.out == "begun\n"
    assert "What you began may still run in thesis." in ended.err
