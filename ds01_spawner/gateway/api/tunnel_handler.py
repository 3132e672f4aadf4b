"""The websocket at the hub's end of a tunnel."""

import asyncio
from contextlib import suppress

from tornado.websocket import WebSocketClosedError

from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.gateway.api.handler import Authenticate, Served
from ds01_spawner.gateway.api.reading import part_of
from ds01_spawner.gateway.api.token_socket import TokenSocket
from ds01_spawner.gateway.api.tunnel import Prepared, Tunnel, Tunnels, problem_words

HOST_KEY_HEADER = "DS01-SSH-Host-Key"
"""Of the answer that makes the connection a websocket: what the container must show."""

STARTED_HEADER = "DS01-SSH-Started"
_FAILED = 1011
"""The server cannot go on (RFC 6455, section 7.4.1)."""


class TunnelHandler(TokenSocket):
    """One tunnel. Everything is decided before the connection becomes a websocket."""

    what = "A tunnel"
    program = "ds01 ssh"

    def initialize(self, served: Served, authenticate: Authenticate, tunnels: Tunnels) -> None:
        """Take what the application was made with."""
        self.prepare_for(served, authenticate)
        self._tunnels = tunnels
        self._prepared: Prepared | None = None
        self._tunnel: asyncio.Future[Tunnel] | None = None
        self._pumping: asyncio.Task[None] | None = None

    async def get(self, *args: str, **kwargs: str) -> None:
        """Decide, and then become a websocket."""
        try:
            requester = await self.requester()
            name = part_of("name", args[0])
            self._prepared = await self._tunnels.prepare(requester, name, self.request_id)
        except DS01Error as exc:
            self.refuse(exc)
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
            with self.session(self._prepared.caller):
                async with self._tunnels.opened(self._prepared) as tunnel:
                    await tunnel.begin()
                    self._tunnel.set_result(tunnel)
                    async for part in tunnel.parts():
                        await self.write_message(part, binary=True)
                    if tunnel.words:
                        await self.write_message(tunnel.words)
                    reason = problem_words(tunnel.words)
        except DS01Error as exc:
            code, reason = _FAILED, problem_words(exc.told)
        except WebSocketClosedError:
            return
        finally:
            if not self._tunnel.done():
                self._tunnel.cancel()
        self.close(code, reason)
