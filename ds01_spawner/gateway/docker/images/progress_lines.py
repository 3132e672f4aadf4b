"""What the engine tells while it pulls and builds: lines of JSON, watched on their way."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ds01_spawner.gateway.wire.call import Reply

LONGEST_LINE = 2 * 1024**2
"""Bytes: an error of the builder's repeats the command that failed, twice, escaped."""

UNREAD = "The engine told something that cannot be read."
_LONGEST_FAILURE = 4096
_ERROR = 400

OnLine = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From one message of the engine's to what the client gets."""


class Progress:
    """A reply that hands on another's answer, line by line as lines come.

    Attributes:
        failure: The last error that was told, its middle left out where it is long; empty without
            one.

    Args:
        reply: Gets what is told.
        on_line: Changes it.
        strict: Whether a line that cannot be read is a failure: it may tell of one.
    """

    def __init__(
        self,
        reply: Reply,
        on_line: OnLine = lambda message: message,
        *,
        strict: bool = False,
    ) -> None:
        self._reply = reply
        self._on_line = on_line
        self._strict = strict
        self._rest = bytearray()
        self._is_cut = False
        self._status = 0
        self.failure = ""

    async def json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer: an error, before there was anything to tell."""
        if isinstance(value, Mapping) and value.get("message"):
            self.failure = _shortened(str(value["message"]))
        await self._reply.json(value, status, headers)

    async def empty(self, status: int = 204, headers: Mapping[str, str] | None = None) -> None:
        """An answer without a body."""
        await self._reply.empty(status, headers)

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head; how long it will be is not known, since lines are changed."""
        self._status = status
        kept = {key: text for key, text in headers.items() if key.lower() != "content-length"}
        await self._reply.begin(status, kept)

    async def write(self, chunk: bytes) -> None:
        """Whole lines are handed on; the rest waits for its end, unless that takes too long."""
        out = bytearray()
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            out += self._whole(end) + b"\n"
        self._rest += rest
        if len(self._rest) > LONGEST_LINE:
            out += self._rest
            self._rest.clear()
            self._is_cut = True
        if out:
            await self._reply.write(bytes(out))

    async def finish(self) -> None:
        """The end of the body."""
        if rest := self._whole(b""):
            await self._reply.write(rest)
        await self._reply.finish()

    def _whole(self, end: bytes) -> bytes:
        """What is handed on of the line that ends so."""
        line = bytes(self._rest) + end
        self._rest.clear()
        if self._is_cut:
            self._is_cut = False
            return self._unread(line)
        return self._told(line)

    def _unread(self, line: bytes) -> bytes:
        if self._strict:
            self.failure = self.failure or UNREAD
        return line

    def _told(self, line: bytes) -> bytes:
        ending = line[len(line.rstrip(b"\r")) :]
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return self._unread(line) if line.strip() else line
        if not isinstance(message, dict):
            return self._unread(line)
        if message.get("error"):
            self.failure = _shortened(str(message["error"]))
        if self._status >= _ERROR and message.get("message"):
            self.failure = _shortened(str(message["message"]))
        told = self._on_line(message)
        if told == message:
            return line
        return json.dumps(told, separators=(",", ":")).encode() + ending


def _shortened(text: str) -> str:
    """How it begins and ends, where it is long."""
    half = _LONGEST_FAILURE // 2
    return text if len(text) <= _LONGEST_FAILURE else f"{text[:half]} … {text[-half:]}"


def line_of(message: Mapping[str, Any]) -> bytes:
    """One message, as Docker ends them."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\r\n"


def failure_line(message: str) -> bytes:
    """How output ends when it failed."""
    return line_of({"errorDetail": {"message": message}, "error": message})
