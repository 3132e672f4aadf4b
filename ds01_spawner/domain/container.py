"""Containers: what the engine shows, and what it is asked to make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ContainerState(StrEnum):
    """The engine's own states."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"

    @property
    def is_live(self) -> bool:
        """Whether processes of it exist, so that it uses what it was given."""
        return self in _LIVE


_LIVE = frozenset({ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING})


@dataclass(frozen=True, slots=True)
class DeviceDemand:
    """GPUs that a container was given by the engine, as the engine records them.

    Attributes:
        uuids: Devices by UUID.
        indices: Devices by the driver's index (`0`, `0:1`).
        count: The first N whole devices, or -1 for all of them.
    """

    uuids: tuple[str, ...] = ()
    indices: tuple[str, ...] = ()
    count: int = 0

    def __bool__(self) -> bool:
        return bool(self.uuids or self.indices or self.count)


@dataclass(frozen=True, slots=True)
class Mount:
    """One thing mounted into a container.

    Attributes:
        kind: `bind` for a host path, `volume` for a volume.
        source: Absolute host path, or volume name; empty for a new volume without one.
        target: Absolute path inside.
        read_only: Whether the container may not write to it.
        no_copy: Whether a new volume stays empty, without what the image has at `target`.
        labels: Labels of a volume that is made with the container.
    """

    kind: str
    source: str
    target: str
    read_only: bool = False
    no_copy: bool = False
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the engine shows it.

    Attributes:
        id: Full engine id.
        name: Without the leading slash.
        state: The engine's state.
        labels: All labels.
        created_at: When it was created.
        started_at: Start of the present or last run; `None` if it was not looked up or never ran.
        finished_at: End of the last run; `None` while it runs or where it was not looked up.
        demand: GPUs that the engine gave it, whatever its labels say.
        pid: Host process id of its first process; `None` when not running or not looked up.
        mounts: Host folders and volumes mounted into it; a volume's `source` is its host folder.
        exit_code: Of the last run; `None` while it runs or where it was not looked up.
        uid: Whom its first process runs as; `None` where the engine says a name or nothing.
        addresses: Its IP address on each network, while it runs.
        binds_key: Names the stage of its owner's folders (`domain.bind`); empty without.
        working_dir: Where its process begins; empty where it was not looked up.
    """

    id: str
    name: str
    state: ContainerState
    labels: Mapping[str, str]
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    demand: DeviceDemand = DeviceDemand()
    pid: int | None = None
    mounts: tuple[Mount, ...] = ()
    exit_code: int | None = None
    uid: int | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    binds_key: str = ""
    working_dir: str = ""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything the engine is told about a container: limits, labels, devices, security.

    `None` is "no limit". A door adds its command, environment and ports with
    `dataclasses.replace`; it never changes the rest.

    Attributes:
        name: Engine name, `{name}._.{user}`.
        image: Image reference.
        labels: All labels.
        user: `uid:gid` inside, or `None` for the image's own user.
        group_add: Supplementary group ids.
        cgroup_parent: Parent in the form that the engine's cgroup driver wants.
        cpus: CPUs, in fractions; may exceed what the host has.
        memory_bytes: Memory.
        memory_swap_bytes: Memory plus swap.
        shm_size_bytes: `/dev/shm`.
        pids_limit: Processes and threads.
        io_device: Block device that the I/O limits are for, such as `/dev/sda`.
        io_read_bps: Bytes per second read.
        io_write_bps: Bytes per second written.
        gpu_uuids: Devices, by UUID.
        use_device_requests: Devices go through the engine's GPU driver; otherwise by environment
            variable alone (a simulated GPU on an engine without that driver).
        environment: Environment variables.
        command: Command and arguments, or `None` for the image's own.
        working_dir: Working directory, or `None` for the image's own.
        hostname: Host name inside, or `None` for the engine's choice.
        exposed_ports: TCP ports that others on the network may reach.
        mounts: Binds and volumes.
        network: Network to join.
        cap_drop: Capabilities dropped.
        cap_add: Capabilities kept although all are dropped.
        security_opt: Engine security options.
        use_init: Run an init process that reaps zombies.
        log_max_bytes: Size at which the container's log rotates.
        wishes: What a door adds in the engine's own words, a checked part of the body of Docker's
            `POST /containers/create`; where it and anything above differ, the above wins.
    """

    name: str
    image: str
    labels: Mapping[str, str]
    cgroup_parent: str
    network: str
    user: str | None = None
    group_add: tuple[int, ...] = ()
    cpus: float | None = None
    memory_bytes: int | None = None
    memory_swap_bytes: int | None = None
    shm_size_bytes: int | None = None
    pids_limit: int | None = None
    io_device: str | None = None
    io_read_bps: int | None = None
    io_write_bps: int | None = None
    gpu_uuids: tuple[str, ...] = ()
    use_device_requests: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    working_dir: str | None = None
    hostname: str | None = None
    exposed_ports: tuple[int, ...] = ()
    mounts: tuple[Mount, ...] = ()
    cap_drop: tuple[str, ...] = ("ALL",)
    cap_add: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ("no-new-privileges",)
    use_init: bool = True
    log_max_bytes: int = 10 * 1024**2
    wishes: Mapping[str, Any] = field(default_factory=dict)
