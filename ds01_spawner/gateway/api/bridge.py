"""The API's application behind the wire of the Unix socket, which reads HTTP itself.

Tornado's application is told of a request that has been read, and writes its answer to a `Reply`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError
from tornado.web import Application

from ds01_spawner.client.problems import MEDIA_TYPE, problem_of
from ds01_spawner.domain.errors import DS01Error, InvalidRequest
from ds01_spawner.gateway.api.reading import MOST_BODY_BYTES
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Body, Reply
from ds01_spawner.gateway.wire.head import Headers, RequestHead

_OF_THE_CONNECTION = frozenset(
    {"connection", "transfer-encoding", "content-length", "keep-alive", "upgrade", "host", "expect"}
)
"""What a message says of its connection, and not of itself (RFC 9110, section 7.6.1)."""


class Bridge:
    """Serves an application to requests that the wire has read."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(
        self, caller: Caller, head: RequestHead, body: Body, gone: asyncio.Event, reply: Reply
    ) -> None:
        """Answer one request; returns when the answer is complete, or nobody waits for it.

        Args:
            caller: Who made the connection.
            head: The request.
            body: What follows it.
            gone: Set when the client has closed its side for good.
            reply: Where the answer goes.
        """
        connection = ReplyConnection(reply, caller)
        try:
            content = await body.read(MOST_BODY_BYTES)
        except InvalidRequest as exc:  # too large, too slow, or not framed as it should be
            await _refuse(reply, exc)
            return
        delegate = self._application.start_request(connection, connection)
        try:
            start_line = RequestStartLine(head.method, head.target, "HTTP/1.1")
            ready = delegate.headers_received(start_line, _headers(head.headers))
            if ready is not None:
                await ready
            delegate.data_received(content)
            delegate.finish()
        except HTTPInputError:
            await _refuse(reply, InvalidRequest("The request cannot be read."))
            return
        leaving = asyncio.ensure_future(gone.wait())
        leaving.add_done_callback(lambda _done: connection.leave())
        try:
            await connection.pump()
        finally:
            leaving.cancel()


class _Writing(NamedTuple):
    """A part of an answer: what writes it, `None` at the end, and whoever waits until it is."""

    deed: Callable[[], Awaitable[None]] | None
    written: "asyncio.Future[None]"


class ReplyConnection(HTTPConnection):
    """What tornado writes to, in the order in which it writes.

    Attributes:
        caller: Who made the connection.
    """

    def __init__(self, reply: Reply, caller: Caller) -> None:
        self.caller = caller
        self._reply = reply
        self._left = asyncio.Event()
        self._queue: asyncio.Queue[_Writing | None] = asyncio.Queue()
        self._on_close: Callable[[], object] | None = None

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Called when nobody waits for the answer any more."""
        self._on_close = callback

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "asyncio.Future[None]":
        """The head of the answer, and perhaps the begin of its body."""
        assert isinstance(start_line, ResponseStartLine)  # noqa: S101 - servers write nothing else
        status, kept = start_line.code, dict(headers.get_all())

        async def begin() -> None:
            await self._reply.begin(status, kept)
            if chunk:
                await self._reply.write(chunk)

        return self._put(begin)

    def write(self, chunk: bytes) -> "asyncio.Future[None]":
        """More of the body."""

        async def more() -> None:
            if chunk:
                await self._reply.write(chunk)

        return self._put(more)

    def finish(self) -> None:
        """The end of the body."""
        self._put(None)

    def leave(self) -> None:
        """Nobody waits any more."""
        if self._left.is_set():
            return
        self._left.set()
        self._queue.put_nowait(None)  # whoever waits for more to write wakes up
        if self._on_close is not None:
            self._on_close()

    async def pump(self) -> None:
        """Write what comes, until it is complete or nobody waits."""
        try:
            while (writing := await self._queue.get()) is not None:
                try:
                    if self._left.is_set():
                        return
                    if writing.deed is None:
                        await self._reply.finish()
                        return
                    await writing.deed()
                    _done(writing.written)
                finally:
                    _break(writing.written)  # nothing, when it is written
        except OSError:
            pass
        finally:
            self.leave()
            while not self._queue.empty():
                if (unwritten := self._queue.get_nowait()) is not None:
                    _break(unwritten.written)

    def _put(self, deed: Callable[[], Awaitable[None]] | None) -> "asyncio.Future[None]":
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._left.is_set():
            _break(written)
        else:
            self._queue.put_nowait(_Writing(deed, written))
        return written


def _done(written: "asyncio.Future[None]") -> None:
    if not written.done():
        written.set_result(None)


def _break(written: "asyncio.Future[None]") -> None:
    if not written.done():
        written.set_exception(StreamClosedError())
        written.exception()  # nobody may be looking


def _headers(headers: Headers) -> HTTPHeaders:
    found = HTTPHeaders({"Host": "localhost"})
    for name, value in headers:
        if name.lower() not in _OF_THE_CONNECTION:
            found.add(name, value)
    return found


async def _refuse(reply: Reply, error: DS01Error) -> None:
    problem = problem_of(error)
    body = problem.model_dump_json(exclude_defaults=True).encode()
    headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
    await reply.begin(HTTPStatus(problem.status), headers)
    await reply.write(body)
    await reply.finish()
