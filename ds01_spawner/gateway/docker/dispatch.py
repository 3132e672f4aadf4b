"""From a canonical request to the handler that may answer it: the table, put to use."""

import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

from ds01_spawner.domain.errors import DS01Error, NotFound
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.endpoints import ENDPOINTS
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.operations.audit import in_request

_LOG = logging.getLogger(__name__)
_READING = frozenset({"GET", "HEAD"})
_INTERFACE = "docker"


class HandlerGroup(Protocol):
    """Handlers that belong together."""

    def handlers(self) -> Mapping[str, Handler]:
        """Each by the name of its endpoint."""
        ...


class Dispatch:
    """Answers every request to the Docker door.

    Args:
        door: The platform, and the way to the engine.
        groups: All handlers: one for every endpoint of the table, and no other.

    Raises:
        ValueError: An endpoint has no handler or two, or a handler has no endpoint.
    """

    def __init__(self, door: Door, groups: Iterable[HandlerGroup]) -> None:
        self._door = door
        self._handlers: dict[str, Handler] = {}
        for group in groups:
            for name, handler in group.handlers().items():
                if name in self._handlers:
                    raise ValueError(f"{name} has two handlers")
                self._handlers[name] = handler
        names = {endpoint.name for endpoint in ENDPOINTS}
        if names != self._handlers.keys():
            raise ValueError(f"the table and the handlers differ: {names ^ self._handlers.keys()}")

    async def __call__(self, endpoint: str | None, call: Call, reply: Reply) -> None:
        """Answer one call.

        Args:
            endpoint: The name of its row; `None` where it has none.
            call: The request.
            reply: Its answer.

        Raises:
            NotFound: There is no such endpoint.
            DS01Error: What the handler raises.
        """
        with in_request(call.id, call.caller.user):
            if call.caller.is_admin:
                await self._pass(endpoint, call, reply)
                return
            handler = None if endpoint is None else self._handlers.get(endpoint)
            if handler is None:
                raise NotFound("page not found")
            await handler(call, reply)

    async def _pass(self, endpoint: str | None, call: Call, reply: Reply) -> None:
        """Hand an administrator's request on; what changes something is in the log before it is."""
        if call.method not in _READING:
            await self._door.threads.run(call.caller.user, lambda: self._record(endpoint, call))
        await self._door.engine.relay_all(call, reply)

    def _record(self, endpoint: str | None, call: Call) -> None:
        path = call.passage.path if call.passage is not None else ""
        try:
            self._door.platform.audit.write(
                "admin.docker",
                user=call.caller.user,
                resource=path[:200],
                interface=_INTERFACE,
                details={"method": call.method, "endpoint": endpoint or ""},
            )
        except DS01Error as exc:
            # An administrator mends what is broken through this door, a full disk among it.
            _LOG.warning("The log does not take what %s does: %s", call.caller.user, exc)
