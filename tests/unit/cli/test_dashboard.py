"""`ds01 dashboard`."""

import io
import json
import re
import threading
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest
from rich.console import Console, ConsoleDimensions

from ds01_cli.frame import printing
from ds01_cli.gpu.dashboard import SHORTEST_SECONDS, follow
from ds01_cli.gpu.look import Look, looked
from ds01_cli.gpu.screen import fitted, shares, whole
from ds01_cli.gpu.tables import left_words, memory_words
from ds01_cli.main import run
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.identity import Caller
from fakes.api_house import House
from fakes.calls import ALICE, ROOT
from fakes.program import said, told
from fakes.terminal import Terminal

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]
SMALL = ConsoleDimensions(80, 24)


@pytest.fixture
def busy(house: House) -> House:
    """Alice and others have servers; somebody waits."""
    for user in ("alice", "bob", "carol"):
        house.api.server(user)
    house.api.waiting("dave")
    return house


def seen(house: House, caller: Caller = ALICE) -> Look:
    house.asks(caller)
    return looked()


def text(found: Any, width: int = 80) -> str:
    out = Console(file=io.StringIO(), width=width, height=24, no_color=True)
    out.print(found)
    return str(out.file.getvalue())  # type: ignore[attr-defined]


def screen(look: Look, size: ConsoleDimensions = SMALL, **facts: Any) -> str:
    return text(fitted(look, look.gpus.taken_at, UTC, size, **facts), size.width)


def test_a_student_sees_their_own_names_and_that_there_are_others(busy: House) -> None:
    shown = screen(seen(busy))
    assert "alice (student)" in shown
    assert "you (jupyter)" in shown
    assert "somebody" in shown
    for other in ("bob", "carol", "dave"):
        assert other not in shown
    assert "You wait for no GPU." in shown
    assert "24 h" in shown
    assert "12:00 tomorrow, or when unused for 2 hours" in shown


def test_managers_see_everybody(busy: House) -> None:
    look = seen(busy, ROOT)
    shown = text(whole(look, look.now(), UTC))
    for words in ("bob (jupyter)", "carol (jupyter)", "Containers that run", "dave", "jupyter: "):
        assert words in shown
    assert "somebody" not in shown


@pytest.mark.parametrize("size", [(80, 24), (80, 12), (60, 10), (40, 6), (200, 60)])
def test_it_fits_however_small_the_terminal_is(busy: House, size: tuple[int, int]) -> None:
    dimensions = ConsoleDimensions(*size)
    shown = screen(seen(busy, ROOT), dimensions)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= size[0]
    if size[1] >= 12:
        assert len(lines) <= size[1]
        assert "Ctrl-C ends it." in lines[-1]
    if size[1] <= 24:
        assert " more" in shown


def test_parts_share_the_room() -> None:
    assert shares(10, [12, 3, 1]) == [6, 3, 1]
    assert shares(100, [12, 3, 1]) == [12, 3, 1]
    assert shares(2, [12, 3, 1]) == [1, 1, 0]
    assert shares(-5, [12, 3]) == [0, 0]


def test_what_stops_soon_counts_down(busy: House) -> None:
    look = seen(busy)
    later = look.gpus.taken_at + timedelta(hours=23, minutes=50)
    assert " 10 min  " in text(fitted(look, later, UTC, SMALL))
    assert " none  " in text(fitted(look, later + timedelta(hours=1), UTC, SMALL))


class _Ended(Exception):
    """The test has seen enough."""


def turns(console: Console, look: Look, answers: list[Look | Exception], every: float) -> float:
    """Follow until all is answered; how long was slept."""
    slept = 0.0

    def again() -> Look:
        if not answers:
            raise _Ended
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds

    with pytest.raises(_Ended):
        follow(console, look, every, again=again, sleep=sleep)
    return slept


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_while_nobody_answers_the_last_picture_stays(busy: House, terminal: Terminal) -> None:
    look = seen(busy)
    out = Console(file=terminal, width=80, height=24)
    gone = Unavailable("The gateway does not answer.", "Try again.")
    assert turns(out, look, [gone, look], every=3.0) == 9.0
    shown = terminal.plain()
    assert (
        f"This is the picture of {look.gpus.taken_at.astimezone(printing.here()):%H:%M:%S}" in shown
    )
    assert "The gateway does not answer." in shown
    assert "This is the picture" not in shown[shown.rindex("DS01 ") :]
    raw = terminal.getvalue()
    assert raw.count("\x1b[?1049h") == raw.count("\x1b[?1049l") == 1
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l")


def test_a_gateway_that_hangs_is_said_to(busy: House, terminal: Terminal) -> None:
    look, released = seen(busy), threading.Event()
    out = Console(file=terminal, width=80, height=24)

    def again() -> Look:
        if released.is_set():
            raise _Ended
        for _ in range(600):
            if "No answer for " in terminal.plain() or released.wait(0.05):
                break
        released.set()
        return look

    with pytest.raises(_Ended):
        follow(out, look, SHORTEST_SECONDS, again=again, sleep=lambda _seconds: None)
    seen_at = f"{look.gpus.taken_at.astimezone(printing.here()):%H:%M:%S}"
    shown = terminal.plain()
    assert re.search(rf"No answer for \d s; this is the picture of {seen_at}\.", shown)
    assert "No answer" not in shown[shown.rindex("DS01 ") :]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([0.9, 0.0, None], ", 45 % busy on the 2 that tell"),
        ([0.4, None, None], ", 40 % busy on the 1 that tells"),
        ([0.9, 0.0, 0.0], ", 30 % busy on average"),
        ([None, None, None], ""),
    ],
)
def test_a_mean_says_of_how_many_slots_it_is(
    busy: House, told: list[float | None], words: str
) -> None:
    look = seen(busy)
    pairs = zip(look.gpus.slots, told, strict=False)
    slots = tuple(slot.model_copy(update={"utilisation": share}) for slot, share in pairs)
    shown = screen(replace(look, gpus=look.gpus.model_copy(update={"slots": slots})))
    assert re.search(rf"of 3 slots free{re.escape(words)} *$", shown.splitlines()[0])


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0.2, "0 min"), (9.9, "10 min"), (90, "90 min"), (23 * 60 + 59, "24 h"), (71 * 60, "3 d")],
)
def test_what_is_left_is_told_to_the_nearest(minutes: float, words: str) -> None:
    assert left_words(timedelta(minutes=minutes)) == words


@pytest.mark.parametrize(
    ("used", "words"), [(None, "9.8 GB"), (0, "9.8 GB"), (5 * 1024**3, "5.0 of 9.8 GB")]
)
def test_a_slots_memory_is_what_the_driver_says(used: int | None, words: str) -> None:
    assert memory_words(used, 9984 * 1024**2) == words


def test_without_colours_there_are_none(
    busy: House, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", terminal)
    look = seen(busy, ROOT)
    turns(printing.console(), look, [], every=SHORTEST_SECONDS)
    for colour in range(30, 48):
        assert f"\x1b[{colour}m" not in terminal.getvalue()


def test_ctrl_c_leaves_the_terminal_as_it_was(
    busy: House, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy.asks(ALICE)
    monkeypatch.setattr("sys.stdout", terminal)

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    monkeypatch.setattr(follow, "__kwdefaults__", {"again": looked, "sleep": interrupted})
    assert run(["dashboard"]) == 130
    raw = terminal.getvalue()
    assert raw.count("\x1b[?1049h") == raw.count("\x1b[?1049l") == 1
    assert "Traceback" not in raw


def test_programs_get_what_the_api_says(busy: House) -> None:
    busy.asks(ALICE)
    found = told("dashboard")
    assert set(found) == {"taken_at", "user", "role", "gpus", "containers", "queue"}
    assert (found["user"], found["role"]) == ("alice", "student")
    assert {each["user"] for each in found["gpus"]["slots"]} == {"alice", None}
    m.Gpus.model_validate_json(json.dumps(found["gpus"]))


def test_in_a_pipe_it_is_printed_once(busy: House) -> None:
    busy.asks(ALICE)
    for shown in (said("dashboard"), said("dashboard", "--once")):
        assert "you (jupyter)" in shown
        assert "Ctrl-C" not in shown
        assert "\x1b" not in shown


def test_nobody_looks_more_often_than_every_two_seconds(house: House) -> None:
    assert house
    assert run(["dashboard", "--every", "1"]) == 2
