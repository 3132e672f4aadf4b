from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.adapters.docker_engine.subnets import (
    choose_subnet,
    routed_subnets,
    subnets_of,
)
from ds01_spawner.domain.errors import Unavailable

POOL = IPv4Network("10.201.0.0/24")
ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
)


def test_the_same_name_gets_the_same_subnet() -> None:
    assert choose_subnet("ds01-alice", POOL, 27, ()) == choose_subnet("ds01-alice", POOL, 27, ())


@given(st.lists(st.text(min_size=1, max_size=20), min_size=8, max_size=8))
def test_no_two_networks_overlap_and_all_are_used(names: list[str]) -> None:
    taken: list[IPv4Network] = []
    for name in names:
        taken.append(choose_subnet(name, POOL, 27, taken))

    assert sorted(taken) == list(POOL.subnets(new_prefix=27))
    with pytest.raises(Unavailable, match=r"All 8 networks of 10\.201\.0\.0/24 are in use"):
        choose_subnet("one more", POOL, 27, taken)


def test_a_wider_route_of_the_host_takes_all_it_covers() -> None:
    with pytest.raises(Unavailable):
        choose_subnet("ds01-alice", POOL, 27, [IPv4Network("10.0.0.0/8")])


def test_networks_of_the_engine_are_read() -> None:
    networks: list[dict[str, object]] = [
        {"Name": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}},
        {"Name": "none", "IPAM": {"Config": []}},
        {"Name": "host", "IPAM": {"Config": None}},
        {"Name": "six", "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}},
    ]

    assert subnets_of(networks) == [IPv4Network("172.17.0.0/16")]


def test_routes_of_the_host_are_read_without_the_default() -> None:
    assert routed_subnets(ROUTES) == [IPv4Network("172.17.0.0/16")]
