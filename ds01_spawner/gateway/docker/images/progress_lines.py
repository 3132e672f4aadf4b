"""What the engine tells while it pulls and builds: lines of JSON, watched on their way."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ds01_spawner.gateway.wire.call import Reply

LONGEST_LINE = 64 * 1024
_ERROR = 400

OnLine = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From one message of the engine's to what the client gets."""


class Progress:
    """A reply that hands on another's answer, line by line as lines come.

    Attributes:
        failure: The last error that was told; empty without one.
    """

    def __init__(self, reply: Reply, on_line: OnLine = lambda message: message) -> None:
        self._reply = reply
        self._on_line = on_line
        self._rest = b""
        self._status = 0
        self.failure = ""

    async def json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer: an error, before there was anything to tell."""
        if isinstance(value, Mapping) and value.get("message"):
            self.failure = str(value["message"])
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
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        out = b"".join(self._told(line) + b"\n" for line in lines)
        if len(self._rest) > LONGEST_LINE:
            out, self._rest = out + self._rest, b""
        if out:
            await self._reply.write(out)

    async def finish(self) -> None:
        """The end of the body."""
        if self._rest:
            await self._reply.write(self._told(self._rest))
        await self._reply.finish()

    def _told(self, line: bytes) -> bytes:
        ending = line[len(line.rstrip(b"\r")) :]
        try:
            message = json.loads(line)
        except ValueError:
            return line
        if not isinstance(message, dict):
            return line
        if message.get("error"):
            self.failure = str(message["error"])
        if self._status >= _ERROR and message.get("message"):
            self.failure = str(message["message"])
        told = self._on_line(message)
        if told == message:
            return line
        return json.dumps(told, separators=(",", ":")).encode() + ending


def line_of(message: Mapping[str, Any]) -> bytes:
    """One message, as Docker ends them."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\r\n"


def failure_line(message: str) -> bytes:
    """How output ends when it failed."""
    return line_of({"errorDetail": {"message": message}, "error": message})
