from collections.abc import Callable

import pytest

from contracts.packet_filter import PacketFilterContract
from fakes.packet_filter import FakePacketFilter


class TestFakePacketFilter(PacketFilterContract):
    @pytest.fixture
    def packet_filter(self) -> FakePacketFilter:
        return FakePacketFilter()

    @pytest.fixture
    def flush(self, packet_filter: FakePacketFilter) -> Callable[[], None]:
        return packet_filter.flush
