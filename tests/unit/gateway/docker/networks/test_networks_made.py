from ipaddress import IPv4Network
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.networks.lookup import OwnNetworks
from ds01_spawner.gateway.docker.networks.networks import Networks
from ds01_spawner.gateway.wire.call import Answer, EngineLink, Query
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.audit.lines import Audit
from fakes.calls import FakeReply, a_call
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog

POOL = IPv4Network("10.201.0.0/16")


class Engine:
    """Answers creations in turn; there are no networks."""

    def __init__(self, *creations: Answer) -> None:
        self.creations = list(creations)
        self.deeds: list[tuple[str, str]] = []
        self.bodies: list[Any] = []

    async def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        **_more: Any,
    ) -> Answer:
        del query
        if method == "GET":
            return Answer(200, [])
        self.deeds.append((method, path))
        self.bodies.append(body)
        return self.creations.pop(0) if path == "/networks/create" else Answer(204, None)


MADE = Answer(201, {"Id": "a" * 64, "Warning": ""})
OVERLAPS = Answer(403, {"message": "Pool overlaps with other one on this address space"})


class Lab:
    def __init__(self, *creations: Answer) -> None:
        self.engine = Engine(*creations)
        self.events = FakeEventLog()
        platform = SimpleNamespace(
            engine=SimpleNamespace(network_pool=POOL, network_prefix=27),
            audit=Audit(FakeClock(), self.events, "gateway"),
        )
        link = cast("EngineLink", self.engine)
        door = Door(cast("Platform", platform), link, Threads(2))
        owned = Owned(link, "here")
        self.networks = Networks(door, owned, OwnNetworks(door, owned))

    async def make(self, **said: Any) -> FakeReply:
        reply = FakeReply()
        call = a_call("POST", "/networks/create", body={"Name": "web", **said})
        await self.networks.handlers()["POST /networks/create"](call, reply)
        return reply


async def test_a_range_that_somebody_took_in_between_is_chosen_anew() -> None:
    lab = Lab(OVERLAPS, MADE)

    reply = await lab.make()

    assert (reply.status, reply.value) == (201, {"Id": "a" * 64, "Warning": ""})
    assert [path for _, path in lab.engine.deeds] == ["/networks/create"] * 2
    assert lab.events.actions == ["network.create"]


async def test_a_range_that_was_asked_for_is_not_exchanged() -> None:
    lab = Lab(OVERLAPS, MADE)

    with pytest.raises(Forbidden, match="Pool overlaps"):
        await lab.make(IPAM={"Config": [{"Subnet": "10.201.7.0/27"}]})

    assert len(lab.engine.deeds) == 1


async def test_an_engine_that_refuses_again_and_again_is_believed() -> None:
    lab = Lab(*[OVERLAPS] * 5)

    with pytest.raises(Forbidden, match="Pool overlaps"):
        await lab.make()

    assert len(lab.engine.deeds) == 5


async def test_a_network_that_cannot_be_written_down_is_removed_again() -> None:
    lab = Lab(MADE)
    lab.events.full = True

    with pytest.raises(Unavailable, match="no space left"):
        await lab.make()

    assert lab.engine.deeds[-1] == ("DELETE", f"/networks/{'a' * 64}")


async def test_the_interface_carries_the_installation() -> None:
    lab = Lab(MADE)

    await lab.make(Options={"com.docker.network.driver.mtu": "1400"})

    (body,) = lab.engine.bodies
    assert body["Options"]["com.docker.network.bridge.name"].startswith("ds01-")
    assert body["Options"]["com.docker.network.driver.mtu"] == "1400"
    assert IPv4Network(body["IPAM"]["Config"][0]["Subnet"]).subnet_of(POOL)
