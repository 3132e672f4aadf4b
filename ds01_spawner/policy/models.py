"""The canonical shape of `resource-limits.yaml`.

A key that is not written is not in `model_fields_set`; the next layer decides it. A written
`null` is `None`: unlimited, or never.
"""

from types import MappingProxyType
from typing import Any

from pydantic import Field, model_validator

from ds01_spawner.domain.bare_metal import LONGEST
from ds01_spawner.domain.unmanaged import GRACE, Response
from ds01_spawner.policy.document import Section
from ds01_spawner.policy.values import (
    Amount,
    CheckpointSignal,
    Conflict,
    Count,
    Cpus,
    Duration,
    Flag,
    Memory,
    Name,
    Names,
    PositiveCount,
    Priority,
    Share,
    Size,
    Threshold,
    Timeout,
    ToUnmanaged,
)

UNSTATED: Any = None
"""What a field holds that the file does not say; `model_fields_set` tells the difference."""


class AggregateSection(Section):
    """All containers of one person together, enforced by the kernel."""

    key_hints = MappingProxyType(
        dict.fromkeys(
            ("gpu_limit", "gpus", "gpu", "max_gpu_slots"), "write max_gpu_slots beside aggregate"
        )
    )

    cpus: Cpus | None = Field(default=UNSTATED, description="CPUs")
    memory: Memory | None = Field(default=UNSTATED, description="Memory; above it the kernel kills")
    memory_high: Memory | None = Field(
        default=UNSTATED, description="Memory above which the kernel throttles"
    )
    pids: PositiveCount | None = Field(default=UNSTATED, description="Processes and threads")


class LifecycleSection(Section):
    """Timeouts."""

    idle_timeout: Timeout | None = Field(default=UNSTATED, description="Stop after this long idle")
    max_runtime: Timeout | None = Field(
        default=UNSTATED, description="Stop after this long in total"
    )
    gpu_hold_after_stop: Duration | None = Field(
        default=UNSTATED, description="A stopped container keeps its GPU this long"
    )
    container_hold_after_stop: Duration | None = Field(
        default=UNSTATED, description="A stopped container is removed after this long"
    )


class PoliciesSection(Section):
    """When a container counts as idle, and how it is stopped."""

    key_hints = MappingProxyType(
        dict.fromkeys(
            (*LifecycleSection.model_fields, "max_containers_per_user"),
            "write it under defaults, a group or a user, beside policies",
        )
    )

    gpu_idle_threshold: Share = Field(
        default=UNSTATED, description="Use of a GPU slot below this is idle"
    )
    cpu_idle_threshold: Share = Field(
        default=UNSTATED, description="CPU use below this share of one CPU is idle"
    )
    network_idle_threshold: Threshold = Field(
        default=UNSTATED, description="Network traffic below this many bytes a minute is idle"
    )
    idle_detection_window: PositiveCount = Field(
        default=UNSTATED, description="Idle checks in a row"
    )
    startup_grace: Duration = Field(
        default=UNSTATED, description="Never idle this soon after start"
    )
    sigterm_grace: Duration = Field(
        default=UNSTATED, description="Time to finish before being killed"
    )
    keep_alive_max: Duration | None = Field(
        default=UNSTATED,
        description="The idle stop is postponed at most this long; null: without end",
    )
    high_demand_threshold: Share = Field(
        default=UNSTATED, description="Share of GPUs in use that is high demand"
    )
    high_demand_idle_reduction: Share = Field(
        default=UNSTATED, description="Share that is taken off idle_timeout in high demand"
    )
    active_when_connected: Flag = Field(
        default=UNSTATED, description="A browser that is connected counts as work"
    )
    min_warning_lead: Duration = Field(
        default=UNSTATED, description="No stop comes sooner than this after its last warning"
    )
    checkpoint_signal: CheckpointSignal | None = Field(
        default=UNSTATED,
        description="Sent with the last warning to programs that handle it; null: none",
    )
    slot_conflict: Conflict = Field(
        default=UNSTATED, description="What happens to the later of two containers on one GPU slot"
    )
    start_on_connect: Flag = Field(
        default=UNSTATED, description="An SSH connection starts a container that is stopped"
    )


class ContainerTypesSection(Section):
    """Timeouts that replace a person's own for containers of one origin."""

    hub: LifecycleSection = LifecycleSection()
    cli: LifecycleSection = LifecycleSection()
    devcontainer: LifecycleSection = LifecycleSection()
    compose: LifecycleSection = LifecycleSection()
    docker: LifecycleSection = LifecycleSection()
    batch: LifecycleSection = LifecycleSection()
    api: LifecycleSection = LifecycleSection()
    unknown: LifecycleSection = LifecycleSection()


class LimitsSection(LifecycleSection):
    """Limits of one person; `null` is unlimited."""

    priority: Priority = Field(
        default=UNSTATED, description="Rank in the GPU queue; higher is served first"
    )
    max_gpu_slots: Count | None = Field(
        default=UNSTATED, description="GPU slots over all containers"
    )
    max_gpu_slots_per_container: Count | None = Field(
        default=UNSTATED, description="GPU slots of one container"
    )
    max_gpu_equivalents: Amount | None = Field(
        default=UNSTATED,
        description="Share ceiling; a whole GPU is 1.0, a MIG instance its compute share",
    )
    allow_full_gpu: Flag = Field(
        default=UNSTATED, description="May hold a whole GPU, not only MIG instances"
    )
    allow_image_user: Flag = Field(
        default=UNSTATED,
        description="Docker containers run as the image's user, root included, without folders "
        "of the host",
    )
    max_cpus: Cpus | None = Field(default=UNSTATED, description="CPUs of one container")
    memory: Memory | None = Field(default=UNSTATED, description="Memory of one container")
    memory_swap: Memory | None = Field(
        default=UNSTATED, description="Memory plus swap of one container"
    )
    shm_size: Size | None = Field(default=UNSTATED, description="Shared memory of one container")
    pids_limit: PositiveCount | None = Field(
        default=UNSTATED, description="Processes and threads of one container"
    )
    io_read_bps: Size | None = Field(
        default=UNSTATED, description="Bytes a second that one container reads from the data disk"
    )
    io_write_bps: Size | None = Field(
        default=UNSTATED, description="Bytes a second that one container writes to the data disk"
    )
    storage: Size | None = Field(default=UNSTATED, description="Bytes in home and workspace")
    max_image_size: Size | None = Field(
        default=UNSTATED, description="Bytes of one image that is built, committed or imported"
    )
    max_containers_per_user: Count | None = Field(
        default=UNSTATED, description="Containers running at once"
    )
    aggregate: AggregateSection | None = Field(
        default=AggregateSection(), description="All containers together; null lifts every bound"
    )
    policies: PoliciesSection = Field(
        default=PoliciesSection(), description="Idle detection and stopping"
    )
    container_types: ContainerTypesSection = Field(
        default=ContainerTypesSection(), description="Timeouts by origin"
    )

    @model_validator(mode="after")
    def _swap_holds_memory(self) -> "LimitsSection":
        both = {"memory", "memory_swap"} <= self.model_fields_set
        if both and self.memory_swap is not None:
            if self.memory is None:
                raise ValueError("memory_swap is a limit and memory is not; write null for both")
            if self.memory_swap < self.memory:
                raise ValueError(
                    "memory_swap is less than memory; it counts memory plus swap, so write at "
                    "least the same"
                )
        return self


class GroupSection(LimitsSection):
    """Limits of everybody in one group."""

    members: Names = Field(
        default=(), description="People in it; config/groups/NAME.members adds more"
    )


class UserSection(LimitsSection):
    """What differs for one person from their group."""

    key_hints = MappingProxyType(
        dict.fromkeys(("group", "groups"), "list the person under groups.<group>.members")
    )

    reason: str | None = Field(default=UNSTATED, description="Why; shown by ds01 policy explain")


class UnmanagedSection(Section):
    """What is done about work on GPUs that was started past the platform."""

    key_hints = MappingProxyType(
        {
            "cli": "what comes through the platform is under container_types",
            "hub": "what comes through the platform is under container_types",
            "unknown": "what is unknown is always reported",
        }
    )

    devcontainer: ToUnmanaged = Field(
        default=Response.REPORT, description="Dev containers (built in: report)"
    )
    compose: ToUnmanaged = Field(
        default=Response.REPORT, description="Compose projects (built in: report)"
    )
    aime: ToUnmanaged = Field(
        default=Response.REPORT, description="Containers of AIME's mlc (built in: report)"
    )
    docker: ToUnmanaged = Field(
        default=Response.REPORT, description="Other containers of the engine (built in: report)"
    )
    host: ToUnmanaged = Field(
        default=Response.REPORT,
        description="People's processes outside of containers (built in: report)",
    )
    grace: Duration = Field(
        default=GRACE, description="From the warning to the stop (built in: 30m)"
    )
    spare: Names = Field(
        default=(),
        description="Names of people, and of containers that are nobody's, that are left alone",
    )


class BareMetalSection(Section):
    """Who may be granted access to the GPUs outside of containers, and for how long."""

    max_duration: Timeout = Field(default=LONGEST, description="No grant is longer (built in: 24h)")
    groups: Names | None = Field(
        default=None,
        description="Whose members may be granted it (built in: null, everybody)",
    )


class PolicyFile(Section):
    """`resource-limits.yaml`: user, then group, then defaults decide each limit."""

    defaults: LimitsSection = Field(default=LimitsSection(), description="Limits of everybody")
    groups: dict[Name, GroupSection] = Field(default={}, description="Limits by group")
    users: dict[Name, UserSection] = Field(default={}, description="Exceptions for single people")
    default_group: Name | None = Field(
        default=UNSTATED,
        description="Group of people who are in none; without it defaults alone apply",
    )
    policies: PoliciesSection = Field(
        default=PoliciesSection(), description="The same as under defaults"
    )
    container_types: ContainerTypesSection = Field(
        default=ContainerTypesSection(), description="The same as under defaults"
    )
    unmanaged: UnmanagedSection = Field(
        default=UnmanagedSection(), description="Work on GPUs that was started past the platform"
    )
    bare_metal: BareMetalSection = Field(
        default=BareMetalSection(), description="Access to the GPUs outside of containers"
    )
