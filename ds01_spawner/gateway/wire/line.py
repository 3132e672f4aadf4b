"""One connection: its socket, and what was received from it too early."""

import asyncio
import socket
from contextlib import suppress
from typing import Final

from ds01_spawner.gateway.wire.framing import Framing
from ds01_spawner.gateway.wire.head import END, MOST_HEAD_BYTES, Malformed

AT_ONCE: Final = 256 * 1024
"""Bytes received in one go: the most that a Unix socket's buffer holds, or about."""

_TURN_BYTES: Final = 1024 * 1024
"""After so much in one go others have their turn: ready sockets never suspend a coroutine."""


class Line:
    """A connected stream socket on the event loop.

    Args:
        sock: Non-blocking; closed with the line.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._early = b""
        self._since_turn = 0

    @property
    def early(self) -> bytes:
        """What was received and not used yet."""
        return self._early

    def put_back(self, data: bytes) -> None:
        """Give back what was received too early; the next `receive` returns it first."""
        self._early = data + self._early

    async def receive(self, most: int = AT_ONCE) -> bytes:
        """What has come, at least a byte; empty when the other side will send no more.

        Raises:
            ConnectionError: The connection is broken.
        """
        if self._early:
            data, self._early = self._early, b""
            return data
        data = await self._loop.sock_recv(self.sock, most)
        await self._take_turns(len(data))
        return data

    async def receive_head(self) -> bytes | None:
        """A message's head without the empty line that ends it; `None` when none came.

        Raises:
            Malformed: It is too long, or the connection ended within it.
        """
        data = await self.receive(MOST_HEAD_BYTES)
        searched = 0
        while data and (at := data.find(END, searched)) < 0:
            searched = max(0, len(data) - len(END) + 1)
            more = b"" if len(data) > MOST_HEAD_BYTES else await self.receive(MOST_HEAD_BYTES)
            if not more:
                raise Malformed(
                    f"The head of the request is longer than {MOST_HEAD_BYTES} bytes or incomplete."
                )
            data += more
        if not data:
            return None
        if at > MOST_HEAD_BYTES:
            raise Malformed(f"The head of the request is longer than {MOST_HEAD_BYTES} bytes.")
        self.put_back(data[at + len(END) :])
        return data[:at]

    async def receive_parts(self, framing: Framing) -> list[memoryview]:
        """The next parts of a body; none at its end.

        Raises:
            ConnectionError: The connection ended before the body.
            Malformed: The body is not framed as it should be.
        """
        while not framing.done:
            data = await self.receive()
            if not data:
                if framing.eof():
                    break
                raise ConnectionResetError("the connection ended within a body")
            parts = framing.feed(data)
            if framing.surplus:
                self.put_back(framing.surplus)
                framing.surplus = b""
            if parts:
                return parts
        return []

    async def receive_body(self, framing: Framing) -> bytes:
        """The next part of a body in one piece; empty at its end. Raises as `receive_parts`."""
        return b"".join(await self.receive_parts(framing))

    async def send(self, *parts: bytes | memoryview) -> None:
        """Send all of it; returns when the kernel has taken it.

        Raises:
            ConnectionError: The other side takes no more.
        """
        left = list(parts)
        while left:
            try:
                sent = self.sock.sendmsg(left)
            except (BlockingIOError, InterruptedError):
                await self.writable()
                continue
            while left and sent >= len(left[0]):
                sent -= len(left.pop(0))
            if sent:
                left[0] = memoryview(left[0])[sent:]
        await self._take_turns(sum(map(len, parts)))

    def end(self) -> None:
        """Say that nothing more will be sent."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def refuse_more(self) -> None:
        """Let the other side's sending fail."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    async def writable(self) -> None:
        """Returns when something can be sent."""
        ready = self._loop.create_future()
        self._loop.add_writer(self.sock, _settle, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(self.sock)

    async def _take_turns(self, count: int) -> None:
        """Let others have their turn, now and then; `count` bytes were moved."""
        self._since_turn += count
        if self._since_turn >= _TURN_BYTES:
            self._since_turn = 0
            await asyncio.sleep(0)


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
