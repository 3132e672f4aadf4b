import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.bind import Bind, BindSet, binds_label
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.event_cursor import EventCursor
from ds01_spawner.gateway.removed_containers import RemovedContainers, told_container
from ds01_spawner.gateway.wire.call import Answer
from fakes.door import FakeDoor
from fakes.engine_json import INSTANCE, managed
from fakes.engine_link import FakeEngineLink


def gone(name: str, **more: str) -> dict[str, Any]:
    """An event of the engine's."""
    marks = {**managed("web", "alice"), "name": name, "image": "image", **more}
    return {"Type": "container", "Action": "destroy", "Actor": {"ID": "1", "Attributes": marks}}


def lab(*events: Any) -> FakeDoor:
    return FakeDoor(FakeEngineLink(answers={"GET /events": Answer(200, list(events))}))


async def test_what_is_promised_for_a_container_that_went_is_given_back() -> None:
    fake = lab(gone("web._.alice"), gone("run._.alice"))

    await RemovedContainers(fake.door, INSTANCE).follow()

    assert fake.platform.admission.told == ["forget web._.alice", "forget run._.alice"]
    assert INSTANCE in fake.engine.asked[0].query["filters"][0]


async def test_what_went_while_nobody_looked_is_asked_for() -> None:
    fake = lab()

    await RemovedContainers(fake.door, INSTANCE, now=lambda: 1_000_000.9).follow()

    assert fake.engine.asked[0].query["since"] == ["999880"]


def end(name: str, at: int, code: str = "3") -> dict[str, Any]:
    """A container of alice's ends, `at` seconds after 1970."""
    marks = {**managed("web", "alice"), "name": name, "exitCode": code}
    actor = {"ID": "1", "Attributes": marks}
    return {"Type": "container", "Action": "die", "Actor": actor, "timeNano": at * 10**9 + 7}


async def test_every_end_is_in_the_log_once_and_nothing_is_given_back_for_it(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "cursor"
    events = [end("run._.alice", 60), end("web._.alice", 61)]
    fake = lab(*events)
    removed = RemovedContainers(fake.door, INSTANCE, EventCursor(kept))

    await removed.follow()
    await removed.follow()
    await RemovedContainers(fake.door, INSTANCE, EventCursor(kept)).follow()

    told = fake.platform.log.events
    assert [each.resource for each in told] == ["run._.alice", "web._.alice"]
    assert {(each.action, each.user, each.interface) for each in told} == {
        ("container.exit", "alice", "docker")
    }
    assert told[0].details == {
        "id": "1",
        "exit_code": 3,
        "ended_at": "1970-01-01T00:01:00+00:00",
    }
    assert fake.platform.admission.told == []
    assert [each.query["since"] for each in fake.engine.asked][1:] == [["61.000000007"]] * 2


async def test_an_end_without_a_code_is_one_too() -> None:
    fake = lab(end("web._.alice", 60, ""))
    await RemovedContainers(fake.door, INSTANCE).follow()
    assert "exit_code" not in fake.platform.log.events[0].details


async def test_a_kept_moment_that_makes_no_sense_is_none(tmp_path: Path) -> None:
    (tmp_path / "cursor").write_bytes(b"\xff12")
    assert EventCursor(tmp_path / "cursor").moment == 0
    assert EventCursor(tmp_path / "cursor").since(5, 2) == "3"


def test_a_moment_that_is_still_to_come_is_forgotten() -> None:
    cursor = EventCursor()
    cursor.move(100 * 10**9)
    assert not cursor.is_new(60 * 10**9)
    assert cursor.since(50, 20) == "30"
    assert cursor.is_new(60 * 10**9)


async def test_the_stage_of_a_container_that_went_is_cleared() -> None:
    wanted = BindSet("a" * 32, (Bind("/home/alice", "/data"),))
    fake = lab(gone("web._.alice", **{labels.BINDS: binds_label(wanted)}), gone("run._.alice"))
    cleared: list[str] = []
    fake.platform.binds = SimpleNamespace(clear=cleared.append)  # type: ignore[attr-defined]

    await RemovedContainers(fake.door, INSTANCE).follow()

    assert cleared == ["a" * 32]


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"Actor": None},
        {"Actor": {"Attributes": None}},
        {"Actor": {"Attributes": {"name": "x"}}},
        gone(""),
    ],
)
async def test_an_event_that_makes_no_sense_is_passed_over(event: Any) -> None:
    fake = lab(event, gone("web._.alice"))

    await RemovedContainers(fake.door, INSTANCE).follow()

    assert told_container(event) is None
    assert fake.platform.admission.told == ["forget web._.alice"]


async def test_a_ledger_that_is_locked_ends_nothing() -> None:
    fake = lab(gone("web._.alice"), gone("run._.alice"))
    fake.platform.admission.error = Unavailable("locked")

    await RemovedContainers(fake.door, INSTANCE).follow()

    assert len(fake.platform.admission.told) == 2


class _Turns(RemovedContainers):
    """Follows as it is told, turn by turn; says when all turns are over."""

    def __init__(self, fake: FakeDoor, *turns: Exception | None) -> None:
        super().__init__(fake.door, INSTANCE, pause_seconds=0)
        self.done = asyncio.Event()
        self.turns = [*turns]

    async def follow(self) -> None:
        if not self.turns:
            self.done.set()
            await asyncio.Event().wait()
        turn = self.turns.pop(0)
        if turn is not None:
            raise turn
        await super().follow()

    async def watch_all(self) -> None:
        watching = asyncio.ensure_future(self.watch())
        async with asyncio.timeout(10):
            await self.done.wait()
        watching.cancel()


async def test_that_there_is_no_connection_is_said_once_and_when_there_is_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    gone = Unavailable("The engine is gone.")
    await _Turns(lab(), None, gone, gone, gone, None, None, gone).watch_all()
    assert caplog.messages == [
        "The engine's events cannot be followed: The engine is gone.",
        "The engine's events are followed again.",
        "The engine's events cannot be followed: The engine is gone.",
    ]


async def test_a_fault_of_ours_ends_nothing_and_is_said_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await _Turns(lab(), ValueError("broken"), ValueError("broken")).watch_all()
    assert caplog.messages == ["following the engine's events failed"] * 2


async def test_tries_in_vain_are_made_ever_less_often_and_after_a_connection_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    now = 0.0

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            raise asyncio.CancelledError

    async def follow() -> None:
        nonlocal now
        if len(pauses) == 7:
            now += 3600
        raise Unavailable("gone")

    removed = RemovedContainers(lab().door, INSTANCE)
    monkeypatch.setattr("ds01_spawner.gateway.removed_containers.asyncio.sleep", sleep)
    monkeypatch.setattr("ds01_spawner.gateway.removed_containers.time.monotonic", lambda: now)
    monkeypatch.setattr(removed, "follow", follow)
    with pytest.raises(asyncio.CancelledError):
        await removed.watch()

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 1, 2]
