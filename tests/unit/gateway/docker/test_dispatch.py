from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import pytest

from ds01_spawner.domain.errors import Forbidden, NotFound, Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.gateway.docker.dispatch import Dispatch
from ds01_spawner.gateway.endpoints import ENDPOINTS
from ds01_spawner.gateway.wire.call import Answer, Call, Handler, Passage, Reply
from ds01_spawner.operations.audit.lines import Audit
from fakes.calls import ALICE, ROOT, FakeReply, a_call
from fakes.clock import FakeClock
from fakes.door import a_door
from fakes.engine_link import FakeEngineLink
from fakes.event_log import FakeEventLog


class Group:
    """Handlers that note that they were asked."""

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.asked: list[str] = []

    def handlers(self) -> Mapping[str, Handler]:
        def noting(name: str) -> Handler:
            async def note(_call: Call, reply: Reply) -> None:
                self.asked.append(name)
                await reply.empty()

            return note

        return {name: noting(name) for name in self.names}


EVERY = {endpoint.name for endpoint in ENDPOINTS}


class House:
    """A dispatcher and what is around it."""

    def __init__(self) -> None:
        self.group = Group(EVERY)
        self.engine = FakeEngineLink()
        self.events = FakeEventLog()
        audit = Audit(FakeClock(), self.events, "gateway")
        self.dispatch = Dispatch(a_door(self.engine, audit=audit), [self.group])


@pytest.fixture
def house() -> House:
    return House()


def test_the_table_has_no_row_twice() -> None:
    assert len(EVERY) == len(ENDPOINTS)


@pytest.mark.parametrize("name", sorted(EVERY))
async def test_each_endpoint_is_answered_by_its_handler(house: House, name: str) -> None:
    reply = FakeReply()
    await house.dispatch(name, a_call(name.partition(" ")[0], caller=ALICE), reply)
    assert house.group.asked == [name]
    assert reply.status == 204


@pytest.mark.parametrize(
    "names", [EVERY - {"GET /_ping"}, EVERY | {"GET /_secret"}], ids=["one less", "one more"]
)
def test_the_table_and_the_handlers_are_the_same(names: set[str]) -> None:
    with pytest.raises(ValueError, match="GET /_"):
        Dispatch(a_door(FakeEngineLink()), [Group(names)])


def test_an_endpoint_has_one_handler() -> None:
    with pytest.raises(ValueError, match="two handlers"):
        Dispatch(a_door(FakeEngineLink()), [Group(EVERY), Group({"GET /_ping"})])


async def test_what_is_not_in_the_table_does_not_exist(house: House) -> None:
    unknown = replace(a_call("POST", caller=ALICE), path="/x")
    with pytest.raises(NotFound, match="POST /x is not offered through the gateway"):
        await house.dispatch(None, unknown, FakeReply())
    assert house.engine.asked == []


def administrators(method: str) -> Call:
    passage = Passage("/swarm/init", (("a", "1"),), {}, 0)
    return replace(a_call(method, caller=ROOT), passage=passage)


async def test_administrators_pass_whatever_they_ask_and_what_changes_something_is_logged(
    house: House,
) -> None:
    house.engine.answers["POST /swarm/init"] = Answer(200, {"ok": True})
    reply = FakeReply()
    await house.dispatch(None, administrators("POST"), reply)
    assert reply.value == {"ok": True}
    (event,) = house.events.events
    assert (event.action, event.user, event.resource) == ("admin.docker", "root", "/swarm/init")
    assert event.details["request_id"] == "call-1"
    assert house.group.asked == []


@pytest.mark.parametrize(
    "name",
    ["GET /_ping", "HEAD /_ping", "GET /version", "GET /containers/json", "GET /volumes/{id}"],
)
async def test_what_administrators_look_at_is_not_logged(house: House, name: str) -> None:
    await administrate(house, name)
    assert house.events.events == []


@pytest.mark.parametrize(
    "name",
    [
        "GET /containers/{id}/archive",
        "HEAD /containers/{id}/archive",
        "GET /containers/{id}/export",
        "GET /containers/{id}/logs",
        "GET /containers/{id}/attach/ws",
        "GET /images/{ref}/get",
        "GET /images/get",
        "GET /swarm",
        None,
    ],
)
async def test_what_hands_peoples_files_to_administrators_is_logged(
    house: House, name: str | None
) -> None:
    await administrate(house, name)
    (event,) = house.events.events
    assert (event.action, event.details["endpoint"]) == ("admin.docker", name or "")


async def administrate(house: House, name: str | None) -> None:
    method = "GET" if name is None else name.partition(" ")[0]
    house.engine.answers[f"{method} /swarm/init"] = Answer(200, {})
    await house.dispatch(name, administrators(method), FakeReply())


@pytest.mark.parametrize("name", [*sorted(EVERY), None])
async def test_nothing_that_a_person_asks_is_handed_on_as_it_is(
    house: House, name: str | None
) -> None:
    method = "GET" if name is None else name.partition(" ")[0]
    house.engine.answers[f"{method} /swarm/init"] = Answer(200, {})
    asked = replace(administrators(method), caller=ALICE)
    with suppress(NotFound):
        await house.dispatch(name, asked, FakeReply())
    assert house.engine.asked == []


async def test_a_log_that_takes_nothing_does_not_stop_who_mends_it(house: House) -> None:
    def full(_event: object) -> None:
        raise Unavailable("The disk is full.")

    house.events.append = full  # type: ignore[method-assign,assignment]
    house.engine.answers["POST /swarm/init"] = Answer(200, {})
    reply = FakeReply()
    await house.dispatch(None, administrators("POST"), reply)
    assert reply.status == 200


def refusing(house: House, *, told: bool = False) -> None:
    """Let an endpoint refuse."""

    async def refuse(_call: Call, _reply: Reply) -> None:
        if told:
            audit = house.dispatch._door.platform.audit
            audit.refusal(
                LaunchRequest("alice", "run", Interface.DOCKER, "image"), Forbidden("No.")
            )
        raise Forbidden("--privileged would give a container the whole server.", "Leave it out.")

    house.dispatch._handlers["POST /containers/create"] = refuse


async def test_what_is_nobodys_to_do_is_in_the_log(house: House) -> None:
    refusing(house)
    with pytest.raises(Forbidden):
        await house.dispatch("POST /containers/create", a_call("POST", caller=ALICE), FakeReply())
    (event,) = house.events.events
    assert (event.action, event.user, event.outcome) == ("request.reject", "alice", "refused")
    assert "--privileged" in event.reason
    assert event.details == {"request_id": "call-1", "by": "alice"}


async def test_a_refusal_is_in_the_log_once(house: House) -> None:
    refusing(house, told=True)
    with pytest.raises(Forbidden):
        await house.dispatch("POST /containers/create", a_call("POST", caller=ALICE), FakeReply())
    assert len(house.events.events) == 1


async def test_nobody_fills_the_log_with_refusals(house: House) -> None:
    refusing(house)
    for _ in range(200):
        with pytest.raises(Forbidden):
            await house.dispatch(
                "POST /containers/create", a_call("POST", caller=ALICE), FakeReply()
            )
    assert 60 <= len(house.events.events) <= 70


class Refusing(Group):
    """Handlers that refuse an image, as the platform calls it."""

    def handlers(self) -> Mapping[str, Handler]:
        async def refuse(_call: Call, _reply: Reply) -> None:
            raise Forbidden("The image ds01-alice/web:1 has a volume.", "Build it anew.")

        return dict.fromkeys(self.names, refuse)


async def test_an_own_image_is_called_what_its_owner_calls_it() -> None:
    events = FakeEventLog()
    audit = Audit(FakeClock(), events, "gateway")
    dispatch = Dispatch(a_door(FakeEngineLink(), audit=audit), [Refusing(EVERY)])
    with pytest.raises(Forbidden) as caught:
        await dispatch("POST /containers/create", a_call("POST", caller=ALICE), FakeReply())
    assert str(caught.value) == "The image web:1 has a volume. Build it anew."
    assert events.events[0].reason == str(caught.value)
