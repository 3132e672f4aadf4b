"""From a canonical request to the handler that may answer it: the table, put to use."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from ds01_spawner.client.problems import TooManyRequests
from ds01_spawner.domain.errors import DS01Error, Forbidden, NotFound
from ds01_spawner.domain.wording import clean
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.endpoints import ENDPOINTS
from ds01_spawner.gateway.rates import Rate, Rates
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.operations.audit.lines import in_request
from ds01_spawner.policy.image_references import without_namespace

_LOG = logging.getLogger(__name__)
_HARMLESS = frozenset(
    {
        "GET /_ping",
        "HEAD /_ping",
        "GET /version",
        "GET /info",
        "GET /events",
        "GET /system/df",
        "GET /containers/json",
        "GET /containers/{id}/json",
        "GET /containers/{id}/stats",
        "GET /exec/{id}/json",
        "GET /images/json",
        "GET /images/{ref}/json",
        "GET /images/{ref}/history",
        "GET /networks",
        "GET /networks/{id}",
        "GET /volumes",
        "GET /volumes/{id}",
    }
)
"""What administrators look at without a line in the log. Everything else is in it: what changes
something, and what hands out people's files and output."""


REFUSALS = Rate(burst=60, per_second=1)
"""How many refusals of one person are in the log; the others are told to them alone."""


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
        self._refusals = Rates(REFUSALS)
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
        with in_request(call.id, call.caller.user) as request:
            if call.caller.is_admin:
                await self._pass(endpoint, call, reply)
                return
            handler = None if endpoint is None else self._handlers.get(endpoint)
            if handler is None:
                raise NotFound(
                    f"{call.method} {clean(call.path)} is not offered through the gateway."
                )
            try:
                await handler(call, reply)
            except DS01Error as exc:
                exc.message = without_namespace(exc.message, call.caller.user)
                if isinstance(exc, Forbidden) and not request.refusal_told:
                    await self._tell(str(endpoint), call, exc)
                raise

    async def _tell(self, endpoint: str, call: Call, error: Forbidden) -> None:
        """Log what was tried and is nobody's to do; so often a minute that no log is filled."""
        try:
            self._refusals.take(call.caller.user)
        except TooManyRequests:
            return

        with suppress(DS01Error):  # the refusal itself is what counts
            await self._door.note(
                call.caller, "request.reject", endpoint, outcome="refused", reason=str(error)
            )

    async def _pass(self, endpoint: str | None, call: Call, reply: Reply) -> None:
        """Hand an administrator's request on; what is more than a look is in the log before."""
        if endpoint not in _HARMLESS:
            await self._record(endpoint, call)
        await self._door.engine.relay_all(call, reply)

    async def _record(self, endpoint: str | None, call: Call) -> None:
        path = call.passage.path if call.passage is not None else ""
        try:
            details = {"method": call.method, "endpoint": endpoint or ""}
            await self._door.note(call.caller, "admin.docker", path[:200], details=details)
        except DS01Error as exc:
            # An administrator mends what is broken through this door, a full disk among it.
            _LOG.warning("The log does not take what %s does: %s", call.caller.user, exc)
