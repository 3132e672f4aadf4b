"""What every `PacketFilter` does, the fake and the real one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ds01_spawner.domain.fence import Fence, HostPort, Transport
from ds01_spawner.ports.isolation import PacketFilter

FENCE = Fence(
    tag="abc",
    prefix="ds01-abc",
    interfaces=("br-0123456789ab",),
    host_ports=(HostPort(8081), HostPort(53, Transport.UDP)),
    nameservers=("192.0.2.53",),
    blocked=("169.254.0.0/16",),
    allowed=("169.254.7.0/24",),
)
OTHER = replace(FENCE, tag="xyz", prefix="ds01-xyz", interfaces=(), internet=False)


class PacketFilterContract:
    """Inherit, and give the fixtures `packet_filter`, with no fence in it, and `flush`."""

    def test_nothing_is_in_force_at_first(self, packet_filter: PacketFilter) -> None:
        assert packet_filter.faults(FENCE)

    def test_a_fence_is_in_force_once_it_is_up(self, packet_filter: PacketFilter) -> None:
        packet_filter.put_up(FENCE)

        assert packet_filter.faults(FENCE) == ()

    def test_putting_it_up_again_changes_nothing(self, packet_filter: PacketFilter) -> None:
        packet_filter.put_up(FENCE)
        packet_filter.put_up(FENCE)

        assert packet_filter.faults(FENCE) == ()

    @pytest.mark.parametrize(
        "changed",
        [
            replace(FENCE, interfaces=()),
            replace(FENCE, host_ports=(HostPort(8081),)),
            replace(FENCE, host_ports=(HostPort(8082), HostPort(53, Transport.UDP))),
            replace(FENCE, nameservers=()),
            replace(FENCE, blocked=("10.0.0.0/8",)),
            replace(FENCE, allowed=()),
            replace(FENCE, internet=False),
        ],
        ids=["interfaces", "fewer-ports", "ports", "names", "blocked", "allowed", "internet"],
    )
    def test_a_changed_fence_takes_the_earlier_ones_place(
        self, packet_filter: PacketFilter, changed: Fence
    ) -> None:
        packet_filter.put_up(FENCE)
        assert packet_filter.faults(changed)

        packet_filter.put_up(changed)

        assert packet_filter.faults(changed) == ()
        assert packet_filter.faults(FENCE)

    def test_two_installations_do_not_touch_each_other(self, packet_filter: PacketFilter) -> None:
        packet_filter.put_up(FENCE)
        packet_filter.put_up(OTHER)
        assert packet_filter.faults(FENCE) == packet_filter.faults(OTHER) == ()

        packet_filter.take_down(FENCE.tag)

        assert packet_filter.faults(FENCE)
        assert packet_filter.faults(OTHER) == ()

    def test_what_another_program_removed_is_seen_and_put_up_again(
        self, packet_filter: PacketFilter, flush: Callable[[], None]
    ) -> None:
        packet_filter.put_up(FENCE)
        flush()
        assert packet_filter.faults(FENCE)

        packet_filter.put_up(FENCE)

        assert packet_filter.faults(FENCE) == ()

    def test_taking_down_what_is_not_there_does_nothing(self, packet_filter: PacketFilter) -> None:
        packet_filter.take_down("abc")
        packet_filter.put_up(FENCE)
        packet_filter.take_down("abc")
        packet_filter.take_down("abc")

        assert packet_filter.faults(FENCE)
