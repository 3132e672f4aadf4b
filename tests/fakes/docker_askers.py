"""Who asks through the Docker door in tests, and what they ask for."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ds01_spawner.domain.container import ContainerSpec, Mount
from ds01_spawner.domain.grant import Placement, Site, container_spec
from ds01_spawner.domain.limits import AggregateLimits, Limits
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.gateway.docker.create.spec import Found, dressed
from ds01_spawner.gateway.docker.options.container import AskedContainer, asked_container
from fakes.clock import EPOCH
from fakes.docker_bodies import DOCKER_CLI
from fakes.probe import small_lab

GIB = 1024**3
ALICE = UnixAccount(
    "alice", 1001, 1002, "/home/alice", groups=("alice", "gpu", "docker"), group_ids=(1002, 2000)
)
LIMITS = Limits(
    group="student",
    max_gpu_slots=2,
    max_gpu_slots_per_container=2,
    max_cpus=8,
    memory_bytes=32 * GIB,
    memory_swap_bytes=40 * GIB,
    shm_size_bytes=8 * GIB,
    pids_limit=4096,
    io_read_bps=500 * 1024**2,
    io_write_bps=200 * 1024**2,
    aggregate=AggregateLimits(cpus=16),
)
IMAGE_USER_LIMITS = replace(LIMITS, allow_image_user=True)
NOTICES = "/var/lib/ds01/notices/alice"
SLOTS = {slot.id: slot for slot in small_lab().slots}


def body(host: Mapping[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    """What the Docker CLI sends, with some of it changed."""
    changed = copy.deepcopy(DOCKER_CLI)
    changed.update(config)
    changed["HostConfig"].update(host or {})
    return changed


def asked(
    value: Mapping[str, Any], limits: Limits = LIMITS, query: Mapping[str, list[str]] | None = None
) -> AskedContainer:
    """What alice asks for with a body."""
    return asked_container(json.dumps(value).encode(), query or {"name": ["web"]}, ALICE, limits)


def granted(wanted: AskedContainer, limits: Limits = LIMITS, slots: int = 0) -> ContainerSpec:
    """What alice is granted, before anything that she asked for is on it."""
    request = LaunchRequest(
        user="alice",
        name=wanted.name or "chosen",
        interface=wanted.interface,
        image=wanted.image,
        gpu=GpuRequest.parse("mig", slots) if slots else GpuRequest(),
        project=wanted.project,
    )
    placement = Placement(
        account=ALICE,
        cgroup_parent="/ds01/student/alice",
        slots=tuple(SLOTS.values())[:slots],
        notices=NOTICES,
        granted_at=EPOCH,
    )
    return container_spec(request, limits, placement, Site("here", io_device="/dev/sda"))


def made(
    value: Mapping[str, Any],
    limits: Limits = LIMITS,
    found: Found | None = None,
    slots: int = 0,
    network: str = "",
) -> ContainerSpec:
    """The container that alice gets for a body."""
    wanted = asked(value, limits)
    mounts = (
        *(
            Mount("bind", f"/run/ds01/binds/key/{place}", bind.target, bind.read_only)
            for place, bind in enumerate(wanted.mounts.binds)
        ),
        *(
            Mount(
                "volume",
                f"{volume.name}._.alice" if volume.name else "",
                volume.target,
                volume.read_only,
                volume.no_copy,
                volume.labels,
            )
            for volume in wanted.mounts.volumes
        ),
    )
    found = found or Found(mounts, network)
    return dressed(granted(wanted, limits, slots), wanted, limits, ALICE, found)
