import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.bind import Bind, BindSet, binds_label
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.removed_containers import RemovedContainers, removed_container
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

    assert removed_container(event) is None
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
