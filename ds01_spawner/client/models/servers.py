"""JupyterHub's servers of one person: what they have, and one that they want."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from ds01_spawner.client.models.base import Problem, Wire
from ds01_spawner.client.models.making import Place


class Server(Wire):
    """A JupyterLab of one's own in the hub, running or not."""

    name: str
    """JupyterHub's name of it; empty for the unnamed one."""
    title: str
    """What to call it on a page."""
    container: str
    """What its container is called, here and where a server is named: `jupyter` is the unnamed."""
    state: Literal["stopped", "starting", "running", "stopping"]
    url: str
    """Where it is opened in a browser; a path on the hub, where nobody said what the hub's address
    is."""
    image: str | None
    """What it was last started with: a name of the catalogue, or a reference; `null` is the usual
    image."""
    gpu: str | None
    """The size that was last asked for; `null` is none."""
    gpu_slots: tuple[str, ...]
    """What it has now, or what is kept for it."""
    started_at: datetime | None
    """`null` where it does not run."""
    stops_at: datetime | None
    """When the policy stops it at the earliest, if nothing changes."""
    place: Place | None = None
    """Where its start stands in the GPU queue."""
    gpu_count: int = 0
    """How many of them were last asked for."""
    project: str | None = None


class Servers(Wire):
    """One's servers: the unnamed one first, then by name."""

    named_limit: int | None
    """How many the hub lets one have beside the unnamed one; `null` where nobody said."""
    servers: tuple[Server, ...]


class ServerSize(Wire):
    """A GPU size that a server of one's own may be asked for with."""

    size: str
    """As it is asked for: `none`, `full`, or a profile."""
    memory_bytes: int | None
    """Of one GPU slot of it; `null` for none."""
    equivalents: float
    """What share of a whole GPU it is."""
    most: int
    """How many of them one server may have."""
    place: int = 0
    """The place in the queue that asking now would give; 0: it would be had now."""
    waits: tuple[float | None, ...] = ()
    """How many seconds one would likely wait for one of them, for two, up to `most`; 0: not at all,
    `null`: not known."""
    refused: Problem | None = None
    """Why it cannot be had now."""


class ServerOptions(Wire):
    """What one may start a server with, now. What the policy forbids is not in it."""

    sizes: tuple[ServerSize, ...]


class ServerRequest(Wire):
    """A server that somebody wants; the spawn form's own fields."""

    name: Annotated[str, Field(max_length=48, examples=["thesis"])] = ""
    """JupyterHub's name of it; empty for the unnamed one."""
    image: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """A name of the catalogue, or an image of one's own; without, the usual one."""
    gpu: Annotated[str, Field(max_length=32, examples=["mig", "2g.10gb", "20gb"])] | None = None
    """The size of each GPU slot; without, it has none."""
    gpu_count: Annotated[int, Field(ge=1, le=64)] = 1
    project: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    wait: bool = True
    """Whether to wait in the queue while nothing is free; else that is a refusal."""
