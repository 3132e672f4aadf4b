"""A hub in memory that starts servers step by step."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field

from ds01_spawner.domain.errors import Conflict, DS01Error, NotFound, Unavailable
from ds01_spawner.ports import HubStep, ServerAtHub, ServerState


@dataclass
class FakeHubSpawning:
    """The `HubSpawning` port.

    Attributes:
        people: Everybody's servers, by name; who is not in it is not known.
        told: The steps of every start.
        refusal: What a start raises in its answer.
        failure: What the steps of a start end with.
        may_answer: When cleared, the hub answers no start until it is set.
        may_end: When cleared, a start is under way until it is set.
        started: Every start: who, which, with what.
        on_ready: What a start that has become ready does besides.
        down: When set, every call raises `Unavailable`.
        listeners: How many have asked for the steps of a start.
        closed: Whether it was let go of.
    """

    people: dict[str, dict[str, ServerAtHub]] = field(default_factory=dict)
    told: list[HubStep] = field(default_factory=list)
    refusal: DS01Error | None = None
    failure: DS01Error | None = None
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    started: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)
    on_ready: Callable[[str, str], None] = lambda _user, _server: None
    down: bool = False
    listeners: int = 0
    looks: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self.may_answer.set()
        self.may_end.set()

    def add(
        self, user: str, name: str = "", state: ServerState = ServerState.RUNNING, **options: object
    ) -> None:
        """Let somebody have a server."""
        url = f"/user/{user}/{name}/" if name else f"/user/{user}/"
        self.people.setdefault(user, {})[name] = ServerAtHub(name, name, state, url, options)

    async def servers(self, user: str) -> Mapping[str, ServerAtHub]:
        self.looks += 1
        self._answer()
        if user not in self.people:
            raise NotFound("JupyterHub does not know you yet.")
        return dict(self.people[user])

    async def start(self, user: str, server: str, options: Mapping[str, object]) -> None:
        self._answer()
        if self.people.get(user, {}).get(server, None) is not None:
            state = self.people[user][server].state
            if state is ServerState.RUNNING:
                raise Conflict("This server runs already.")
        self.started.append((user, server, dict(options)))
        await self.may_answer.wait()
        self.add(user, server, ServerState.STARTING, **options)
        await asyncio.sleep(0)
        if self.refusal is not None:
            self.add(user, server, ServerState.STOPPED, **options)
            raise self.refusal

    async def steps(self, user: str, server: str) -> AsyncGenerator[HubStep, None]:
        self.listeners += 1
        for step in self.told:
            yield step
        await self.may_end.wait()
        if self.failure is not None:
            self.add(user, server, ServerState.STOPPED)
            raise self.failure
        self.on_ready(user, server)
        self.add(user, server, ServerState.RUNNING, **dict(self.people[user][server].options))

    async def close(self) -> None:
        self.closed = True

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("The hub does not answer.")
