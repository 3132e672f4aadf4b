"""From limits and slots to the full description of a container. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ds01_spawner.domain import names
from ds01_spawner.domain.container import ContainerSpec, Mount
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.labels import ContainerLabels
from ds01_spawner.domain.limits import Limits, least
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.request import LaunchRequest

IMAGE_USER = "1000:1000"
"""Who runs inside for people without a Unix account: never root, whatever the image says."""

IMAGE_HOME = "/home/jovyan"
NOTICES = "/run/ds01"
"""Where a container finds what its owner is told (docs/notices.md)."""

GPU_VARIABLE = "NVIDIA_VISIBLE_DEVICES"
NO_GPU = "void"
"""Keeps NVIDIA's runtime from giving an image that asks for all GPUs any of them.

https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
"""


@dataclass(frozen=True, slots=True)
class Site:
    """What a container's description takes from the installation, not from the person.

    Attributes:
        instance: Id of this installation.
        is_main: Whether it is the machine's own: containers from before there were such ids, and
            those of the older `aime.mlc`, are its to decide about, and no other's.
        io_device: Block device that I/O limits are for, or `None`.
        use_device_requests: Whether the engine hands out GPUs; otherwise by environment alone.
    """

    instance: str
    is_main: bool = False
    io_device: str | None = None
    use_device_requests: bool = True


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the person's container goes.

    Attributes:
        account: Their Unix account, or `None` for somebody the hub alone knows.
        cgroup_parent: Their cgroup, in the engine's form.
        slots: Slots granted.
        simulated: Whether the slots are simulated.
        notices: Host folder with what the person is told, or `None` without one.
        granted_at: When.
    """

    account: UnixAccount | None
    cgroup_parent: str
    slots: tuple[Slot, ...] = ()
    simulated: bool = False
    notices: str | None = None
    granted_at: datetime = field(kw_only=True)


def container_spec(
    request: LaunchRequest, limits: Limits, placement: Placement, site: Site
) -> ContainerSpec:
    """The container that a granted request makes: limits, labels, devices, mounts, security."""
    account = placement.account
    uuids = tuple(slot.uuid for slot in placement.slots)
    return ContainerSpec(
        name=names.container_name(request.name, request.user),
        image=request.image,
        labels=_labels(request, limits, placement, site).to_labels(),
        cgroup_parent=placement.cgroup_parent,
        network=names.network_name(request.user),
        user=f"{account.uid}:{account.gid}" if account else IMAGE_USER,
        group_add=groups_of(account) if account else (),
        cpus=least(limits.max_cpus, limits.aggregate.cpus),
        memory_bytes=limits.memory_bytes,
        memory_swap_bytes=_memory_swap(limits),
        shm_size_bytes=limits.shm_size_bytes,
        pids_limit=limits.pids_limit,
        io_device=site.io_device,
        io_read_bps=limits.io_read_bps,
        io_write_bps=limits.io_write_bps,
        gpu_uuids=uuids,
        use_device_requests=site.use_device_requests,
        environment=_environment(request, placement),
        working_dir=account.home if account else IMAGE_HOME,
        hostname=request.name,
        mounts=(_home(request.user, account), *_notices(placement)),
    )


def with_door(
    spec: ContainerSpec,
    *,
    command: tuple[str, ...] | None = None,
    environment: Mapping[str, str] | None = None,
    ports: tuple[int, ...] = (),
) -> ContainerSpec:
    """`spec` with what a door adds; what the platform set in the environment wins."""
    merged = {**(environment or {}), **spec.environment}
    return replace(spec, command=command, environment=merged, exposed_ports=ports)


def without_device_requests(spec: ContainerSpec) -> ContainerSpec:
    """`spec` for an engine without a GPU driver: devices by environment variable alone."""
    return replace(spec, use_device_requests=False)


def groups_of(account: UnixAccount) -> tuple[int, ...]:
    """The person's groups beside the primary one, which `User` says as a number.

    The engine looks each of them up in the /etc/group of the container's own files, by name before
    number: a line `2000:x:42:` there makes group 2000 the server's group 42. The primary one it
    looks up in the same file at the same moments, so these open nothing that it would not open;
    what keeps either from being another is that a container with folders of the server is made
    only of an image that calls no group so, in a file that nobody in the container may change
    (`adapters.docker_engine.image_groups`), that the file is masked for what the runtime looks up
    once more (`group_file`), and that `docker cp` writes nothing to it. Without such folders,
    where the engine may copy files in as root, a container has none of them.
    https://github.com/moby/moby/blob/v20.10.24/daemon/oci_linux.go#L172
    """
    return tuple(gid for gid in account.group_ids if gid != account.gid)


def _labels(
    request: LaunchRequest, limits: Limits, placement: Placement, site: Site
) -> ContainerLabels:
    slots = placement.slots
    return ContainerLabels(
        user=request.user,
        name=request.name,
        interface=request.interface,
        instance=site.instance,
        image=request.image,
        created_at=placement.granted_at,
        cgroup_parent=placement.cgroup_parent,
        priority=limits.priority,
        group=limits.group,
        project=request.project,
        gpu_slots=tuple(slot.id for slot in slots),
        gpu_uuids=tuple(slot.uuid for slot in slots),
        gpu_equivalents=sum(slot.equivalents for slot in slots),
        gpu_allocated_at=placement.granted_at if slots else None,
    )


def _environment(request: LaunchRequest, placement: Placement) -> dict[str, str]:
    account = placement.account
    slots = placement.slots
    environment = {
        "HOME": account.home if account else IMAGE_HOME,
        "USER": account.name if account else request.user,
        GPU_VARIABLE: ",".join(slot.uuid for slot in slots) or NO_GPU,
        "DS01_CONTAINER": request.name,
        "DS01_GPU_SLOTS": ",".join(slot.id for slot in slots),
    }
    if request.project is not None:
        environment["DS01_PROJECT"] = request.project
    if slots and placement.simulated:
        environment["DS01_GPU_SIMULATED"] = "1"
    return environment


def _home(user: str, account: UnixAccount | None) -> Mount:
    if account is not None:
        return Mount("bind", account.home, account.home)
    return Mount("volume", names.home_volume(user), IMAGE_HOME)


def _notices(placement: Placement) -> tuple[Mount, ...]:
    if placement.notices is None:
        return ()
    return (Mount("bind", placement.notices, NOTICES, read_only=True),)


def _memory_swap(limits: Limits) -> int | None:
    """Memory plus swap; the engine refuses a sum below the memory, or one without memory."""
    if limits.memory_bytes is None or limits.memory_swap_bytes is None:
        return None
    return max(limits.memory_swap_bytes, limits.memory_bytes)
