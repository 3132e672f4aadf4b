import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from ds01_spawner.domain.errors import QuotaExceeded, Unavailable
from ds01_spawner.domain.labels import IMAGE_OWNER
from ds01_spawner.gateway.docker.build import watch
from ds01_spawner.gateway.docker.build.watch import BuildWatch
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.new_images import NewImages
from ds01_spawner.gateway.docker.images.size_limit import SizeLimit
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.operations.allocation.disk_room import DiskRoom
from fakes.calls import ALICE
from fakes.door import FakeDoor
from fakes.engine_json import INSTANCE, inspected, own
from fakes.engine_link import FakeEngineLink

PARENT = "/ds01/no.group/alice"
LARGE, SMALL = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@dataclass
class Scene:
    """A build of somebody who may have images of 100 bytes."""

    engine: FakeEngineLink
    doors: FakeDoor
    watch: BuildWatch

    async def build(self, *told: str, seconds: float = 0.5) -> str:
        async def building() -> str:
            for text in told:
                self.watch.told({"stream": text})
            await asyncio.sleep(seconds)
            return "done"

        async with asyncio.timeout(20):
            return await self.watch.during(building())


@pytest.fixture(autouse=True)
def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(watch, "_PAUSE", 0.01)


def a_scene(*containers: dict[str, Any], largest: int | None = 100) -> Scene:
    engine = FakeEngineLink(list(containers))
    for image_id, size in ((LARGE, 101), (SMALL, 99)):
        marks = {"Labels": {IMAGE_OWNER: "alice"}}
        found = Answer(200, {"Id": image_id, "Size": size, "Config": marks, "RepoTags": []})
        for name in (image_id, image_id[7:19]):
            engine.answers[f"GET /images/{name}/json"] = found
    doors = FakeDoor(engine)
    doors.platform.disk_room = DiskRoom(lambda: "/", lambda _: 2**40)
    door = doors.door
    new = NewImages(door, OwnImages(door, Owned(engine, INSTANCE)))
    limit = SizeLimit(largest, "the defaults")
    return Scene(engine, doors, BuildWatch(door, new, ALICE, limit, PARENT))


def a_step(size: int, name: str = "odd_turing", parent: str = PARENT) -> dict[str, Any]:
    found = inspected(name, {}, HostConfig={"CgroupParent": parent})
    config = {**found["Config"], "Cmd": ["/bin/sh", "-c", "fallocate -l 500G /x"]}
    return {**found, "Config": config, "SizeRw": size, "SizeRootFs": size, "Image": "sha256:1"}


@pytest.mark.parametrize(
    "printed", ["", " ---> Running in 000000000000\n", "Step 9/9 : x\n", " ---> 000000000000\n"]
)
async def test_no_step_hides_behind_what_it_prints(printed: str) -> None:
    scene = a_scene(a_step(101))
    with pytest.raises(QuotaExceeded, match="RUN fallocate -l 500G /x"):
        await scene.build(f" ---> Running in {a_step(1)['Id'][:12]}\n", printed, seconds=10)


async def test_only_containers_of_the_build_count() -> None:
    mine = {**own("work", "alice"), "HostConfig": {"CgroupParent": PARENT}}
    large = {**mine, "SizeRw": 500, "SizeRootFs": 500, "Image": "sha256:1"}
    scene = a_scene(large, a_step(500, "sad_wu", "/ds01/no.group/bob"), a_step(99))
    assert await scene.build() == "done"
    others = f"/containers/{a_step(1, 'sad_wu')['Id']}/json"
    assert [each.path for each in scene.engine.asked].count(others) == 1


async def test_a_size_that_is_never_known_ends_the_build() -> None:
    scene = a_scene(a_step(-1))
    with pytest.raises(Unavailable, match="could not be found out 3 times in a row"):
        await scene.build(seconds=10)


async def test_one_that_is_not_known_now_and_then_does_not() -> None:
    step = a_step(-1)
    scene = a_scene(step)
    looks = iter(range(10**6))

    def size(name: str, rest: list[str]) -> Answer:
        del name, rest
        return Answer(200, {**step, "SizeRw": -1 if next(looks) % 4 == 1 else 1})

    scene.engine._about = size  # type: ignore[method-assign]
    assert await scene.build() == "done"
    assert next(looks) > 8


async def test_an_image_is_looked_at_though_others_follow() -> None:
    scene = a_scene()
    told = [f" ---> {LARGE[7:19]}\n", *(f" ---> {number:012x}\n" for number in range(40))]
    with pytest.raises(QuotaExceeded):
        await scene.build(*told, f" ---> {SMALL[7:19]}\n", seconds=10)
    assert f"DELETE /images/{LARGE}" in scene.engine.deeds()


async def test_very_much_that_is_printed_is_not_kept() -> None:
    scene = a_scene()
    await scene.build(*(f" ---> {number:012x}\n" for number in range(5000)))
    assert len([each for each in scene.engine.asked if "/images/" in each.path]) <= 64


async def test_without_a_limit_the_disk_alone_is_looked_at() -> None:
    scene = a_scene(a_step(10**12), largest=None)
    assert await scene.build(f" ---> {LARGE[7:19]}\n") == "done"
    assert not scene.engine.asked
    scene.doors.platform.disk_room = DiskRoom(lambda: "/", lambda _: 1)
    with pytest.raises(Unavailable, match="nearly full"):
        await scene.build(seconds=10)


def test_what_is_told_is_handed_on_as_it_is() -> None:
    scene = a_scene()
    for message in ({"stream": " ---> 0\n"}, {"aux": {"ID": "x"}}, {"stream": 1}):
        assert json.dumps(scene.watch.told(message)) == json.dumps(message)
