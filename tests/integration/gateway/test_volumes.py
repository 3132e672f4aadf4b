import json
import secrets
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict, Forbidden, NotFound, QuotaExceeded
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.volumes import volumes as module
from ds01_spawner.gateway.docker.volumes.volumes import Volumes
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import EngineLink
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.audit.lines import Audit
from fakes.calls import FakeReply, a_call, person
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog
from integration.plain_link import PlainLink

INSTANCE = f"test{secrets.token_hex(4)}"


class Lab:
    """The handlers on the real engine, for two people of this run."""

    def __init__(self, image: str) -> None:
        self.image = image
        self.events = FakeEventLog()
        link = cast("EngineLink", PlainLink())
        audit = Audit(FakeClock(), self.events, "gateway")
        platform = cast("Platform", SimpleNamespace(audit=audit))
        self.volumes = Volumes(Door(platform, link, Threads(4)), Owned(link, INSTANCE))
        end = secrets.token_hex(3)
        self.alice, self.bob = person(f"alice{end}"), person(f"bob{end}", 1002)

    async def ask(
        self,
        caller: Caller,
        endpoint: str,
        ref: str = "",
        body: Any = None,
        version: str = "1.41",
        **query: str,
    ) -> Any:
        reply = FakeReply()
        method, _, path = endpoint.partition(" ")
        parts = {"id": ref} if ref else {}
        call = a_call(method, path, caller=caller, parts=parts, body=body, version=version, **query)
        await self.volumes.handlers()[endpoint](call, reply)
        assert reply.finished
        return reply.value

    async def make(self, caller: Caller, name: str = "", **more: Any) -> Any:
        return await self.ask(caller, "POST /volumes/create", body={"Name": name, **more})

    async def names(self, caller: Caller, **filters: list[str]) -> list[str]:
        query = {"filters": json.dumps(filters)} if filters else {}
        found = await self.ask(caller, "GET /volumes", **query)
        return sorted(each["Name"] for each in found["Volumes"])

    def container(self, caller: Caller, *options: str) -> str:
        known = {
            labels.MANAGED: "true",
            labels.USER: caller.user,
            labels.INSTANCE: INSTANCE,
        }
        marked = [part for key, value in known.items() for part in ("--label", f"{key}={value}")]
        name = f"ds01c{secrets.token_hex(3)}._.{caller.user}"
        return output("docker", "create", "--name", name, *marked, *options, self.image, "true")


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def exists(name: str) -> bool:
    command = ["docker", "volume", "inspect", name]
    return not subprocess.run(command, capture_output=True, check=False).returncode


@pytest.fixture
def lab(tiny_image: str) -> Iterator[Lab]:
    made = Lab(tiny_image)
    yield made
    marked = ("--filter", f"label={labels.INSTANCE}={INSTANCE}")
    for each in output("docker", "ps", "-aq", *marked).split():
        output("docker", "rm", "-fv", each)
    for caller in (made.alice, made.bob):
        for each in output(
            "docker", "volume", "ls", "-q", "--filter", f"name={caller.user}"
        ).split():
            output("docker", "volume", "rm", each)
    for each in output("docker", "volume", "ls", "-q", *marked).split():
        output("docker", "volume", "rm", each)


async def test_a_volume_of_ones_own_is_made_seen_and_removed(lab: Lab) -> None:
    made = await lab.make(lab.alice, "data", Labels={"a": "b", "ds01.user": "bob"})
    assert (made["Name"], made["Labels"]) == ("data", {"a": "b"})
    engine = f"data._.{lab.alice.user}"
    assert exists(engine)
    assert await lab.ask(lab.alice, "GET /volumes/{id}", "data") == made
    assert await lab.ask(lab.alice, "GET /volumes/{id}", engine) == made
    assert await lab.volumes.volume(lab.alice, "data") == engine
    assert await lab.names(lab.alice) == ["data"]
    await lab.ask(lab.alice, "DELETE /volumes/{id}", "data")
    assert not exists(engine)
    assert [event.action for event in lab.events.events] == ["volume.create", "volume.remove"]


async def test_making_it_again_changes_nothing(lab: Lab) -> None:
    first = await lab.make(lab.alice, "data", Labels={"a": "b"})
    assert await lab.make(lab.alice, "data", Labels={"c": "d"}) == first
    assert await lab.volumes.ensure(lab.alice, "data") == f"data._.{lab.alice.user}"
    assert len(lab.events.events) == 1


@pytest.mark.parametrize("deed", ["GET /volumes/{id}", "DELETE /volumes/{id}"])
async def test_anothers_is_answered_as_one_that_does_not_exist(lab: Lab, deed: str) -> None:
    await lab.make(lab.bob, "data")
    anonymous = (await lab.make(lab.bob))["Name"]
    engine = f"data._.{lab.bob.user}"
    home = f"ds01-home-{lab.bob.user}"
    output("docker", "volume", "create", home)
    for ref in ("data", engine, home, anonymous, "nothing", anonymous[:12]):
        with pytest.raises(NotFound, match=f"^get {ref}: no such volume$"):
            await lab.ask(lab.alice, deed, ref)
    assert exists(engine)
    assert exists(anonymous)
    assert await lab.names(lab.alice) == []
    await lab.ask(lab.alice, "DELETE /volumes/{id}", engine, force="1")
    assert exists(engine)


async def test_two_people_may_use_one_name(lab: Lab) -> None:
    await lab.make(lab.alice, "data")
    await lab.make(lab.bob, "data")
    await lab.ask(lab.alice, "DELETE /volumes/{id}", "data")
    assert await lab.names(lab.bob) == ["data"]


async def test_the_home_is_seen_and_never_removed(lab: Lab) -> None:
    home = f"ds01-home-{lab.alice.user}"
    output("docker", "volume", "create", home)
    assert await lab.names(lab.alice) == [home]
    with pytest.raises(Forbidden, match="cannot be removed"):
        await lab.ask(lab.alice, "DELETE /volumes/{id}", home)
    with pytest.raises(Conflict):
        await lab.make(lab.alice, home)
    await lab.ask(lab.alice, "POST /volumes/prune")
    assert exists(home)


async def test_what_came_with_ones_container_is_ones_own(lab: Lab) -> None:
    container = lab.container(lab.alice, "-v", "/cache")
    foreign = lab.container(lab.bob, "-v", "/cache")
    (mine,), (theirs,) = (
        json.loads(output("docker", "inspect", "-f", "{{json .Mounts}}", each))
        for each in (container, foreign)
    )
    assert await lab.names(lab.alice) == [mine["Name"]]
    seen = await lab.ask(lab.alice, "GET /volumes/{id}", mine["Name"])
    assert seen["Name"] == mine["Name"]
    with pytest.raises(NotFound):
        await lab.ask(lab.alice, "GET /volumes/{id}", theirs["Name"])
    with pytest.raises(Conflict, match="in use"):
        await lab.ask(lab.alice, "DELETE /volumes/{id}", mine["Name"])


async def test_what_is_in_use_is_said_so_in_ones_own_words(lab: Lab) -> None:
    await lab.make(lab.alice, "data")
    lab.container(lab.alice, "-v", f"data._.{lab.alice.user}:/data")
    with pytest.raises(Conflict, match="remove data: volume is in use"):
        await lab.ask(lab.alice, "DELETE /volumes/{id}", "data")


async def test_lists_are_filtered_in_ones_own_names(lab: Lab) -> None:
    await lab.make(lab.alice, "data", Labels={"kind": "sets"})
    await lab.make(lab.alice, "models")
    lab.container(lab.alice, "-v", f"models._.{lab.alice.user}:/data")
    assert await lab.names(lab.alice, name=["dat"]) == ["data"]
    assert await lab.names(lab.alice, name=[lab.alice.user]) == []
    assert await lab.names(lab.alice, label=["kind=sets"]) == ["data"]
    assert await lab.names(lab.alice, dangling=["true"]) == ["data"]


async def test_prune_removes_ones_own_alone(lab: Lab) -> None:
    await lab.make(lab.alice, "unused")
    await lab.make(lab.alice, "kept", Labels={"keep": "1"})
    await lab.make(lab.alice, "used")
    anonymous = (await lab.make(lab.alice))["Name"]
    await lab.make(lab.bob, "unused")
    lab.container(lab.alice, "-v", f"used._.{lab.alice.user}:/data")
    filters = json.dumps({"label!": ["keep"]})
    newer = await lab.ask(lab.alice, "POST /volumes/prune", version="1.44", filters=filters)
    assert newer["VolumesDeleted"] == [anonymous]
    older = await lab.ask(lab.alice, "POST /volumes/prune", filters=filters)
    assert older["VolumesDeleted"] == ["unused"]
    assert await lab.names(lab.alice) == ["kept", "used"]
    assert await lab.names(lab.bob) == ["unused"]


async def test_nobody_has_more_than_the_bound(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VOLUMES", 2)
    await lab.make(lab.alice, "one")
    await lab.make(lab.alice)
    with pytest.raises(QuotaExceeded, match="2 of 2 volumes"):
        await lab.volumes.ensure(lab.alice, "three")
    await lab.make(lab.alice, "one")
    await lab.make(lab.bob, "one")
