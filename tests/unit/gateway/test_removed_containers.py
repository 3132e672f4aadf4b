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


class _Thrice(RemovedContainers):
    """Says when it has followed three times, each time in vain."""

    def __init__(self, fake: FakeDoor) -> None:
        super().__init__(fake.door, INSTANCE, pause_seconds=0)
        self.done = asyncio.Event()
        self.times = 0

    async def follow(self) -> None:
        self.times += 1
        if self.times == 3:
            self.done.set()
        raise Unavailable("gone") if self.times % 2 else ValueError("broken")


async def test_a_lost_connection_is_made_anew() -> None:
    removed = _Thrice(lab())
    watching = asyncio.ensure_future(removed.watch())

    async with asyncio.timeout(10):
        await removed.done.wait()

    watching.cancel()
