"""What keeps people apart beyond the engine: their bridges, and the kernel's packet filter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ds01_spawner.domain.fence import Fence


@dataclass(frozen=True, slots=True)
class Bridge:
    """One bridge network of the engine.

    Attributes:
        network: The engine's name of it.
        interface: Its network interface on the host.
        labels: Its labels.
        instances: Labels `ds01.instance` of the containers that join it, running or not.
    """

    network: str
    interface: str
    labels: Mapping[str, str]
    instances: frozenset[str] = frozenset()


class Bridges(Protocol):
    """The engine's bridge networks."""

    def bridges(self) -> tuple[Bridge, ...]:
        """Every one of them, the engine's own included."""
        ...


class HostAddresses(Protocol):
    """What the host's configuration says about its network."""

    def nameservers(self) -> tuple[str, ...]:
        """The IPv4 addresses that containers ask for names, loopback left out."""
        ...


class PacketFilter(Protocol):
    """The kernel's packet filter, as far as fences go."""

    def faults(self, fence: Fence) -> tuple[str, ...]:
        """What keeps `fence` from being in force, in sentences; empty when it is.

        Raises:
            Unavailable: The filter cannot be read.
        """
        ...

    def put_up(self, fence: Fence) -> None:
        """Put `fence` in force, in place of the same installation's earlier one.

        At no moment is there less than the earlier one.

        Raises:
            Unavailable: It could not be done; what was in force still is.
        """
        ...

    def take_down(self, tag: str) -> None:
        """Remove the fence of an installation; nothing happens without one.

        Raises:
            Unavailable: It could not be done.
        """
        ...
