import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from ds01_spawner.domain.errors import InvalidRequest, QuotaExceeded
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.system.events import MOST_WATCHES, Events
from ds01_spawner.gateway.wire.call import Answer, Query
from fakes.calls import ALICE, BOB, FakeReply, a_call
from fakes.clock import FakeClock
from fakes.door import a_door
from fakes.engine_json import INSTANCE, managed
from fakes.engine_link import FakeEngineLink


def started(name: str, user: str) -> dict[str, object]:
    marks = {**managed(name, user), "name": f"{name}._.{user}", "image": "tiny"}
    return {"Type": "container", "Action": "start", "Actor": {"ID": name, "Attributes": marks}}


@pytest.fixture
def engine() -> FakeEngineLink:
    events = [started("web", "alice"), started("db", "bob"), started("run", "alice")]
    return FakeEngineLink(answers={"GET /events": Answer(200, events)})


@pytest.fixture
def events(engine: FakeEngineLink) -> Events:
    return Events(a_door(engine, clock=FakeClock()), Owned(engine, INSTANCE))


async def told(events: Events, **query: str) -> list[str]:
    reply = FakeReply()
    call = replace(a_call("GET"), query={name: [text] for name, text in query.items()})
    await events.events(call, reply)
    assert reply.status == 200
    assert reply.finished
    lines = [json.loads(line) for line in reply.content.splitlines()]
    return [line["Actor"]["Attributes"]["name"] for line in lines]


async def test_shows_ones_own_in_order(events: Events) -> None:
    assert await told(events) == ["web", "run"]


async def test_begins_at_the_moment_of_the_question(events: Events, engine: FakeEngineLink) -> None:
    await told(events)
    assert engine.asked[-1].query == {"since": ["1769860800.000000"], "filters": ["{}"]}


async def test_a_time_is_asked_for_as_it_was_given(events: Events, engine: FakeEngineLink) -> None:
    await told(events, since="5", until="7.5", filters='{"event": ["start"]}')
    assert engine.asked[-1].query == {
        "since": ["5"],
        "until": ["7.5"],
        "filters": ['{"event": ["start"]}'],
    }


async def test_events_of_the_engine_itself_are_never_shown(events: Events) -> None:
    assert await told(events, filters='{"daemon": ["gpu1"]}') == []


async def test_what_makes_no_sense_is_refused_before_the_engine_is_asked(
    events: Events, engine: FakeEngineLink
) -> None:
    with pytest.raises(InvalidRequest):
        await told(events, since="yesterday")
    assert engine.asked == []


class SilentLink(FakeEngineLink):
    """An engine where nothing happens."""

    async def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        version: str = "",
        begun: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Any]:
        del method, path, query, version
        begun()
        await asyncio.Event().wait()
        yield None


async def test_one_person_has_so_many_streams_and_others_have_theirs() -> None:
    link = SilentLink()
    events = Events(a_door(link, clock=FakeClock()), Owned(link, INSTANCE))
    calls = [a_call("GET", caller=ALICE) for _ in range(MOST_WATCHES)]
    watching = [asyncio.create_task(events.events(call, FakeReply())) for call in calls]
    await asyncio.sleep(0)
    with pytest.raises(QuotaExceeded, match=f"{MOST_WATCHES} of {MOST_WATCHES}"):
        await events.events(a_call("GET", caller=ALICE), FakeReply())
    bob = a_call("GET", caller=BOB)
    watching.append(asyncio.create_task(events.events(bob, FakeReply())))
    for call in (*calls, bob):
        call.gone.set()
    await asyncio.wait_for(asyncio.gather(*watching), 5)
    again = a_call("GET", caller=ALICE)
    again.gone.set()
    await asyncio.wait_for(events.events(again, FakeReply()), 5)
