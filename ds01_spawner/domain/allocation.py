"""The facts that allocation decides on: reservations, tickets, usage intervals."""

from dataclasses import dataclass
from datetime import datetime

from ds01_spawner.domain.request import GpuRequest

BUILD = ".build"
"""What stands for a person's build among reservations. No container's name begins so; it keeps the
person's cgroup, and counts for nothing else."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Slots (or only a place among a person's containers) promised to a launch for seconds.

    It stands for a container between the decision and the moment the engine shows it.

    Attributes:
        id: Opaque.
        user: Whom it is for.
        container_name: Engine name of the container to be.
        gpu_uuids: Devices promised; empty for a launch without a GPU.
        gpu_equivalents: Their sum.
        created_at: When it was decided.
        expires_at: After this it counts for nothing.
    """

    id: str
    user: str
    container_name: str
    gpu_uuids: tuple[str, ...]
    gpu_equivalents: float
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in the GPU queue.

    Attributes:
        id: Opaque.
        user: Who waits.
        container_name: Engine name of the container to be.
        gpu: What for.
        priority: The person's rank, 0 to 100; higher first.
        created_at: Arrival.
        seen_at: When the waiting process last said that it still waits.
        overtaken: How many others were given slots that would have suited it while it waited.
        groups: The person's Unix and JupyterHub groups, from which limits follow.
    """

    id: str
    user: str
    container_name: str
    gpu: GpuRequest
    priority: int
    created_at: datetime
    seen_at: datetime
    overtaken: int = 0
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UsageInterval:
    """Somebody held a slot from one moment to another.

    Attributes:
        container_id: Engine id of the container that held it.
        gpu_uuid: The slot's device.
        user: Who.
        gpu_equivalents: Share of a whole GPU.
        started_at: Begin.
        ended_at: End, or `None` while it lasts.
        group: Policy group; empty where nobody said, as in what follows.
        project: Project.
        interface: The door.
        container_name: Engine name of the container when last seen.
        slot_id: The slot as people call it.
        profile: `full`, or a MIG profile name.
        seen_at: When it was last looked at; `None` before the first look.
        begin_told: Whether the log told of the begin: another start is then another interval.
        end_known: Whether the end was told by the engine or the log, not guessed.
        folded_until: Up to here it is in the hours already, and counts no more; `None` for nothing.
        seen_microseconds: How long somebody looked; what is held and not seen is a gap.
        measured_microseconds: Of that, how long the driver told how busy the slot was.
        busy_microseconds: Of that, how long it computed.
        metered_microseconds: How long its energy was told.
        energy_millijoules: How much that was.
    """

    container_id: str
    gpu_uuid: str
    user: str
    gpu_equivalents: float
    started_at: datetime
    ended_at: datetime | None = None
    group: str = ""
    project: str = ""
    interface: str = ""
    container_name: str = ""
    slot_id: str = ""
    profile: str = ""
    seen_at: datetime | None = None
    begin_told: bool = False
    end_known: bool = True
    folded_until: datetime | None = None
    seen_microseconds: int = 0
    measured_microseconds: int = 0
    busy_microseconds: int = 0
    metered_microseconds: int = 0
    energy_millijoules: int = 0
