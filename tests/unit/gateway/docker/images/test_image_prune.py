import json
from typing import Any

from ds01_spawner.domain.labels import IMAGE_OWNER
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.removal import ImageRemoval
from ds01_spawner.gateway.docker.images.rights import ImageRights
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.policy.images import parse_images
from fakes.calls import FakeReply, a_call
from fakes.door import FakeDoor
from fakes.engine_json import INSTANCE
from fakes.engine_link import Asked, FakeEngineLink

CATALOGUE = parse_images(
    "{default: starter, images: {starter: {reference: ds01/starter, title: Starter}}}",
    "images.yaml",
)
OLD = {"Id": "sha256:" + "a" * 64, "RepoTags": None, "Labels": {IMAGE_OWNER: "alice"}, "Size": 7}


class Images(OwnImages):
    """Without a policy to read."""

    async def rights(self, caller: Caller) -> ImageRights:
        return ImageRights(caller.user, Limits(), CATALOGUE)


async def pruned(*listed: dict[str, Any], filters: str = "") -> tuple[FakeReply, list[Asked]]:
    engine = FakeEngineLink([], {"GET /images/json": Answer(200, list(listed))})
    door = FakeDoor(engine).door
    owned = Owned(engine, INSTANCE)
    reply = FakeReply()
    await ImageRemoval(door, Images(door, owned), owned).prune(
        a_call("POST", filters=filters), reply
    )
    return reply, engine.asked


async def test_who_has_nothing_to_prune_asks_for_nobody_elses() -> None:
    reply, asked = await pruned()
    assert reply.value == {"ImagesDeleted": None, "SpaceReclaimed": 0}
    (only,) = asked
    assert json.loads(only.query["filters"][0]) == {
        "dangling": ["true"],
        "label": [f"{IMAGE_OWNER}=alice"],
    }


async def test_what_nobody_calls_anything_goes() -> None:
    _, asked = await pruned(OLD)
    assert [each.path for each in asked if each.method == "DELETE"] == [f"/images/{OLD['Id']}"]


async def test_with_a_filter_the_others_stay() -> None:
    _, asked = await pruned(OLD, filters='{"label": ["keep=no"]}')
    assert not [each for each in asked if each.method == "DELETE"]
