"""Serves a listening Unix socket: the kernel says who connects."""

import asyncio
import logging
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final
from weakref import WeakValueDictionary

from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.gateway.attendance import Attendance
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.body import Held
from ds01_spawner.gateway.wire.connection import Api, Bounds, Connection, Dispatch, Service
from ds01_spawner.gateway.wire.hangups import Hangups
from ds01_spawner.gateway.wire.line import Line

_LOG = logging.getLogger(__name__)
_CREDENTIALS: Final = struct.Struct("3i")
_ROOT: Final = 0
_OVERFLOW: Final = 64
"""So many connections above the bound are told why; the rest are closed at once."""

_ACCEPT_PAUSE_SECONDS: Final = 0.2

Identify = Callable[[int, int, int], Awaitable[Caller]]
"""From process, user and group id to who it is."""


class Server:
    """Serves clients of one listening socket.

    Args:
        listener: Bound and listening; stays open when the server is closed, for its owner.
        identify: Says who connects; what it raises is the answer to every request they make.
        dispatch: Answers requests to the Docker door.
        api: Answers requests below `/ds01/`.
        bounds: What a client may take.
        attendance: Ends the connections of who is not let in any more.
    """

    def __init__(  # noqa: PLR0913 - what a server stands on
        self,
        listener: socket.socket,
        identify: Identify,
        dispatch: Dispatch,
        *,
        api: Api | None = None,
        bounds: Bounds | None = None,
        attendance: Attendance | None = None,
    ) -> None:
        listener.settimeout(0)
        self._listener = listener
        self._identify = identify
        self._bounds = bounds or Bounds()
        self._attendance = attendance or Attendance()
        self._dispatch = dispatch
        self._api = api
        self._open: Counter[int] = Counter()
        self._held: WeakValueDictionary[int, Held] = WeakValueDictionary()
        self._tasks: dict[asyncio.Task[None], Connection | None] = {}
        self._accepting: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._open.total()

    async def serve(self) -> None:
        """Serve until cancelled or closed."""
        hangups = Hangups()
        service = Service(self._dispatch, self._api, self._bounds, hangups)
        self._accepting = asyncio.ensure_future(self._accept(service))
        try:
            await asyncio.wait([self._accepting])
        finally:
            await self.close(self._bounds.closing_seconds)
            hangups.close()

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Accept nobody more, and end what is still being answered after `grace_seconds`."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        for task, connection in self._tasks.items():
            if connection is None or connection.may_end:
                task.cancel()
        if self._tasks and grace_seconds:
            await asyncio.wait(list(self._tasks), timeout=grace_seconds)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def _accept(self, service: Service) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listener)
            except OSError:
                _LOG.exception("no connection can be accepted")
                await asyncio.sleep(_ACCEPT_PAUSE_SECONDS)
                continue
            self._take(accepted, service)

    def _take(self, accepted: socket.socket, service: Service) -> None:
        try:
            credentials = accepted.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
            )
        except OSError:
            accepted.close()
            return
        pid, uid, gid = _CREDENTIALS.unpack(credentials)
        refusal = self._full(uid)
        excess = self._open[uid] - self._bounds.connections_each
        if refusal is not None and (excess >= _OVERFLOW or self._is_overfull()):
            accepted.close()
            return
        self._open[uid] += 1
        task = asyncio.ensure_future(self._serve(accepted, (pid, uid, gid), refusal, service))
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._drop(done, accepted, uid))

    def _full(self, uid: int) -> Unavailable | None:
        """Why somebody's next connection is not served."""
        if uid == _ROOT:
            return None
        if self._open[uid] >= self._bounds.connections_each:
            return Unavailable(
                f"You have {self._open[uid]} of {self._bounds.connections_each} connections to "
                "Docker open.",
                "End some of your docker commands, or whatever keeps them open.",
            )
        if self.connections >= self._bounds.connections:
            return Unavailable(
                f"Everybody together has {self.connections} of {self._bounds.connections} "
                "connections to Docker open.",
                "Try again in a few minutes, and tell your administrator.",
            )
        return None

    def _is_overfull(self) -> bool:
        return self.connections >= self._bounds.connections + _OVERFLOW

    async def _serve(
        self,
        accepted: socket.socket,
        credentials: tuple[int, int, int],
        refusal: Exception | None,
        service: Service,
    ) -> None:
        caller: Caller | Exception
        try:
            caller = refusal or await self._identify(*credentials)
        except DS01Error as error:
            caller = error
        except Exception as error:  # noqa: BLE001 - the loop's top: told to the client, and logged
            caller = error
        held = self._held.setdefault(credentials[1], Held())
        connection = Connection(Line(accepted), caller, service, held)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - of this coroutine
        self._tasks[task] = connection
        if not isinstance(caller, Caller):
            await connection.serve()
            return
        with self._attendance.attending(caller, task.cancel):
            await connection.serve()

    def _drop(self, done: asyncio.Task[None], accepted: socket.socket, uid: int) -> None:
        accepted.close()
        del self._tasks[done]
        self._open[uid] -= 1
        if not self._open[uid]:
            del self._open[uid]
        if not done.cancelled() and (error := done.exception()) is not None:
            _LOG.error("a connection ended in an error", exc_info=error)
