import json
from dataclasses import replace

import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, NotFound
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.containers.streams import Streams
from ds01_spawner.gateway.wire.call import Answer
from fakes.calls import ALICE, BOB, FakeReply, a_call
from fakes.door import a_door
from fakes.engine_json import INSTANCE, inspected, legacy, own
from fakes.engine_link import Asked, FakeEngineLink

WEB = own("web", "alice")
PATH = f"/containers/{WEB['Id']}"


@pytest.fixture
def engine() -> FakeEngineLink:
    reading = {"name": "/web._.alice", "id": WEB["Id"], "pids_stats": {"current": 1}}
    return FakeEngineLink(
        containers=[WEB, own("db", "bob")],
        answers={f"GET {PATH}/stats": Answer(200, [reading, reading])},
    )


@pytest.fixture
def streams(engine: FakeEngineLink) -> Streams:
    return Streams(a_door(engine), Owned(engine, INSTANCE))


async def test_attach_goes_to_the_full_id_with_what_was_asked(
    streams: Streams, engine: FakeEngineLink
) -> None:
    call = a_call("POST", parts={"id": "web"}, stream="1", stdin="1", detachKeys="ctrl-x")
    await streams.attach(call, FakeReply())
    asked = engine.asked[-1]
    assert (asked.method, asked.path) == ("POST", f"{PATH}/attach")
    assert asked.query == call.query


async def test_what_the_platform_did_not_make_is_not_attached_to(
    streams: Streams, engine: FakeEngineLink
) -> None:
    old = inspected("run._.1001", legacy("run", "alice"))
    engine.containers.append(old)
    with pytest.raises(Forbidden):
        await streams.attach(a_call("POST", parts={"id": old["Id"]}), FakeReply())
    assert engine.deeds() == []
    await streams.logs(a_call("GET", parts={"id": old["Id"]}), FakeReply())
    assert engine.asked[-1].path == f"/containers/{old['Id']}/logs"


async def test_logs_are_relayed_from_the_full_id(streams: Streams, engine: FakeEngineLink) -> None:
    await streams.logs(a_call("GET", parts={"id": "web"}, follow="1", stdout="1"), FakeReply())
    asked = engine.asked[-1]
    assert (asked.method, asked.path) == ("GET", f"{PATH}/logs")
    assert asked.query == {"follow": ["1"], "stdout": ["1"]}


@pytest.mark.parametrize("handler", ["attach", "logs", "stats"])
@pytest.mark.parametrize("caller", [ALICE, BOB], ids=["alice", "bob"])
async def test_what_somebody_else_has_does_not_exist(
    streams: Streams, engine: FakeEngineLink, handler: str, caller: object
) -> None:
    ref = "db._.bob" if caller is ALICE else WEB["Id"]
    call = a_call("GET", caller=ALICE if caller is ALICE else BOB, parts={"id": ref})
    with pytest.raises(NotFound, match=f"No such container: {ref}"):
        await getattr(streams, handler)(call, FakeReply())
    assert not [each for each in engine.asked if each.path.endswith(handler)]


async def test_stats_stream_shows_the_owners_name(streams: Streams) -> None:
    reply = FakeReply()
    await streams.stats(a_call("GET", parts={"id": "web"}), reply)
    lines = [json.loads(line) for line in reply.content.splitlines()]
    assert [line["name"] for line in lines] == ["/web", "/web"]
    assert lines[0]["pids_stats"] == {"current": 1}


async def test_one_reading_shows_the_owners_name(engine: FakeEngineLink, streams: Streams) -> None:
    engine.answers[f"GET {PATH}/stats"] = Answer(200, {"name": "/web._.alice", "read": "now"})
    reply = FakeReply()
    call = a_call("GET", parts={"id": "web"})
    query = {"stream": ["false"], "one-shot": ["1"]}
    await streams.stats(replace(call, query=query), reply)
    assert reply.value == {"name": "/web", "read": "now"}
    assert engine.asked[-1] == Asked(
        "GET", f"{PATH}/stats", {"stream": ["0"], "one-shot": ["1"]}, version="1.41"
    )


async def test_a_stream_of_one_reading_is_refused(streams: Streams) -> None:
    call = replace(a_call("GET", parts={"id": "web"}), query={"one-shot": ["1"]})
    with pytest.raises(InvalidRequest):
        await streams.stats(call, FakeReply())
