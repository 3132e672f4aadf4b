import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.system.disk_use import DiskUse
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer, Call, Query
from fakes.calls import ALICE, BOB, FakeReply, a_call
from fakes.door import a_door
from fakes.engine_json import INSTANCE, own
from fakes.engine_link import FakeEngineLink

MOUNTS = [{"Type": "volume", "Name": "data._.alice", "Source": "/v/data._.alice/_data"}]
EVERYBODYS = {
    "LayersSize": 9_000_000,
    "Images": [
        {"Id": "sha256:1", "Size": 100, "SharedSize": 70, "Containers": 44},
        {"Id": "sha256:2", "Size": 90, "SharedSize": 70, "Containers": 1},
        {"Id": "sha256:secret", "Size": 5, "SharedSize": 0},
    ],
    "Containers": [{"Id": "secret"}],
    "Volumes": [
        {"Name": "data._.alice", "UsageData": {"Size": 11, "RefCount": 9}},
        {"Name": "secret._.bob", "UsageData": {"Size": 12, "RefCount": 1}},
    ],
    "BuildCache": [{"ID": "secret"}],
}


@dataclass
class SlowLink(FakeEngineLink):
    """Answers about everybody's disk use when a test lets it."""

    let: asyncio.Event = field(default_factory=asyncio.Event)
    down: bool = False

    async def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        version: str = "",
        seconds: float = 30.0,
    ) -> Answer:
        if path == "/system/df":
            await self.let.wait()
            if self.down:
                raise Unavailable("The engine is away.")
        return await super().ask(method, path, query, body, version=version, seconds=seconds)

    def counts(self) -> int:
        return len([each for each in self.asked if each.path == "/system/df"])


@pytest.fixture
def link() -> SlowLink:
    link = SlowLink(
        containers=[own("web", "alice", Mounts=MOUNTS), own("db", "bob")],
        answers={"GET /system/df": Answer(200, EVERYBODYS)},
    )
    link.let.set()
    return link


@pytest.fixture
def use(link: SlowLink) -> DiskUse:
    async def images(call: Call) -> Sequence[Mapping[str, Any]]:
        seen = [("sha256:1", 100), ("sha256:2", 90)] if call.caller is ALICE else []
        return [{"Id": key, "Size": size, "SharedSize": -1} for key, size in seen]

    async def volumes(caller: Caller) -> Sequence[Mapping[str, Any]]:
        names = ["data", "new"] if caller is ALICE else []
        return [{"Name": f"{name}._.alice", "Driver": "local"} for name in names]

    return DiskUse(a_door(link), Owned(link, INSTANCE), images=images, volumes=volumes)


async def told(use: DiskUse, call: Call | None = None) -> Any:
    reply = FakeReply()
    await use.df(call or a_call("GET"), reply)
    return reply.value


async def test_adds_up_what_is_ones_own(use: DiskUse) -> None:
    shown = await told(use)
    assert [each["Names"] for each in shown["Containers"]] == [["/web"]]
    assert [each["SharedSize"] for each in shown["Images"]] == [70, 70]
    assert shown["LayersSize"] == 30 + 20 + 70
    used = {each["Name"]: each["UsageData"] for each in shown["Volumes"]}
    assert used == {"data": {"Size": 11, "RefCount": 1}, "new": {"Size": -1, "RefCount": 0}}
    assert shown["BuildCache"] == []


@pytest.mark.parametrize("caller", [ALICE, BOB], ids=["alice", "bob"])
async def test_nothing_of_others_is_told(use: DiskUse, caller: Any) -> None:
    shown = await told(use, a_call("GET", caller=caller))
    text = json.dumps(shown)
    assert "secret" not in text
    assert ("data" in text) is (caller is ALICE)


async def test_images_are_used_by_ones_own_containers_only(use: DiskUse) -> None:
    assert [each["Containers"] for each in (await told(use))["Images"]] == [0, 0]


async def test_only_what_was_asked_for_is_told(use: DiskUse, link: SlowLink) -> None:
    call = replace(a_call("GET"), query={"type": ["container", "everything"]})
    shown = await told(use, call)
    assert shown["Containers"]
    assert (shown["Images"], shown["Volumes"], shown["BuildCache"]) == (None, None, None)
    assert link.counts() == 0


async def test_the_engine_counts_once_for_all_who_ask(use: DiskUse, link: SlowLink) -> None:
    link.let.clear()
    asking = [asyncio.create_task(told(use)) for _ in range(5)]
    await asyncio.sleep(0)
    link.let.set()
    await asyncio.gather(*asking)
    await told(use)
    assert link.counts() == 1


async def test_who_goes_away_takes_the_figures_from_nobody(use: DiskUse, link: SlowLink) -> None:
    link.let.clear()
    first, second = asyncio.create_task(told(use)), asyncio.create_task(told(use))
    for _ in range(20):
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    link.let.set()
    assert (await second)["LayersSize"] == 120


async def test_sizes_that_the_engine_does_not_give_are_unknown(
    use: DiskUse, link: SlowLink
) -> None:
    link.answers["GET /system/df"] = Answer(500, {"message": "already running"})
    shown = await told(use)
    assert shown["Volumes"][0]["UsageData"]["Size"] == -1
    assert shown["LayersSize"] == 190


async def test_a_failure_is_not_remembered(use: DiskUse, link: SlowLink) -> None:
    link.down = True
    with pytest.raises(Unavailable):
        await told(use)
    link.down = False
    assert (await told(use))["LayersSize"] == 120
