from types import SimpleNamespace
from typing import Any, cast

import pytest

from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.volumes.volumes import Volumes
from ds01_spawner.gateway.wire.call import Answer, EngineLink
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.audit.lines import Audit
from fakes.calls import ALICE, FakeReply, a_call
from fakes.clock import FakeClock
from fakes.engine_link import FakeEngineLink
from fakes.event_log import FakeEventLog

NAME = "data._.alice"


class Lab:
    """Volumes of the installation `here`, before an engine that has one of alice's names."""

    def __init__(self, instance: str) -> None:
        marks = {labels.MANAGED: "true", labels.USER: "alice", labels.INSTANCE: instance}
        volume = Answer(200, {"Name": NAME, "Labels": marks})
        self.engine = FakeEngineLink(answers={f"GET /volumes/{NAME}": volume})
        self.events = FakeEventLog()
        platform = SimpleNamespace(audit=Audit(FakeClock(), self.events, "gateway"))
        link = cast("EngineLink", self.engine)
        door = Door(cast("Platform", platform), link, Threads(2))
        self.volumes = Volumes(door, Owned(link, "here"))

    async def make(self) -> FakeReply:
        reply = FakeReply()
        body: dict[str, Any] = {"Name": "data"}
        call = a_call("POST", "/volumes/create", body=body)
        await self.volumes.handlers()["POST /volumes/create"](call, reply)
        return reply


async def test_a_volume_that_is_there_is_the_answer() -> None:
    reply = await Lab("here").make()

    assert (reply.status, reply.value["Name"]) == (201, "data")


async def test_a_volume_of_another_installation_is_not_handed_out() -> None:
    lab = Lab("elsewhere")

    with pytest.raises(Conflict, match="another installation"):
        await lab.make()
    with pytest.raises(Conflict, match="another installation"):
        await lab.volumes.ensure(ALICE, "data")

    assert {each.method for each in lab.engine.asked} == {"GET"}
    assert lab.events.events == []
