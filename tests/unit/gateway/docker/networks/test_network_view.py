from typing import Any

import pytest

from ds01_spawner.gateway.docker.networks.view import has_name, is_own, network_view

HERE = "here"
WEB: dict[str, Any] = {
    "Name": "web._.alice",
    "Id": "a" * 64,
    "Driver": "bridge",
    "Labels": {
        "a": "b",
        "ds01.managed": "true",
        "ds01.user": "alice",
        "ds01.instance": HERE,
        "ds01.name": "web",
    },
    "Options": {
        "com.docker.network.bridge.name": "ds01-abc1234567",
        "com.docker.network.driver.mtu": "1400",
    },
    "Containers": {
        "1": {"Name": "db._.alice", "IPv4Address": "10.201.0.2/27"},
        "2": {"Name": "spy._.bob", "IPv4Address": "10.201.0.3/27"},
    },
}


def test_the_owner_sees_what_they_said_and_their_own_containers() -> None:
    assert network_view(WEB, "alice") == {
        "Name": "web",
        "Id": "a" * 64,
        "Driver": "bridge",
        "Labels": {"a": "b"},
        "Options": {"com.docker.network.driver.mtu": "1400"},
        "Containers": {"1": {"Name": "db", "IPv4Address": "10.201.0.2/27"}},
    }


def test_nobody_sees_who_has_no_network() -> None:
    seen = network_view({"Name": "none", "Containers": {"1": {"Name": "x"}}}, "alice")

    assert seen["Containers"] == {}


@pytest.mark.parametrize(
    ("name", "marks", "own"),
    [
        ("web._.alice", {}, True),
        ("ds01-alice", {"ds01.user": "", "ds01.instance": ""}, True),
        ("web._.bob", {"ds01.user": "bob"}, False),
        ("web._.alice", {"ds01.user": "bob"}, False),
        ("web._.bob", {}, False),
        ("web._.alice", {"ds01.instance": "another"}, False),
        ("web._.alice", {"ds01.managed": ""}, False),
        ("ds01-bob", {}, False),
        ("bridge", {}, False),
    ],
)
def test_a_network_is_ones_own_by_name_and_labels(
    name: str, marks: dict[str, str], own: bool
) -> None:
    network = {**WEB, "Name": name, "Labels": {**WEB["Labels"], **marks}}

    assert is_own(network, "alice", HERE) is own


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([], True),
        (["shop"], True),
        (["^shop_default$"], True),
        (["^/shop"], True),
        (["default$"], True),
        (["^default"], False),
        (["other", "default"], True),
        (["(a+)+$"], False),
        (["^shop$"], False),
    ],
)
def test_names_are_filtered_without_running_expressions(patterns: list[str], found: bool) -> None:
    assert has_name("shop_default", patterns) is found
