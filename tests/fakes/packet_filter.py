"""A packet filter in memory, and an engine's bridges."""

from dataclasses import dataclass, field

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.fence import Fence
from ds01_spawner.ports.isolation import Bridge


@dataclass
class FakePacketFilter:
    """The `PacketFilter` port.

    Attributes:
        fences: What is in force, by tag.
        stuck: When set, every call raises `Unavailable`.
        calls: What was done to it.
    """

    fences: dict[str, Fence] = field(default_factory=dict)
    stuck: bool = False
    calls: list[str] = field(default_factory=list)

    def faults(self, fence: Fence) -> tuple[str, ...]:
        self._enter("faults")
        return () if self.fences.get(fence.tag) == fence else ("The rules are missing.",)

    def put_up(self, fence: Fence) -> None:
        self._enter("put_up")
        self.fences[fence.tag] = fence

    def take_down(self, tag: str) -> None:
        self._enter("take_down")
        self.fences.pop(tag, None)

    def flush(self) -> None:
        """Another program empties the tables."""
        self.fences.clear()

    def _enter(self, call: str) -> None:
        self.calls.append(call)
        if self.stuck:
            raise Unavailable("iptables-save failed.")


@dataclass
class FakeBridges:
    """The `Bridges` port."""

    found: tuple[Bridge, ...] = ()
    stuck: bool = False

    def bridges(self) -> tuple[Bridge, ...]:
        if self.stuck:
            raise Unavailable("The container engine did not answer.")
        return self.found


@dataclass
class FakeHostAddresses:
    """The `HostAddresses` port."""

    servers: tuple[str, ...] = ("192.0.2.53",)

    def nameservers(self) -> tuple[str, ...]:
        return self.servers
