import json
from ipaddress import IPv4Network
from typing import Any

import pytest

from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest
from ds01_spawner.gateway.docker.networks.wish import (
    NetworkWish,
    network_payload,
    parse_network,
)
from ds01_spawner.gateway.docker.options.network import (
    AskedEndpoint,
    AskedLink,
    asked_endpoint,
    endpoint_settings,
)
from ds01_spawner.gateway.docker.reading.go_json import Fields

POOL = IPv4Network("10.201.0.0/16")
CLI = {
    "Name": "web",
    "CheckDuplicate": True,
    "Driver": "bridge",
    "Scope": "",
    "EnableIPv6": False,
    "IPAM": {"Driver": "default", "Options": {}, "Config": []},
    "Internal": False,
    "Attachable": False,
    "Ingress": False,
    "ConfigOnly": False,
    "ConfigFrom": None,
    "Options": {},
    "Labels": {},
}
COMPOSE_V1 = {
    "Name": "shop_default",
    "Driver": None,
    "Options": None,
    "IPAM": None,
    "CheckDuplicate": True,
    "Attachable": True,
    "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.network": "default"},
}


def parsed(**said: Any) -> NetworkWish:
    body = {"Name": "web", **said}
    return parse_network(Fields.of(json.dumps(body).encode()), "alice", POOL, 27)


@pytest.mark.parametrize("body", [CLI, COMPOSE_V1], ids=["docker-28", "compose-1"])
def test_what_clients_send_is_understood(body: dict[str, Any]) -> None:
    wish = parse_network(Fields.of(json.dumps(body).encode()), "alice", POOL, 27)

    assert wish.name == body["Name"]
    assert wish.labels == body["Labels"]
    assert wish.subnet is None


def test_the_engine_is_told_nothing_but_what_is_allowed() -> None:
    wish = parsed(
        Internal=True,
        Options={"com.docker.network.driver.mtu": "1400"},
        Labels={"a": "b", "ds01.user": "bob", "ds01.managed": "false"},
        IPAM={"Config": [{"Subnet": "10.201.7.32/27", "Gateway": "10.201.7.40"}]},
    )

    payload = network_payload(
        wish, "alice", "here", IPv4Network("10.201.7.32/27"), {"bridge": "ds01-abc"}
    )

    assert payload == {
        "Name": "web._.alice",
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": True,
        "Attachable": False,
        "EnableIPv6": False,
        "IPAM": {
            "Driver": "default",
            "Config": [{"Subnet": "10.201.7.32/27", "Gateway": "10.201.7.40"}],
        },
        "Options": {"com.docker.network.driver.mtu": "1400", "bridge": "ds01-abc"},
        "Labels": {
            "a": "b",
            "ds01.managed": "true",
            "ds01.user": "alice",
            "ds01.instance": "here",
            "ds01.name": "web",
        },
    }


@pytest.mark.parametrize(
    "said",
    [
        {"Driver": "macvlan"},
        {"driver": "ipvlan"},
        {"Driver": "overlay"},
        {"Driver": "host"},
        {"Scope": "swarm"},
        {"EnableIPv6": True},
        {"Ingress": True},
        {"ConfigOnly": True},
        {"ConfigFrom": {"Network": "other"}},
        {"IPAM": {"Driver": "dhcp"}},
        {"IPAM": {"Options": {"a": "b"}}},
        {"IPAM": {"Config": [{"Subnet": "192.168.1.0/24"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.201.0.0/16"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.201.0.0/31"}]}},
        {"IPAM": {"Config": [{"Subnet": "fd00::/64"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.201.1.0/27"}, {"Subnet": "10.201.2.0/27"}]}},
        {"Options": {"com.docker.network.bridge.name": "eth0"}},
        {"Options": {"com.docker.network.bridge.name": "ds01-abc1234567"}},
        {"Options": {"com.docker.network.bridge.host_binding_ipv4": "0.0.0.0"}},
        {"Options": {"com.docker.network.bridge.gateway_mode_ipv4": "routed"}},
        {"Options": {"com.docker.network.bridge.trusted_host_interfaces": "eth0"}},
        {"Options": {"com.docker.network.bridge.enable_ip_masquerade": "false"}},
        {"Options": {"com.docker.network.driver.mtu": "1"}},
        {"Options": {"parent": "eth0"}},
    ],
    ids=str,
)
def test_what_reaches_past_the_fence_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        parsed(**said)


@pytest.mark.parametrize(
    "said",
    [
        {"IPAM": {"Config": [{"Subnet": "nonsense"}]}},
        {"IPAM": {"Config": [{"Gateway": "10.201.1.1"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.201.1.0/27", "Gateway": "10.202.0.1"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.201.1.0/27", "IPRange": "10.201.0.0/24"}]}},
        {"Name": ""},
        {"Name": "web._.bob"},
        {"name": "other"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        parsed(**said)


@pytest.mark.parametrize("name", ["bridge", "host", "none", "default"])
def test_the_engines_own_names_are_taken(name: str) -> None:
    with pytest.raises(Forbidden, match=f"predefined {name} network"):
        parsed(Name=name)


def test_the_name_of_the_network_that_everybody_has_is_taken() -> None:
    with pytest.raises(Conflict, match="network with name ds01-alice already exists"):
        parsed(Name="ds01-alice")


def test_an_endpoint_is_names_and_an_address() -> None:
    fields = Fields(
        {
            "Aliases": ["db", "db"],
            "Links": ["web:www"],
            "IPAMConfig": {"IPv4Address": "10.201.0.5"},
            "EndpointID": "old",
            "MacAddress": "",
        }
    )

    endpoint = asked_endpoint(fields, "shop")

    links = (AskedLink("web", "www"),)
    assert endpoint == AskedEndpoint("shop", ("db", "db"), "10.201.0.5", links)
    assert endpoint_settings(endpoint, "shop_db_1", (f"{'a' * 64}:www",)) == {
        "Aliases": ["shop_db_1", "db"],
        "IPAMConfig": {"IPv4Address": "10.201.0.5"},
        "Links": [f"{'a' * 12}:www"],
    }


@pytest.mark.parametrize(
    "said",
    [
        {"MacAddress": "02:42:ac:11:00:02"},
        {"DriverOpts": {"a": "b"}},
        {"IPAMConfig": {"LinkLocalIPs": ["169.254.169.254"]}},
        {"IPAMConfig": {"IPv6Address": "fd00::1"}},
    ],
    ids=str,
)
def test_an_endpoint_cannot_be_more(said: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        asked_endpoint(Fields(said), "shop")
