"""Whose everything is that runs on the GPUs."""

from datetime import datetime

from ds01_spawner.client.models.base import Flag, Wire


class WorkloadsQuery(Wire):
    """Which of what runs."""

    unmanaged: Flag = False
    """Only what was not started through the platform."""


class Owned(Wire):
    """Something, and whose it is."""

    kind: str
    """managed, build, bare-metal, devcontainer, compose, aime, docker, host, unknown."""
    user: str | None
    """Whose it is; `null` is unknown."""
    mine: bool
    proof: str
    """What tells whose it is, the surest first: label, folder, name, uid, session, cgroup,
    none."""
    container: str | None
    container_id: str | None
    group: str | None
    project: str | None
    interface: str | None
    """The door that a managed container came through."""
    why: str
    """Why it is not known whose it is."""


class GpuProcess(Owned):
    """A process on a GPU slot."""

    slot: str
    """`2`, or `0:1` for instance 1 of GPU 0."""
    pid: int
    """Of the server; 0 where the driver hides it."""
    name: str | None
    """The program's short name."""
    uid: int | None
    memory_bytes: int | None
    """Of the slot's memory; `null` where the driver does not say."""
    sm_share: float | None
    """Share of the GPU's time; `null` where the driver does not say, as of MIG instances."""
    computes: bool
    """Whether it computes; else it only draws."""
    started_at: datetime | None


class GpuProcesses(Wire):
    """Processes on GPU slots: everybody's for managers, else one's own."""

    taken_at: datetime
    fresh: bool
    """Whether this shows the present; else an older picture, because of `problem`."""
    problem: str
    notes: tuple[str, ...] = ()
    """What is not in it: only told to managers."""
    processes: tuple[GpuProcess, ...]


class Workload(Owned):
    """A running container, or what one person runs on GPUs outside of containers."""

    id: str
    since: datetime | None
    slots: tuple[str, ...]
    """GPU slots that it was given, and those that it is on."""
    processes: int
    """How many of its processes are on a GPU."""
    memory_bytes: int | None


class Workloads(Wire):
    """What runs: everybody's for managers, else one's own."""

    taken_at: datetime
    fresh: bool
    """Whether this shows the present; else an older picture, because of `problem`."""
    problem: str
    notes: tuple[str, ...] = ()
    """What is not in it: only told to managers."""
    workloads: tuple[Workload, ...]
