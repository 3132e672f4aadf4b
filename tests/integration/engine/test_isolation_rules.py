from collections.abc import Callable, Iterator
from functools import partial

import pytest

from contracts.packet_filter import FENCE, OTHER, PacketFilterContract
from ds01_spawner.adapters.isolation import IptablesFilter
from ds01_spawner.domain.errors import Unavailable
from integration.network_namespace import Namespace, namespace

DOCKERS = """*filter
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
"""


@pytest.fixture
def lab() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@pytest.fixture
def packet_filter(lab: Namespace) -> IptablesFilter:
    return IptablesFilter(lab.within, ipv6=True)


def chain(lab: Namespace, name: str, program: str = "iptables") -> list[str]:
    return lab.run(program, "-S", name).splitlines()


def _flush(lab: Namespace) -> None:
    lab.run("iptables", "-F")


class TestIptables(PacketFilterContract):
    @pytest.fixture
    def flush(self, lab: Namespace) -> Callable[[], None]:
        return partial(_flush, lab)


class TestIptablesBesideDocker(PacketFilterContract):
    @pytest.fixture
    def packet_filter(self, lab: Namespace) -> IptablesFilter:
        lab.run("iptables-restore", "--noflush", given=DOCKERS)
        return IptablesFilter(lab.within, ipv6=True)

    @pytest.fixture
    def flush(self, lab: Namespace) -> Callable[[], None]:
        return partial(_flush, lab)


def test_the_engines_chain_is_used_where_it_comes_first(
    lab: Namespace, packet_filter: IptablesFilter
) -> None:
    lab.run("iptables-restore", "--noflush", given=DOCKERS)

    packet_filter.put_up(FENCE)

    assert chain(lab, "DOCKER-USER")[1:] == [
        "-A DOCKER-USER -j DS01-FORWARD-abc",
        "-A DOCKER-USER -j RETURN",
    ]
    assert chain(lab, "FORWARD")[1] == "-A FORWARD -j DOCKER-USER"
    assert chain(lab, "INPUT")[1:] == ["-A INPUT -j DS01-INPUT-abc"]
    assert chain(lab, "FORWARD", "ip6tables")[1:] == ["-A FORWARD -j DS01-FORWARD-abc"]


def test_where_something_is_before_the_engines_chain_ours_is_before_that(
    lab: Namespace, packet_filter: IptablesFilter
) -> None:
    lab.run("iptables-restore", "--noflush", given=DOCKERS)
    packet_filter.put_up(FENCE)
    lab.run("iptables", "-I", "FORWARD", "-i", "virbr0", "-j", "ACCEPT")
    lab.run("iptables", "-I", "INPUT", "-i", "lo", "-j", "ACCEPT")
    assert packet_filter.faults(FENCE) == (
        "FORWARD (IPv4) does not begin with the jump to DS01-FORWARD-abc.",
        "INPUT (IPv4) does not begin with the jump to DS01-INPUT-abc.",
    )

    packet_filter.put_up(FENCE)

    assert chain(lab, "FORWARD")[1] == "-A FORWARD -j DS01-FORWARD-abc"
    assert chain(lab, "INPUT")[1] == "-A INPUT -j DS01-INPUT-abc"
    assert sum("DS01-FORWARD-abc" in rule for rule in chain(lab, "DOCKER-USER")) == 0

    lab.run("iptables", "-D", "FORWARD", "-i", "virbr0", "-j", "ACCEPT")
    packet_filter.put_up(FENCE)
    assert chain(lab, "DOCKER-USER")[1] == "-A DOCKER-USER -j DS01-FORWARD-abc"
    assert packet_filter.faults(FENCE) == ()


def test_what_stays_in_a_bridge_needs_a_rule_only_where_the_kernel_shows_it(
    lab: Namespace,
) -> None:
    shown, hidden = (IptablesFilter(lab.within, ipv6=True, bridged=each) for each in (True, False))
    hidden.put_up(FENCE)
    assert not any("physdev" in rule for rule in chain(lab, "DS01-OUT-abc"))
    assert shown.faults(FENCE)

    shown.put_up(FENCE)

    assert chain(lab, "DS01-OUT-abc")[1] == (
        "-A DS01-OUT-abc -m physdev --physdev-is-bridged -j RETURN"
    )
    assert hidden.faults(FENCE)


def test_a_rule_that_somebody_deleted_is_missed(
    lab: Namespace, packet_filter: IptablesFilter
) -> None:
    packet_filter.put_up(FENCE)
    lab.run("iptables", "-D", "DS01-OUT-abc", "1")
    lab.run("ip6tables", "-F", "DS01-HOST-abc")

    assert packet_filter.faults(FENCE) == (
        "The chain DS01-OUT-abc (IPv4) holds other rules.",
        "The chain DS01-HOST-abc (IPv6) holds other rules.",
    )


def test_nothing_is_left_of_a_fence_that_was_taken_down(
    lab: Namespace, packet_filter: IptablesFilter
) -> None:
    lab.run("iptables-restore", "--noflush", given=DOCKERS)
    before = lab.run("iptables", "-S"), lab.run("ip6tables", "-S")
    packet_filter.put_up(FENCE)
    packet_filter.put_up(OTHER)

    packet_filter.take_down("abc")
    packet_filter.take_down("xyz")

    assert (lab.run("iptables", "-S"), lab.run("ip6tables", "-S")) == before


def test_a_fence_that_the_kernel_refuses_leaves_the_earlier_one(
    lab: Namespace, packet_filter: IptablesFilter
) -> None:
    packet_filter.put_up(FENCE)
    before = lab.run("iptables-save", "-t", "filter").splitlines()[1:-1]
    broken = FENCE.__class__(tag="abc", prefix="ds01-abc", blocked=("not a range",))

    with pytest.raises(Unavailable, match="iptables-restore failed"):
        packet_filter.put_up(broken)

    assert lab.run("iptables-save", "-t", "filter").splitlines()[1:-1] == before


def test_a_filter_that_cannot_be_read_is_said() -> None:
    with pytest.raises(Unavailable, match="iptables-save failed"):
        IptablesFilter(("ip", "netns", "exec", "no-such-namespace")).faults(FENCE)
