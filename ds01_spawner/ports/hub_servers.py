"""One person's servers, as the API has the hub start them."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ServerState(StrEnum):
    """What the hub does with a server."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class ServerAtHub:
    """A server that somebody has, running or not.

    Attributes:
        name: Server name; the unnamed server's is empty.
        title: What its owner calls it; empty for the unnamed one.
        state: What the hub does with it.
        url: Where the hub serves it: a path, or an address where each person has a host.
        options: What it was last started with, as somebody sent it: not to be trusted.
        started_at: When it was; `None` when it is not.
    """

    name: str
    title: str
    state: ServerState
    url: str
    options: Mapping[str, object] = field(default_factory=dict)
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HubStep:
    """A step of a start, as the spawner tells it.

    Attributes:
        name: Which; the same name is the same step, told again.
        text: The same for people.
        place: In the GPU queue, from 1; 0 when it does not wait.
        length: How many compete there.
        reason: What it waits for.
        wait_seconds: How long that is likely to take; `None` where nothing tells.
    """

    name: str
    text: str
    place: int = 0
    length: int = 0
    reason: str = ""
    wait_seconds: float | None = None


class HubSpawning(Protocol):
    """JupyterHub's REST API, as somebody's servers are started through it. On the event loop."""

    async def servers(self, user: str) -> Mapping[str, ServerAtHub]:
        """Every server of one person, by name; without the unnamed one where it never ran.

        Raises:
            NotFound: The hub does not know them.
        """
        ...

    async def start(self, user: str, server: str, options: Mapping[str, object]) -> None:
        """Start a server with these options; returns when it is ready, or after some seconds.

        Raises:
            DS01Error: What the spawner refused it with, or as near as the hub's answer says.
            Conflict: It runs, or the hub stops it just now.
        """
        ...

    def steps(self, user: str, server: str) -> AsyncGenerator[HubStep, None]:
        """What a start that is under way says, until the server is ready.

        Raises:
            Refused: It failed; the hub says why.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
