import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from ds01_spawner.domain.errors import QuotaExceeded, Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.images.commit import Commit
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.new_images import NewImages
from ds01_spawner.gateway.docker.images.size_limit import SizeLimit
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.operations.allocation.disk_room import DiskRoom
from fakes.calls import ALICE, BOB, FakeReply, a_call
from fakes.door import FakeDoor
from fakes.engine_json import INSTANCE, own
from fakes.engine_link import FakeEngineLink

GIB = 1024**3
MADE = "sha256:" + "b" * 64


@dataclass
class Scene:
    """Containers of alice's and bob's that have written 10 GiB each."""

    commit: Commit
    doors: FakeDoor
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, caller: Caller, name: str = "box") -> asyncio.Task[FakeReply]:
        async def answered() -> FakeReply:
            reply = FakeReply()
            async with asyncio.timeout(20):
                await self.commit.commit(a_call("POST", caller=caller, container=name), reply)
            return reply

        return asyncio.create_task(answered())

    @property
    def going(self) -> list[str]:
        engine = self.doors.engine
        return [each.query["container"][0] for each in engine.asked if each.path == "/commit"]

    @property
    def events(self) -> list[Event]:
        return self.doors.platform.log.events


class SlowEngine(FakeEngineLink):
    """Commits as long as a test wants."""

    may_end: asyncio.Event

    async def ask(self, method: str, path: str, *args: Any, **kwargs: Any) -> Answer:
        answer = await super().ask(method, path, *args, **kwargs)
        if path == "/commit":
            await self.may_end.wait()
        return answer


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    async def limit(_self: NewImages, _caller: Caller) -> SizeLimit:
        return SizeLimit(100 * GIB, "the defaults")

    monkeypatch.setattr(NewImages, "limit", limit)
    containers = [
        {**own(name, user), "SizeRw": 10 * GIB, "SizeRootFs": 11 * GIB, "Image": "sha256:1"}
        for name, user in (("box", "alice"), ("second", "alice"), ("box", "bob"), ("box", "carol"))
    ]
    engine = SlowEngine(
        containers,
        {
            "POST /commit": Answer(201, {"Id": MADE}),
            f"GET /images/{MADE}/json": Answer(200, {"Id": MADE, "Size": 11 * GIB, "Config": {}}),
        },
    )
    doors = FakeDoor(engine)
    doors.platform.disk_room = DiskRoom(lambda: "/", lambda _: 100 * GIB)
    door = doors.door
    owned = Owned(engine, INSTANCE)
    made = Scene(Commit(door, owned, OwnImages(door, owned)), doors)
    engine.may_end = made.may_end
    return made


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_one_person_commits_one_after_the_other(scene: Scene) -> None:
    tasks = [scene.begin(ALICE), scene.begin(ALICE, "second"), scene.begin(BOB)]
    await settled()
    assert len(scene.going) == 2
    scene.may_end.set()
    assert [each.status for each in await asyncio.gather(*tasks)] == [201] * 3
    assert [each.outcome for each in scene.events] == ["ok"] * 3


async def test_what_goes_on_already_needs_its_room_too(scene: Scene) -> None:
    scene.doors.platform.disk_room = DiskRoom(lambda: "/", lambda _: 21 * GIB)
    first, second = scene.begin(ALICE), scene.begin(BOB)
    with pytest.raises(Unavailable, match=r"20.0 GiB would be added"):
        await second
    assert len(scene.going) == 1
    scene.may_end.set()
    assert (await first).status == 201
    assert (await scene.begin(BOB)).status == 201


async def test_who_leaves_keeps_the_turn_until_the_engine_has_ended(scene: Scene) -> None:
    left = scene.begin(ALICE)
    waiting = scene.begin(ALICE, "second")
    given_up = scene.begin(ALICE, "second")
    await settled()
    for task in (left, given_up):
        task.cancel()
    await settled()
    assert left.cancelled()
    assert len(scene.going) == 1
    scene.may_end.set()
    await waiting
    assert len(scene.going) == 2
    told = [(each.outcome, each.reason) for each in scene.events]
    assert told == [("failed", "cancelled"), ("ok", ""), ("ok", "")]


async def test_one_that_is_refused_is_in_the_log(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def limit(_self: NewImages, _caller: Caller) -> SizeLimit:
        return SizeLimit(GIB, "the defaults")

    monkeypatch.setattr(NewImages, "limit", limit)
    with pytest.raises(QuotaExceeded, match="what the container wrote"):
        await scene.begin(ALICE)
    (event,) = scene.events
    assert (event.action, event.outcome) == ("image.commit", "refused")
    assert event.reason.startswith("The image has 11 GiB")
    assert not scene.going


async def test_a_container_whose_size_nobody_knows_is_not_committed(scene: Scene) -> None:
    scene.doors.engine.containers[0]["SizeRw"] = -1
    with pytest.raises(Unavailable, match="how much the container has written"):
        await scene.begin(ALICE)
    assert not scene.going
