"""One question to the API, checked, and what answers it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from ds01_spawner.client.models import Wire
from ds01_spawner.composition import Platform
from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.docker.build.handler import BuildResult
from ds01_spawner.gateway.docker.build.options import BuildOptions
from ds01_spawner.gateway.docker.build.output import OnOutput
from ds01_spawner.gateway.docker.create.asks import Asks, Looked, Made
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import EngineLink, Query
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.allocation.observe import AT_ONCE
from ds01_spawner.operations.audit.lines import in_request
from ds01_spawner.ports import HubClient, HubSpawning

T = TypeVar("T")
Q = TypeVar("Q", bound=Wire)


class Builder(Protocol):
    """Builds images, as `docker build` does."""

    async def build(
        self,
        caller: Caller,
        context: AsyncIterator[bytes],
        options: BuildOptions,
        on_output: OnOutput,
        *,
        interface: Interface = ...,
    ) -> BuildResult:
        """Build one; cancelling the call cancels the build."""
        ...


class Creator(Protocol):
    """Makes containers, as `docker create` does."""

    async def look(self, caller: Caller, content: bytes, query: Query, asks: Asks = ...) -> Looked:
        """What can be found out of one before there is a grant."""
        ...

    async def make(self, caller: Caller, content: bytes, query: Query, asks: Asks = ...) -> Made:
        """Make one; from `asks.on_granted` on, cancelling the call does not undo it."""
        ...


@dataclass(frozen=True, slots=True)
class Api:
    """What the API stands on.

    Attributes:
        platform: Everything that may block: only within `threads`.
        threads: Runs what may block, a few at a time for each person.
        engine: The way to the engine, on the event loop.
        hub: Starts and stops its servers; `None` where no hub is known.
        builds: Builds images; `None` where none are built.
        creating: Makes containers; `None` where none are made.
        hub_url: Where people reach the hub in a browser; `None` where nobody said.
        spawning: Has the hub start people's servers; `None` where no hub is known.
        named_servers: How many the hub lets one have beside the unnamed one; `None` where nobody
            said.
    """

    platform: Platform
    threads: Threads
    engine: EngineLink
    hub: HubClient | None = None
    builds: Builder | None = None
    creating: Creator | None = None
    hub_url: str | None = None
    spawning: HubSpawning | None = None
    named_servers: int | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One question; who asks may ask it.

    Attributes:
        id: Names the request in events, logs and problems.
        requester: Who asks.
        parts: The variable parts of the path, decoded.
        query: Parameters, of the route's model.
        body: What was sent, of the route's model; `None` where nothing is.
        gone: Set when nobody waits for the answer any more.
        agent: The program that asks, as it says of itself.
        max_age: How old what is read of engine and driver may be, so that many who look again and
            again share a reading.
    """

    id: str
    requester: Requester
    parts: Mapping[str, str]
    query: Wire
    body: Wire | None
    gone: asyncio.Event
    agent: str = ""
    max_age: timedelta = AT_ONCE

    def asked(self, model: type[Q]) -> Q:
        """The query, which is of that model."""
        assert isinstance(self.query, model)  # noqa: S101 - narrows the type
        return self.query

    def sent(self, model: type[Q]) -> Q:
        """The body, which is of that model."""
        assert isinstance(self.body, model)  # noqa: S101 - narrows the type
        return self.body

    async def run(self, api: Api, deed: Callable[[Platform], T]) -> T:
        """What `deed` returns, run in a thread; the events that it writes name this request."""

        def within() -> T:
            with in_request(self.id, self.requester.user):
                return deed(api.platform)

        return await api.threads.run(self.requester.user, within)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of an event stream.

    Attributes:
        name: Which of the route's events.
        value: What it says.
    """

    name: str
    value: Wire


Answer = Callable[[Ask], Awaitable[Wire]]
"""Answers a question; raises a `DS01Error`, which becomes a problem document."""

Stream = Callable[[Ask], AsyncIterator[StreamEvent]]
"""Answers with events until it ends, or until nobody listens."""
