"""What the kernel says about the cgroup of one person."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ds01_spawner.domain.limits import AggregateLimits


@dataclass(frozen=True, slots=True)
class AggregateUsage:
    """What the kernel accounts to one person.

    Attributes:
        limits: Bounds that the kernel has in force, read back.
        memory_bytes: Memory in use, or `None` where it cannot be read.
        pids: Tasks, or `None`.
        oom_kills: Processes killed for memory since the cgroup exists, or `None` where the kernel
            does not add them up (cgroup v1).
    """

    limits: AggregateLimits
    memory_bytes: int | None
    pids: int | None
    oom_kills: int | None


@dataclass(frozen=True, slots=True)
class BoundChange:
    """One bound that was not as wanted and is now.

    Attributes:
        name: `cpus`, `memory`, `memory_high`, `swap` or `pids`.
        before: The value found, `None` for unlimited.
        after: The value now in force, `None` for unlimited.
    """

    name: str
    before: float | None
    after: float | None


class OomBound(StrEnum):
    """Whose memory was full when the kernel killed a process."""

    AGGREGATE = "aggregate"
    CONTAINER = "container"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class OomKill:
    """A process in a person's cgroup that the kernel killed for memory.

    Attributes:
        group: Group slug.
        user: User slug.
        bound: Which bound was reached.
        container_id: Engine id of the container it ran in, or `None` where it cannot be told.
        process: Its command name, or `None`.
        pid: Its host process id, or `None`.
        used_bytes: Memory in use below that bound at that moment, or `None`.
        limit_bytes: The bound at that moment, or `None`.
    """

    group: str
    user: str
    bound: OomBound
    container_id: str | None = None
    process: str | None = None
    pid: int | None = None
    used_bytes: int | None = None
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class OomMark:
    """How far the kills have been read.

    Attributes:
        boot_id: The boot that the figures belong to.
        log_sequence: Last record of the kernel log that was read; `None` where it cannot be read.
        kills: (bound reached, processes killed) by (group slug, user slug), where the kernel
            counts them.
    """

    boot_id: str
    log_sequence: int | None
    kills: Mapping[tuple[str, str], tuple[int, int]]
