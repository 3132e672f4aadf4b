"""The answer to a client, as it goes over its connection."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from ds01_spawner.gateway.wire.body import RequestBody
from ds01_spawner.gateway.wire.errors import ClientGone
from ds01_spawner.gateway.wire.head import RequestHead, status_line, written
from ds01_spawner.gateway.wire.line import Line

_JSON: Final = {"Content-Type": "application/json"}
_LAST_CHUNK: Final = b"0\r\n\r\n"
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class WireReply:
    """One answer; see `Reply`.

    Attributes:
        begun: Whether any of it was sent.
        finished: Whether all of it was sent.
        keep_alive: Whether another request may follow on the connection.
        taken: Whether the connection has become a raw stream.
    """

    def __init__(self, line: Line, head: RequestHead, body: RequestBody) -> None:
        self._line = line
        self._body = body
        self._bodiless = head.method == "HEAD"
        self._chunks_understood = head.chunks_understood
        self._chunked = False
        self.begun = False
        self.finished = False
        self.keep_alive = head.keep_alive
        self.taken = False

    async def json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer."""
        await self.whole(status, (json.dumps(value) + "\n").encode(), {**_JSON, **(headers or {})})

    async def empty(self, status: int = 204, headers: Mapping[str, str] | None = None) -> None:
        """An answer without a body."""
        await self.whole(status, b"", headers or {})

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """An answer whose body is known."""
        has_length = status not in _WITHOUT_BODY
        length = {"Content-Length": str(len(body))} if has_length else {}
        head = self._head(status, {**length, **headers})
        await self._send(head + body if has_length and not self._bodiless else head)
        self.finished = True

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of an answer whose body follows; chunked unless it has `Content-Length`."""
        if status in _WITHOUT_BODY:
            self._bodiless = True
        elif "Content-Length" not in headers and self._chunks_understood:
            self._chunked = not self._bodiless
            headers = {**headers, "Transfer-Encoding": "chunked"}
        elif "Content-Length" not in headers:
            self.keep_alive = self.keep_alive and self._bodiless
        await self._send(self._head(status, headers))

    async def write(self, chunk: bytes) -> None:
        """More of the body; returns when the client has taken enough to be given more."""
        if not chunk or self._bodiless:
            return
        if self._chunked:
            await self._send(b"%x\r\n" % len(chunk), chunk, b"\r\n")
        else:
            await self._send(chunk)

    async def finish(self) -> None:
        """The end of the body."""
        if self._chunked and not self._bodiless:
            await self._send(_LAST_CHUNK)
        self.finished = True

    async def take(self, status: int, headers: Mapping[str, str]) -> Line:
        """The connection itself, after the head of an answer: from now on a raw stream."""
        await self._body.drop()
        self.keep_alive = False
        self.taken = True
        self.begun = True
        try:
            await self._line.send(written(status_line(status), headers.items()))
        except ConnectionError as exc:
            raise ClientGone(str(exc)) from exc
        return self._line

    async def pour(self, status: int, headers: Mapping[str, str]) -> Line | None:
        """The connection, after the head, for a body that is in chunks already, to its last one.

        `None`, and nothing is sent, where the client does not read chunks. `finish` is due after
        it. No other request may follow, as nobody looks where the last chunk is.
        """
        if not self._chunks_understood or self._bodiless:
            return None
        self.keep_alive = False
        await self._send(self._head(status, {**headers, "Transfer-Encoding": "chunked"}))
        return self._line

    def _head(self, status: int, headers: Mapping[str, str]) -> bytes:
        if self.begun:
            raise RuntimeError("a request was answered twice")
        self.keep_alive = self.keep_alive and self._body.worth_dropping
        connection = {} if self.keep_alive else {"Connection": "close"}
        text = written(status_line(status), {**headers, **connection}.items())
        self.begun = True
        return text

    async def _send(self, *parts: bytes) -> None:
        try:
            await self._line.send(*parts)
        except ConnectionError as exc:
            raise ClientGone(str(exc)) from exc
