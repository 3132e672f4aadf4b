"""Containers that are made, and what running ones use."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from ds01_spawner.client.models.base import FileName, Flag, Problem, Wire
from ds01_spawner.client.models.questions import ContainersQuery, OwnerQuery

Folder = Annotated[str, Field(min_length=1, max_length=4096)]


class CreateRequest(Wire):
    """A container that somebody wants."""

    name: Annotated[str, Field(min_length=1, max_length=63, examples=["thesis"])] | None = None
    """What it is going to be called; the platform chooses without."""
    image: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """A name of the catalogue, an image of one's own, or a reference; without, the usual one."""
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    """How many GPU slots; with `gpu` alone, one."""
    gpu: Annotated[str, Field(max_length=32, examples=["mig", "2g.10gb", "20gb"])] | None = None
    """Their size; without, any will do. `none` is none at all."""
    wait: Annotated[str, Field(max_length=20, examples=["15m"])] | None = None
    """How long to wait for them: `15m`, `4h`, 24 h at most; without, not at all."""
    workspace: Folder | None = None
    """A folder of the server that becomes `/workspace`, where the container begins. From one's home
    where it does not begin with `/`."""
    data: Folder | None = None
    """A folder of the server that becomes `/data`."""
    folders: Annotated[tuple[Folder, ...], Field(max_length=64)] = ()
    """More of them, as `HOST:TARGET` or `HOST:TARGET:ro`."""
    project: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    environment: Annotated[
        dict[FileName, Annotated[str, Field(max_length=32_768)]], Field(max_length=200)
    ] = Field(default_factory=dict)
    command: (
        Annotated[
            tuple[Annotated[str, Field(max_length=32_768)], ...],
            Field(min_length=1, max_length=500),
        ]
        | None
    ) = None
    """What runs in it, after the image's entry point; without, nothing, and the container stays."""
    start: bool = True
    """Whether it is started; else that is left to be done within 90 s, or its GPU is given back."""
    keep_home: bool = True
    """Whether one's home is mounted at its own path. It never is where containers run as their
    image's user."""


class ExecRequest(Wire):
    """A command to run in a container: the first message of the websocket."""

    command: Annotated[
        tuple[Annotated[str, Field(max_length=131_072)], ...],
        Field(min_length=1, max_length=2000),
    ]
    tty: bool = False
    """Whether it gets a terminal; its output is one stream then."""
    rows: Annotated[int, Field(ge=1, le=10_000)] | None = None
    cols: Annotated[int, Field(ge=1, le=10_000)] | None = None
    environment: Annotated[
        dict[FileName, Annotated[str, Field(max_length=32_768)]], Field(max_length=200)
    ] = Field(default_factory=dict)
    workdir: Folder | None = None
    """Where it begins; without, where the container does."""


class Place(Wire):
    """Where somebody stands who waits for a GPU."""

    place: int
    """Among those who compete for the same slots, from 1; 0 when it is served now."""
    length: int
    """How many compete for them."""
    reason: str
    """What it waits for."""
    gpu: str
    """What for, in words."""
    waited_seconds: float
    expected_seconds: float | None = None
    """How long it is likely to take from now on: an estimate to five minutes; `null` where nothing
    tells."""


class Step(Wire):
    """What is being done for a container."""

    name: str
    """image, create, start."""
    text: str
    """The same for people."""


class Plan(Wire):
    """What a request would come to now. Nothing was made, and nothing is kept free."""

    sentences: tuple[str, ...]
    """For people: what it would get, or what is in the way."""
    name: str | None
    """What it would be called; `null` where the platform would choose."""
    image: str | None
    """The engine's reference; `null` where there is none."""
    gpu_slots: tuple[str, ...] = ()
    """The slots that it would get now."""
    would_wait: Place | None = None
    """The place in the queue that waiting would give; also where `wait` is not asked for."""
    refused: Problem | None = None
    """Why it would not be made; `null` where it would."""
    warnings: tuple[str, ...] = ()
    """What would be made otherwise than asked."""


class RemoveQuery(OwnerQuery):
    """What is removed."""

    force: Flag = False
    """Whether a running one is stopped first; else it is in the way."""


class StatsQuery(ContainersQuery):
    """Whose, and which."""

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """One container alone."""


class ContainerStats(Wire):
    """What one container uses; `null` is not known."""

    name: str
    user: str
    state: str
    """created, running, paused, restarting, removing, exited, dead."""
    cpu_percent: float | None = None
    """Of one CPU: 250 is two and a half."""
    memory_bytes: int | None = None
    """Without what the kernel can take back at once, as `docker stats` counts."""
    memory_limit_bytes: int | None = None
    """`null` is unlimited, or not known."""
    pids: int | None = None
    network_rx_bytes: int | None = None
    network_tx_bytes: int | None = None
    gpu_slots: tuple[str, ...] = ()
    gpu_utilisation: float | None = None
    """Mean of its slots, from 0 to 1; `null` also where the driver does not tell, as for MIG."""
    gpu_memory_bytes: int | None = None
    """In use on all its slots."""
    ssh_sessions: int = 0


class Stats(Wire):
    """What containers use, at one moment."""

    taken_at: datetime
    containers: tuple[ContainerStats, ...]
