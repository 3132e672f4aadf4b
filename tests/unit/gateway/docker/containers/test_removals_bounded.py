import asyncio
from dataclasses import dataclass, field
from typing import Any

from ds01_spawner.gateway.docker.containers.containers import Containers
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import REMOVALS, REMOVALS_EACH
from ds01_spawner.gateway.wire.call import Answer, Query
from fakes.calls import BOB, FakeReply, a_call
from fakes.door import FakeDoor
from fakes.engine_json import INSTANCE, own
from fakes.engine_link import FakeEngineLink

MANY = 20


@dataclass
class SlowToRemove(FakeEngineLink):
    """An engine whose removals take until all that may be sent are there."""

    now: int = 0
    most: int = 0
    removed: list[str] = field(default_factory=list)

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
        if method == "DELETE":
            self.now += 1
            self.most = max(self.most, self.now)
            for _ in range(50):
                await asyncio.sleep(0)
            self.now -= 1
            self.removed.append(path)
        return await super().ask(method, path, query, body, version=version, seconds=seconds)


async def test_few_containers_are_removed_at_a_time_and_nobody_waits_for_all_of_anothers() -> None:
    names = [f"c{number}" for number in range(MANY)]
    engine = SlowToRemove([*(own(name, "alice") for name in names), own("web", "bob")])
    fake = FakeDoor(engine)
    removing = Containers(fake.door, Owned(engine, INSTANCE))
    replies = [FakeReply() for _ in range(MANY + 1)]
    calls = [a_call("DELETE", parts={"id": name}) for name in names]
    calls.append(a_call("DELETE", parts={"id": "web"}, caller=BOB))

    await asyncio.gather(*(removing.remove(*each) for each in zip(calls, replies, strict=True)))

    assert all(reply.status == 204 for reply in replies)
    assert engine.most == REMOVALS_EACH + 1 <= REMOVALS
    web = engine.containers[-1]["Id"]
    assert engine.removed.index(f"/containers/{web}") <= REMOVALS
