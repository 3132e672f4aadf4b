"""`docker network connect`: the same rules as for a container that is made on the network."""

from typing import Any

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.networks.lookup import OwnNetworks
from ds01_spawner.gateway.docker.networks.networks import Networks
from ds01_spawner.gateway.wire.call import Answer
from fakes.calls import FakeReply, a_call
from fakes.door import FakeDoor
from fakes.engine_json import INSTANCE, own
from fakes.engine_link import FakeEngineLink

WEB = own("web", "alice")
DB = own("db", "alice")
SHOP = {
    "Name": "shop._.alice",
    "Id": "a" * 64,
    "Labels": labels.own_marks("alice", INSTANCE),
}
DEFAULT = {"Name": "ds01-alice", "Id": "b" * 64}


async def connected(network: str, **settings: Any) -> Any:
    link = FakeEngineLink(
        [WEB, DB],
        {
            "GET /networks": Answer(200, [SHOP]),
            "GET /networks/ds01-alice": Answer(200, DEFAULT),
        },
    )
    owned, door = Owned(link, INSTANCE), FakeDoor(link).door
    handlers = Networks(door, owned, OwnNetworks(door, owned)).handlers()
    body = {"Container": "web", "EndpointConfig": settings}
    call = a_call("POST", parts={"id": network}, body=body)
    await handlers["POST /networks/{id}/connect"](call, FakeReply())
    return link.asked[-1]


async def test_others_find_it_by_its_owners_name_and_links_lead_to_ids() -> None:
    asked = await connected(
        "shop", Aliases=["www"], Links=["db:data"], IPAMConfig={"IPv4Address": "10.201.0.5"}
    )

    assert asked.path == f"/networks/{SHOP['Id']}/connect"
    assert asked.body == {
        "Container": WEB["Id"],
        "EndpointConfig": {
            "Aliases": ["web", "www"],
            "IPAMConfig": {"IPv4Address": "10.201.0.5"},
            "Links": [f"{DB['Id'][:12]}:data"],
        },
    }


@pytest.mark.parametrize("network", ["bridge", "ds01-alice"])
async def test_on_the_network_that_everybody_has_no_address_is_chosen(network: str) -> None:
    with pytest.raises(Forbidden, match="on a network of your own only"):
        await connected(network, IPAMConfig={"IPv4Address": "10.201.0.5"})


async def test_no_other_machines_place_is_taken() -> None:
    with pytest.raises(Forbidden, match="mac-address"):
        await connected("shop", MacAddress="02:42:ac:11:00:02")
