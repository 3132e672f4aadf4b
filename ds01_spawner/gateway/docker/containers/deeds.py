"""What changes one container: asked of the engine by full id, answered in own words, recorded."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ds01_spawner.adapters.docker_engine.inspection import inspected_container
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.gateway.docker.containers.views import in_own_words
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer, Call, Query, Reply
from ds01_spawner.operations.allocation.admission import Admission

_NOT_MODIFIED = 304
_SECONDS = 60.0
_REMOVAL = "DELETE"

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do with a container.

    Attributes:
        action: What events call it, such as `container.stop`.
        ending: The path after the container's id, such as `/stop`.
        method: HTTP method.
        query: Parameters.
        body: JSON body.
        seconds: How long the engine may take.
        details: What else the event says.
        afterwards: What admission must know once it is done.
    """

    action: str
    ending: str = ""
    method: str = "POST"
    query: Query = field(default_factory=dict)
    body: Any = None
    seconds: float = _SECONDS
    details: Mapping[str, object] = field(default_factory=dict)
    afterwards: Callable[[Admission, Container], None] | None = None


class ContainerDeeds:
    """Does things with containers that were found to be the caller's."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def do(self, call: Call, reply: Reply, inspected: Mapping[str, Any], deed: Deed) -> None:
        """Do it, record it when something changed, and answer what the engine answers."""
        answer = await self.done(call, inspected, deed)
        await answer_with(answer, reply, call, inspected)

    async def done(self, call: Call, inspected: Mapping[str, Any], deed: Deed) -> Answer:
        """The engine's answer to it; recorded when something changed, also if the client goes."""
        return await finished(self._in_turn(call, inspected, deed))

    async def _in_turn(self, call: Call, inspected: Mapping[str, Any], deed: Deed) -> Answer:
        if deed.method != _REMOVAL:
            return await self._done(call, inspected, deed)
        async with self._door.removals.of(call.caller.user):
            return await self._done(call, inspected, deed)

    async def _done(self, call: Call, inspected: Mapping[str, Any], deed: Deed) -> Answer:
        answer = await self._door.engine.ask(
            deed.method,
            f"/containers/{inspected['Id']}{deed.ending}",
            deed.query,
            deed.body,
            version=call.version,
            seconds=deed.seconds,
        )
        if answer.ok and answer.status != _NOT_MODIFIED:
            await self.tell(call.caller, inspected, deed)
        return answer

    async def tell(self, caller: Caller, inspected: Mapping[str, Any], deed: Deed) -> None:
        """Let admission and the log know what was done; it is done, so a failure is only logged."""
        container = inspected_container(inspected)

        try:
            if deed.afterwards is not None:
                afterwards, platform = deed.afterwards, self._door.platform
                await self._door.threads.run(
                    caller.user, lambda: afterwards(platform.admission, container)
                )
            await self._door.note(
                caller,
                deed.action,
                container.name,
                interface=_interface(container.labels),
                details={"id": container.id, "by": caller.user, **deed.details},
            )
        except DS01Error as exc:
            _log.error("%s of %s by %s: %s", deed.action, container.name, caller.user, exc)


def _interface(marks: Mapping[str, str]) -> labels.Interface:
    """Compose's and dev containers' deeds are those of their containers; others' docker's."""
    origin = labels.origin_of(marks)
    return origin if origin in labels.DOCKER_DOORS else labels.Interface.DOCKER


async def answer_with(
    answer: Answer, reply: Reply, call: Call, inspected: Mapping[str, Any]
) -> None:
    """Hand the engine's answer on, in the words of the container's owner."""
    value = answer.value
    if not answer.ok and isinstance(value, Mapping) and isinstance(value.get("message"), str):
        message = in_own_words(value["message"], inspected, call.parts["id"], call.caller.user)
        value = {**value, "message": message}
    if value is None:
        await reply.empty(answer.status)
    else:
        await reply.json(value, answer.status)


async def finished(work: Coroutine[Any, Any, _T]) -> _T:
    """What `work` gives; it goes on to its end when whoever waits for it is cancelled."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        _kept.add(task)
        task.add_done_callback(_let_go)
        raise


_kept: set[asyncio.Future[Any]] = set()
"""The event loop holds its tasks weakly."""


def _let_go(task: asyncio.Future[Any]) -> None:
    _kept.discard(task)
    with suppress(asyncio.CancelledError):
        error = task.exception()
        if error is not None:
            _log.error("Nobody waited for this any more: %s", error)
