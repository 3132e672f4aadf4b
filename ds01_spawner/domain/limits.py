"""What one person may use: every limit resolved to a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class AggregateLimits:
    """Bounds on all containers of one person together, enforced by the kernel.

    Attributes:
        cpus: CPUs; `None` is unlimited.
        memory_bytes: Hard memory bound.
        memory_high_bytes: Bound above which the kernel throttles and reclaims (cgroup v2 only).
        pids: Processes and threads.
    """

    cpus: float | None = None
    memory_bytes: int | None = None
    memory_high_bytes: int | None = None
    pids: int | None = None


class SlotConflict(StrEnum):
    """What happens to the later of two containers on one GPU slot."""

    REPORT = "report"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class LifecyclePolicy:
    """When a container counts as idle, and how it is stopped. Shares are 0 to 1.

    Attributes:
        gpu_idle_threshold: Utilisation of a slot below this is idle.
        cpu_idle_threshold: Share of one CPU below this is idle.
        network_idle_threshold_bytes: Bytes a minute below this are idle.
        idle_detection_window: Checks in a row that must find everything idle.
        startup_grace: A container that started more recently is never idle.
        sigterm_grace: Between SIGTERM and SIGKILL.
        keep_alive_max: How long an idle stop may be postponed; `None` is without end.
        high_demand_threshold: Share of the GPU capacity in use from which demand is high.
        high_demand_idle_reduction: Share that is taken off `idle_timeout` while it is.
        active_when_connected: A browser that is connected counts as work.
        min_warning_lead: No stop comes sooner than this after its last warning.
        checkpoint_signal: Sent with the last warning to processes that handle it, such as
            `SIGUSR1`.
        slot_conflict: What happens to the later of two containers on one GPU slot.
        start_on_connect: An SSH connection starts a container that is stopped.
    """

    gpu_idle_threshold: float = 0.05
    cpu_idle_threshold: float = 0.02
    network_idle_threshold_bytes: int = 1024**2
    idle_detection_window: int = 3
    startup_grace: timedelta = timedelta(minutes=30)
    sigterm_grace: timedelta = timedelta(seconds=60)
    keep_alive_max: timedelta | None = timedelta(hours=24)
    high_demand_threshold: float = 0.8
    high_demand_idle_reduction: float = 0.5
    active_when_connected: bool = False
    min_warning_lead: timedelta = timedelta(minutes=5)
    checkpoint_signal: str | None = None
    slot_conflict: SlotConflict = SlotConflict.REPORT
    start_on_connect: bool = True


@dataclass(frozen=True, slots=True)
class LifecycleOverride:
    """Timeouts that replace the person's own for containers of one origin.

    A key that is not in `given` is not overridden; a given `None` means never.
    """

    idle_timeout: timedelta | None = None
    max_runtime: timedelta | None = None
    gpu_hold_after_stop: timedelta | None = None
    container_hold_after_stop: timedelta | None = None
    given: frozenset[str] = frozenset()


def _built_in_overrides() -> dict[str, LifecycleOverride]:
    """A dev container lives as long as the editor's window: a week, idle or not."""
    given = frozenset({"idle_timeout", "max_runtime"})
    return {"devcontainer": LifecycleOverride(max_runtime=timedelta(hours=168), given=given)}


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one person. `None` is unlimited, or never for a duration.

    Attributes:
        group: The policy group that names the person's cgroup, or `None` for defaults alone.
        priority: Rank in the GPU queue, 0 to 100; higher is served first.
        max_gpu_slots: Slots held at once over all containers.
        max_gpu_slots_per_container: Slots of one container.
        max_gpu_equivalents: Share ceiling; a whole GPU is 1.0.
        allow_full_gpu: May hold a whole GPU, not only MIG instances.
        allow_image_user: Containers made with a Docker client run as the user that the image or
            the client names, root included; they get no folders of the host.
        max_cpus: CPUs of one container.
        memory_bytes: Memory of one container.
        memory_swap_bytes: Memory plus swap of one container, as Docker counts it.
        shm_size_bytes: `/dev/shm` of one container.
        pids_limit: Processes and threads of one container.
        io_read_bps: Bytes per second read from the data disk by one container.
        io_write_bps: Bytes per second written to the data disk by one container.
        storage_bytes: Bytes in home and workspace.
        max_image_size_bytes: One image that the person makes, with all that it stands on.
        max_containers_per_user: Containers running at once.
        idle_timeout: Stop after this long idle.
        max_runtime: Stop after this long in total.
        gpu_hold_after_stop: A stopped container keeps its GPU this long.
        container_hold_after_stop: A stopped container is removed after this long.
        aggregate: Bounds on all containers together.
        policies: Idle detection and stopping.
        container_types: Timeouts by origin (`hub`, `cli`, `docker`, …).
    """

    group: str | None = None
    priority: int = 50
    max_gpu_slots: int | None = 1
    max_gpu_slots_per_container: int | None = None
    max_gpu_equivalents: float | None = None
    allow_full_gpu: bool = False
    allow_image_user: bool = False
    max_cpus: float | None = 4.0
    memory_bytes: int | None = 16 * 1024**3
    memory_swap_bytes: int | None = 16 * 1024**3
    shm_size_bytes: int | None = 4 * 1024**3
    pids_limit: int | None = 4096
    io_read_bps: int | None = None
    io_write_bps: int | None = None
    storage_bytes: int | None = None
    max_image_size_bytes: int | None = 40 * 1024**3
    max_containers_per_user: int | None = 3
    idle_timeout: timedelta | None = timedelta(hours=2)
    max_runtime: timedelta | None = timedelta(hours=24)
    gpu_hold_after_stop: timedelta | None = timedelta(minutes=15)
    container_hold_after_stop: timedelta | None = timedelta(minutes=30)
    aggregate: AggregateLimits = AggregateLimits()
    policies: LifecyclePolicy = LifecyclePolicy()
    container_types: Mapping[str, LifecycleOverride] = field(default_factory=_built_in_overrides)


def least(*values: _Number | None) -> _Number | None:
    """The least of the values; `None` is no bound."""
    return min((each for each in values if each is not None), default=None)
