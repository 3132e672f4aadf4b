"""Images without a name are looked at before they get one."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import InvalidRequest, QuotaExceeded
from ds01_spawner.domain.labels import IMAGE_OWNER
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.create.admission import Granting
from ds01_spawner.gateway.docker.create.handler import Creating
from ds01_spawner.gateway.docker.images.images import Images
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.new_images import NewImages
from ds01_spawner.gateway.docker.images.rights import ImageRights
from ds01_spawner.gateway.docker.images.size_limit import SizeLimit
from ds01_spawner.gateway.docker.lookups import lookups_of
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.policy.images import parse_images
from fakes.calls import ALICE, FakeReply, a_call
from fakes.door import FakeDoor
from fakes.engine_json import INSTANCE
from fakes.engine_link import FakeEngineLink

CATALOGUE = parse_images(
    "{default: starter, images: {starter: {reference: 'ds01/starter:1', title: Starter}}}",
    "images.yaml",
)
ID = "sha256:" + "a" * 64


class Own(OwnImages):
    async def rights(self, caller: Caller) -> ImageRights:
        return ImageRights(caller.user, Limits(), CATALOGUE)


@pytest.fixture(autouse=True)
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hundred(_self: NewImages, _caller: Caller) -> SizeLimit:
        return SizeLimit(100, "the defaults")

    monkeypatch.setattr(NewImages, "limit", hundred)


def an_image(size: int, *names: str, **labels: str) -> dict[str, Any]:
    marks = {IMAGE_OWNER: "alice", **labels}
    return {"Id": ID, "RepoTags": list(names), "Size": size, "Config": {"Labels": marks}}


async def tagged(image: dict[str, Any], ref: str = ID) -> list[str]:
    path = f"GET /images/{ref}/json"
    engine = FakeEngineLink(
        [], {path: Answer(200, image), f"POST /images/{ID}/tag": Answer(201, None)}
    )
    door = FakeDoor(engine).door
    images = Images(door, Own(door, Owned(engine, INSTANCE)))
    await images.tag(a_call("POST", parts={"ref": ref}, repo="mine", tag="1"), FakeReply())
    return engine.deeds()


async def test_one_that_is_too_large_gets_no_name_later_either() -> None:
    with pytest.raises(QuotaExceeded, match="max_image_size"):
        await tagged(an_image(101))


async def test_nor_one_whose_labels_are_too_long() -> None:
    with pytest.raises(InvalidRequest, match="The labels of the image"):
        await tagged(an_image(1, much="x" * 40_000))


async def test_one_that_is_small_enough_gets_it() -> None:
    assert await tagged(an_image(100)) == [f"POST /images/{ID}/tag"]


async def test_what_has_a_name_or_is_shared_may_have_another() -> None:
    assert await tagged(an_image(101, "ds01-alice/old:1")) == [f"POST /images/{ID}/tag"]
    shared = an_image(101, "ds01/starter:1")
    assert await tagged(shared, "ds01/starter:1") == [f"POST /images/{ID}/tag"]


async def test_no_container_is_made_of_one_that_is_too_large() -> None:
    engine = FakeEngineLink([], {f"GET /images/{ID}/json": Answer(200, an_image(101))})
    admission = SimpleNamespace(limits=lambda *_: Limits())
    door = replace(
        FakeDoor(engine).door,
        platform=cast("Platform", SimpleNamespace(admission=admission, images=CATALOGUE)),
    )
    granting = cast("Granting", None)
    creating = Creating(door, lookups_of(door, INSTANCE), granting)
    with pytest.raises(QuotaExceeded, match="max_image_size"):
        await creating.look(ALICE, json.dumps({"Image": ID}).encode(), {})
