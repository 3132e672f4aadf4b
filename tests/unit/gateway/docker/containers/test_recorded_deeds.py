"""What is done to containers and images beside their own verbs, as the log has it."""

from dataclasses import replace
from typing import Any, cast

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.docker.containers.archive import Archive
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.images.images import Images
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.rights import ImageRights
from ds01_spawner.gateway.docker.networks.lookup import OwnNetworks
from ds01_spawner.gateway.docker.networks.networks import Networks
from ds01_spawner.gateway.wire.call import Answer, Call
from ds01_spawner.policy.images import ImageCatalogue
from fakes.calls import FakeReply, a_call
from fakes.door import FakeDoor
from fakes.engine_json import INSTANCE, own
from fakes.engine_link import FakeEngineLink

WEB = own("web", "alice", status="exited")
SHOP = {"Name": "shop._.alice", "Id": "a" * 64, "Labels": labels.own_marks("alice", INSTANCE)}


class Lab:
    def __init__(self, **answers: Answer) -> None:
        self.engine = FakeEngineLink([WEB], {"GET /networks": Answer(200, [SHOP]), **answers})
        self.fake = FakeDoor(self.engine)
        self.owned = Owned(self.engine, INSTANCE)

    @property
    def told(self) -> list[tuple[str, str, dict[str, object]]]:
        return [
            (event.action, event.resource, dict(event.details))
            for event in self.fake.platform.log.events
        ]


@pytest.mark.parametrize("deed", ["connect", "disconnect"])
async def test_who_joins_and_leaves_a_network_is_in_the_log(deed: str) -> None:
    lab = Lab()
    door = lab.fake.door
    handlers = Networks(door, lab.owned, OwnNetworks(door, lab.owned)).handlers()
    call = a_call("POST", parts={"id": "shop"}, body={"Container": "web"})

    await handlers[f"POST /networks/{{id}}/{deed}"](call, FakeReply())

    ((action, resource, details),) = lab.told
    assert (action, resource, details["network"]) == (f"container.{deed}", "web._.alice", "shop")


@pytest.mark.parametrize(("method", "direction"), [("GET", "out"), ("PUT", "in")])
async def test_what_is_copied_is_in_the_log(method: str, direction: str) -> None:
    lab = Lab()
    handlers = Archive(lab.fake.door, lab.owned).handlers()
    call = replace(a_call(method, parts={"id": "web"}), query={"path": ["/data/x\x1b"]})

    await handlers[f"{method} /containers/{{id}}/archive"](call, FakeReply())

    ((action, resource, details),) = lab.told
    assert (action, resource) == ("container.copy", "web._.alice")
    assert (details["direction"], details["path"]) == (direction, "/data/x\ufffd")


async def test_a_look_at_what_could_be_copied_is_not() -> None:
    lab = Lab()
    call = replace(a_call("HEAD", parts={"id": "web"}), query={"path": ["/data"]})
    await Archive(lab.fake.door, lab.owned).stat(call, FakeReply())
    assert lab.told == []


class Tagged(OwnImages):
    """Has one image."""

    def __init__(self) -> None:
        pass

    async def rights(self, *_: Any) -> ImageRights:
        return ImageRights("alice", Limits(), cast("ImageCatalogue", None))

    async def image(self, *_: Any) -> tuple[str, dict[str, Any]]:
        return "python:3.12", {"Id": "sha256:1", "RepoTags": ["python:3.12"]}


async def test_a_further_name_of_an_image_is_in_the_log() -> None:
    lab = Lab()
    call: Call = a_call("POST", parts={"ref": "python:3.12"}, repo="tool", tag="1")

    await Images(lab.fake.door, Tagged()).tag(call, FakeReply())

    assert lab.told == [("image.tag", "tool:1", {"id": "sha256:1"})]
