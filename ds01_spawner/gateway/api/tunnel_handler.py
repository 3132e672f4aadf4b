"""The websocket at the hub's end of a tunnel."""

import asyncio
import uuid
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ds01_spawner.client.models import Role
from ds01_spawner.client.problems import MEDIA_TYPE, Unauthenticated, problem_of
from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest
from ds01_spawner.gateway.api.handler import Authenticate, Served
from ds01_spawner.gateway.api.reading import part_of
from ds01_spawner.gateway.api.tunnel import Prepared, Tunnel, Tunnels, problem_words

COST = 5
HOST_KEY_HEADER = "DS01-SSH-Host-Key"
"""Of the answer that makes the connection a websocket: what the container must show."""

STARTED_HEADER = "DS01-SSH-Started"
_FAILED = 1011
"""The server cannot go on (RFC 6455, section 7.4.1)."""


class TunnelHandler(WebSocketHandler):
    """One tunnel. Everything is decided before the connection becomes a websocket."""

    def initialize(self, served: Served, authenticate: Authenticate, tunnels: Tunnels) -> None:
        """Take what the application was made with."""
        self._served = served
        self._authenticate = authenticate
        self._tunnels = tunnels
        self._prepared: Prepared | None = None
        self._tunnel: asyncio.Future[Tunnel] | None = None
        self._pumping: asyncio.Task[None] | None = None
        self._user = ""
        self.request_id = uuid.uuid4().hex

    def set_default_headers(self) -> None:
        """Nothing is kept by anybody."""
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")

    async def get(self, *args: str, **kwargs: str) -> None:
        """Decide, and then become a websocket."""
        try:
            if self.request.headers.get("Upgrade", "").lower() != "websocket":
                raise InvalidRequest("This is a websocket.", "Connect with ds01 ssh.")
            requester = await self._authenticate(self)
            if requester is None:
                raise Unauthenticated("You are not logged in.", "Send a token.")
            # A page of somebody else's server in the same browser may open websockets.
            if not getattr(self, "_token_authenticated", False):
                raise Forbidden("A tunnel needs a token.", "Send Authorization: token ….")
            self._served.rates.take(requester.user, COST)
            assert requester.may(Role.STUDENT)  # noqa: S101 - everybody is
            name = part_of("name", args[0])
            self._user = requester.user
            self._prepared = await self._tunnels.prepare(requester, name, self.request_id)
        except DS01Error as exc:
            self._refuse(exc)
            return
        access = self._prepared.access
        for key in access.host_keys:
            self.add_header(HOST_KEY_HEADER, key)
        if access.started:
            self.set_header(STARTED_HEADER, "1")
        await super().get(*args, **kwargs)

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Begin to pass on what is said."""
        self.set_nodelay(True)
        self._tunnel = asyncio.get_running_loop().create_future()
        self._pumping = asyncio.ensure_future(self._pump())

    async def on_message(self, message: str | bytes) -> None:
        """Pass on what `ssh` says; the next message is read when this has been taken."""
        if isinstance(message, str):
            self.close(1003, "binary messages only")
            return
        if self._tunnel is None:
            return
        with suppress(ConnectionError, DS01Error, asyncio.CancelledError):
            tunnel = await asyncio.shield(self._tunnel)
            await tunnel.send(message)

    def on_close(self) -> None:
        """The server ends with its connection."""
        if self._pumping is not None:
            self._pumping.cancel()

    async def _pump(self) -> None:
        assert self._prepared is not None  # noqa: S101 - decided before
        assert self._tunnel is not None  # noqa: S101 - made before
        code, reason = 1000, ""
        try:
            with self._served.sessions.one_more(self._user):
                async with self._tunnels.opened(self._prepared) as tunnel:
                    await tunnel.begin()
                    self._tunnel.set_result(tunnel)
                    async for part in tunnel.parts():
                        await self.write_message(part, binary=True)
                    if tunnel.words:
                        await self.write_message(tunnel.words)
                    reason = problem_words(tunnel.words)
        except DS01Error as exc:
            code, reason = _FAILED, problem_words(exc)
        except WebSocketClosedError:
            return
        finally:
            if not self._tunnel.done():
                self._tunnel.cancel()
        self.close(code, reason)

    def _refuse(self, error: DS01Error) -> None:
        problem = problem_of(error, self.request_id)
        self.set_status(problem.status)
        self.set_header("Content-Type", MEDIA_TYPE)
        self.finish(problem.model_dump_json(exclude_defaults=True))

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """What tornado refuses, and what is our fault."""
        known = InvalidRequest("The request cannot be read.")
        self._refuse(
            known
            if status_code < HTTPStatus.INTERNAL_SERVER_ERROR
            else DS01Error("It is our fault.")
        )
