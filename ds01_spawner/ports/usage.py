"""What running containers use at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ds01_spawner.domain.container import Container


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    """What the kernel counted; `None` where it did not tell.

    Attributes:
        cpu_seconds: CPU time since its start.
        memory_bytes: In use, without what the kernel can take back at once, as `docker stats` says.
        memory_limit_bytes: `None` also without one.
        pids: Processes and threads.
        rx_bytes: Received on all its networks.
        tx_bytes: Sent on them.
        ssh_sessions: SSH servers that serve a connection in it.
    """

    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    pids: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    ssh_sessions: int | None = None


class UsageProbe(Protocol):
    """Counters of containers."""

    def usage(self, containers: Sequence[Container]) -> Mapping[str, ContainerUsage]:
        """What each that runs uses, by id; one that is gone is left out."""
        ...

    def work(self, containers: Sequence[Container]) -> Mapping[str, ContainerUsage]:
        """CPU time and memory of each that runs, by id; the rest is not looked at.

        The engine is not asked for any of them: one whose cgroup is elsewhere is left out.
        """
        ...

    def ssh_sessions(self, containers: Sequence[Container]) -> Mapping[str, int]:
        """Connections by SSH into each that runs, by id; of which it cannot be told is left out."""
        ...
