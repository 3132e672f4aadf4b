"""Containers, GPUs, the queue, images: what work is done with."""

from datetime import datetime
from typing import Literal

from ds01_spawner.client.models.base import Wire


class Usage(Wire):
    """How much of a limit is in use now."""

    limit: str
    """The policy's key: `max_gpu_slots`, `max_containers_per_user`, `storage`, …"""
    used: float | None
    """`null` where it is not known."""
    allowed: float | None
    """`null` is unlimited."""


class End(Wire):
    """A limit that a running container comes nearer to."""

    rule: str
    value: str
    origin: str
    at: datetime
    """When it is stopped at the earliest, if nothing changes."""
    warned: bool
    high_demand: bool
    exempt_until: datetime | None


class StoppedByRule(Wire):
    """Why the last run of a container was ended."""

    at: datetime
    rule: str
    value: str
    origin: str
    reason: str


class Container(Wire):
    """A container, and what lies ahead of it."""

    name: str
    """What its owner calls it."""
    user: str
    container: str
    """What the engine calls it."""
    id: str
    interface: str
    """The door it came through."""
    state: str
    """created, running, paused, restarting, removing, exited, dead."""
    gpu_slots: tuple[str, ...]
    started_at: datetime
    stops_at: datetime | None
    """The nearest of `ends`."""
    ends: tuple[End, ...]
    idle_timeout_seconds: float | None
    kept_until: datetime | None
    """Until when it is kept running although nobody uses it."""
    keep_until: datetime | None
    """Until when asking now would keep it running; `null` where that is of no use."""
    removed_at: datetime | None
    """When a stopped one is removed."""
    stopped_by: StoppedByRule | None
    server: str | None
    """JupyterHub's name of it; empty for the unnamed one, `null` where it is none of the hub's."""
    sentences: tuple[str, ...]
    """The same for people, in the server's time zone."""
    image: str = ""
    """The engine's reference of what it was made of; empty where nothing tells."""
    project: str | None = None
    created_at: datetime | None = None
    gpu_profiles: tuple[str, ...] = ()
    """What each of `gpu_slots` is: `2g.10gb`, or `full`; empty where it is not known."""
    ssh_sessions: int = 0
    """How many are open in it now."""


class Gone(Wire):
    """A container that was stopped by a rule, and has been removed since."""

    name: str
    """What its owner called it."""
    user: str
    container: str
    """What the engine called it."""
    stopped_by: StoppedByRule


class Containers(Wire):
    """Containers at one moment."""

    taken_at: datetime
    containers: tuple[Container, ...]
    gone: tuple[Gone, ...] = ()
    """Removed lately."""
    notes: tuple[str, ...] = ()
    """Sentences on what could not be read."""


class Logs(Wire):
    """The last lines of a container's output."""

    name: str
    lines: tuple[str, ...]


class LogText(Wire):
    """More of a container's output; empty at the begin."""

    text: str


class LogEnd(Wire):
    """The output of a container has ended."""

    name: str
    exit_code: int | None
    """`null` where it is gone, or runs on."""


class GpuSlot(Wire):
    """One slot: a whole GPU, or one MIG instance."""

    slot: str
    """`2`, or `0:1` for instance 1 of GPU 0."""
    profile: str | None
    memory_bytes: int | None
    equivalents: float | None
    """What it counts of a whole GPU."""
    state: str
    """free, reserved, allocated, held, foreign, unavailable."""
    mine: bool
    user: str | None
    """Who has it: only told to who has it, and to managers."""
    container: str | None
    """Which container has it: told as `user` is."""
    since: datetime | None
    until: datetime | None
    """When a hold or a reservation ends."""
    use: Literal["interactive", "batch"]
    others: tuple[str, ...] = ()
    """Whose work past the platform is on it, as in `alice train`: only told to managers."""
    elsewhere: bool = False
    """Whether a container of another installation on the engine has it: nobody is told whose."""
    utilisation: float | None
    memory_used_bytes: int | None
    processes: int | None


class Gpus(Wire):
    """Every slot now."""

    taken_at: datetime
    source: str
    """`nvml` or `simulated`."""
    slots: tuple[GpuSlot, ...]
    problems: tuple[str, ...] = ()
    """What is not as it should be: only told to managers."""


class Ticket(Wire):
    """A place in the GPU queue."""

    id: str
    user: str
    name: str
    """What the container is going to be called."""
    place: int
    """Among those who compete for the same slots, from 1; 0 when it is served now."""
    length: int
    """How many compete for them."""
    gpu: str
    """What for, in words."""
    priority: int
    since: datetime
    reason: str
    """What it waits for."""
    expected_seconds: float | None = None
    """How long it is likely to take from now on: an estimate to five minutes; `null` where nothing
    tells."""


class Queue(Wire):
    """Places in the GPU queue, in the order in which they are served."""

    taken_at: datetime
    tickets: tuple[Ticket, ...]


class Image(Wire):
    """An image that one may start."""

    reference: str
    """What the engine calls it."""
    key: str | None
    """Its short name in the catalogue; `null` for one's own."""
    title: str
    description: str = ""
    own: bool
    default: bool = False
    """Whether it is what one gets without asking for any."""
    gpu_recommended: bool = False
    present: bool
    """Whether it is on this machine; else it is fetched at its first start."""
    size_bytes: int | None = None
    created_at: datetime | None = None


class Images(Wire):
    """What one may start: the catalogue, then one's own."""

    images: tuple[Image, ...]


class Build(Wire):
    """A build; it ends with the gateway, and is forgotten after a while."""

    id: str
    name: str
    """The engine's reference of the image."""
    state: str
    """running, done, failed, cancelled."""
    began_at: datetime
    ended_at: datetime | None
    image_id: str | None
    failure: str = ""
    """Why it failed; empty when it did not."""
    failed_step: str | None = None
    """The instruction of the Dockerfile that failed."""
    failed_line: int | None = None
    """Where it begins, from 1."""
    size_bytes: int | None = None
    """Of the image that was built."""
    previous_size_bytes: int | None = None
    """Of the image that had the name before; `null` where none did."""
    largest_bytes: int | None = None
    """How large the image may be; `null` is unlimited."""


class BuildList(Wire):
    """One's builds, the newest first."""

    builds: tuple[Build, ...]


class BuildLog(Wire):
    """More of a build's log."""

    text: str


class Extended(Wire):
    """A container that is kept running although nobody uses it."""

    name: str
    until: datetime
    """Until when it runs, used or not."""
    shortened: bool
    """Whether the policy made it shorter than asked."""
    ends_anyway: str | None = None
    """The limit that ends it before the time that was asked for is over."""


class Removed(Wire):
    """It is gone."""

    name: str
