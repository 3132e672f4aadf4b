"""Moves bytes from socket to socket within the kernel: half the work of receiving and sending them.

Measured on Unix sockets: 0.16 s of CPU time for a gigabyte, against 0.33 s.
"""

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ds01_spawner.gateway.wire.line import Line

_CAPACITY: Final = 256 * 1024
_SPARE: Final = 16
_FLAGS: Final = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE


@dataclass(frozen=True, slots=True)
class _Pipe:
    out: int
    into: int

    def close(self) -> None:
        os.close(self.out)
        os.close(self.into)


class Pipes:
    """Pipes that streams borrow while something moves; an idle stream holds none."""

    def __init__(self) -> None:
        self._spare: list[_Pipe] = []

    async def move(self, source: Line, sink: Line) -> bool:
        """Pass on what comes next; false at the source's end.

        Raises:
            ConnectionError: Either side is broken.
        """
        pipe = self._take()
        try:
            count = os.splice(source.sock.fileno(), pipe.into, _CAPACITY, flags=_FLAGS)
            await self._empty(pipe, count, sink)
        except BlockingIOError:
            self._give_back(pipe)
            await source.readable()
            return True
        except BaseException:
            pipe.close()
            raise
        self._give_back(pipe)
        await source.take_turns(count)
        return count > 0

    async def _empty(self, pipe: _Pipe, left: int, sink: Line) -> None:
        while left:
            try:
                left -= os.splice(pipe.out, sink.sock.fileno(), left, flags=_FLAGS)
            except BlockingIOError:
                await sink.writable()

    def close(self) -> None:
        """Close the spare ones."""
        while self._spare:
            self._spare.pop().close()

    def _take(self) -> _Pipe:
        if self._spare:
            return self._spare.pop()
        pipe = _Pipe(*os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC))
        with suppress(OSError):  # above the bound of those who are not root: it stays smaller
            fcntl.fcntl(pipe.into, fcntl.F_SETPIPE_SZ, _CAPACITY)
        return pipe

    def _give_back(self, pipe: _Pipe) -> None:
        if len(self._spare) < _SPARE:
            self._spare.append(pipe)
        else:
            pipe.close()
