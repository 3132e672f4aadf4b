"""Starts of the hub's servers: begun, joined where one is under way, told to their end.

Whoever closes the connection leaves a start under way: it is the hub's. Who asks for the same again
is told of that one.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from ds01_spawner.domain.errors import Conflict, DS01Error, InvalidRequest
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.ports import HubSpawning, HubStep, ServerAtHub, ServerState

LOOK_SECONDS = 0.2
"""Between two looks whether the hub has begun."""

REFUSED_SECONDS = 5.0
"""The answer to a start that failed comes soon after the word that it did."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A start that the hub has not answered yet.

    Attributes:
        options: What it was asked for with.
        asking: Ends with the hub's answer.
    """

    options: Mapping[str, object]
    asking: "asyncio.Task[None]"


@dataclass(slots=True)
class ServerStarts:
    """Every start of this process. Belongs to its event loop."""

    _begun: dict[tuple[str, str], _Begun] = field(default_factory=dict)

    def is_new(
        self, user: str, server: str, found: ServerAtHub | None, options: Mapping[str, object]
    ) -> bool:
        """Whether nothing like that is under way; if it is, `follow` joins it.

        Args:
            user: Whose.
            server: Which.
            found: What the hub knows of it.
            options: What is asked for.

        Raises:
            Conflict: It runs, is being stopped, or is being started with other options.
        """
        begun = self._begun.get((user, server))
        if begun is None and (found is None or found.state is ServerState.STOPPED):
            return True
        if begun is None and found is not None and found.state is not ServerState.STARTING:
            raise _in_the_way(found)
        known = begun.options if begun is not None else found.options if found is not None else {}
        if wanted_by(known) != wanted_by(options):
            raise Conflict(
                f"{_called(server)} is being started already, with other options.",
                "Wait for it, or cancel its start first.",
            )
        return False

    def begin(
        self, hub: HubSpawning, user: str, server: str, options: Mapping[str, object]
    ) -> None:
        """Have the hub start it; that goes on whoever listens."""
        # The event loop holds its tasks weakly.
        asking = asyncio.ensure_future(hub.start(user, server, options))
        self._begun[user, server] = _Begun(options, asking)
        asking.add_done_callback(lambda task: self._answered(user, server, task))

    async def follow(
        self, hub: HubSpawning, user: str, server: str
    ) -> AsyncGenerator[HubStep, None]:
        """The steps of the start that is under way, until the server is ready.

        Raises:
            DS01Error: It failed; the answer to the start says it with its kind, the steps say why.
        """
        begun = self._begun.get((user, server))
        asking = None if begun is None else begun.asking
        if asking is not None and await _has_ended(hub, user, server, asking):
            return
        try:
            async with aclosing(hub.steps(user, server)) as steps:
                async for step in steps:
                    yield step
        except DS01Error:
            if asking is not None:
                await asyncio.wait({asking}, timeout=REFUSED_SECONDS)
                if asking.done():
                    asking.result()
            raise

    def _answered(self, user: str, server: str, task: "asyncio.Task[None]") -> None:
        self._begun.pop((user, server), None)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.info("A server did not start: %s", failure)


async def _has_ended(
    hub: HubSpawning, user: str, server: str, asking: "asyncio.Task[None]"
) -> bool:
    """Whether a start is over already; before the hub has begun, it tells of the one before.

    Raises:
        DS01Error: It failed.
    """
    while not asking.done() and not _has_begun((await hub.servers(user)).get(server)):
        await asyncio.wait({asking}, timeout=LOOK_SECONDS)
    if not asking.done():
        return False
    asking.result()
    known = (await hub.servers(user)).get(server)
    return known is not None and known.state is ServerState.RUNNING


def wanted_by(options: Mapping[str, object]) -> tuple[object, ...]:
    """What makes two starts the same: image, GPU, project; the hub keeps what anybody sent."""
    return text_in(options, "image"), gpu_in(options), text_in(options, "project")


def gpu_in(options: Mapping[str, object]) -> tuple[str | None, int]:
    """Size and count as they were asked for."""
    with suppress(InvalidRequest):
        count = options.get("gpu_count", 1)
        size = text_in(options, "gpu") or "none"
        asked = GpuRequest.parse(size, count if isinstance(count, int) else 1)
        return (size.lower(), asked.count) if asked.count else (None, 0)
    return None, 0


def text_in(options: Mapping[str, object], key: str) -> str | None:
    """An option that is text."""
    value = options.get(key)
    return value if isinstance(value, str) and value else None


def _has_begun(server: ServerAtHub | None) -> bool:
    return server is not None and server.state is not ServerState.STOPPED


def _in_the_way(server: ServerAtHub) -> Conflict:
    called = _called(server.name)
    if server.state is ServerState.RUNNING:
        return Conflict(f"{called} runs already.", "Open it, or stop it first.")
    return Conflict(f"{called} is being stopped.", "Try again in a moment.")


def _called(server: str) -> str:
    return f"Your server {server}" if server else "Your server"
