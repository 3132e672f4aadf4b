"""Moves bytes from socket to socket within the kernel: half the work of receiving and sending them.

Measured on Unix sockets: 0.16 s of CPU time for a gigabyte, against 0.33 s.
"""

import asyncio
import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ds01_spawner.gateway.wire.line import Line

_CAPACITY: Final = 256 * 1024
"""Bytes moved in one go; after that others have their turn."""

_SPARE: Final = 16
_FLAGS: Final = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE


@dataclass(frozen=True, slots=True)
class Pipe:
    """What the kernel moves bytes through (splice(2))."""

    out: int
    into: int

    def close(self) -> None:
        """Close both ends."""
        os.close(self.out)
        os.close(self.into)


class Pipes:
    """Pipes that flows borrow while something moves; an idle one holds none."""

    def __init__(self) -> None:
        self._spare: list[Pipe] = []

    def take(self) -> Pipe:
        """An empty pipe."""
        if self._spare:
            return self._spare.pop()
        pipe = Pipe(*os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC))
        with suppress(OSError):  # above the bound of those who are not root: it stays smaller
            fcntl.fcntl(pipe.into, fcntl.F_SETPIPE_SZ, _CAPACITY)
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        """Give back an empty pipe."""
        if len(self._spare) < _SPARE:
            self._spare.append(pipe)
        else:
            pipe.close()

    def close(self) -> None:
        """Close the spare ones."""
        while self._spare:
            self._spare.pop().close()


class Flow:
    """Moves what comes from one line to another, until the source ends or either breaks.

    The source is not read while the sink takes nothing.

    Args:
        source: Nobody else reads it.
        sink: Nobody else writes to it.
        pipes: Where pipes are borrowed.

    Attributes:
        over: Done at the end: whether everything was passed on; fails where the kernel cannot move
            anything between such sockets.
    """

    def __init__(self, source: Line, sink: Line, pipes: Pipes) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._sink = sink
        self._pipes = pipes
        self._pipe: Pipe | None = None
        self._left = 0
        self._reading = False
        self._writing = False
        self.over: asyncio.Future[bool] = self._loop.create_future()

    async def start(self) -> None:
        """Pass on what was received too early, and begin."""
        if self._source.early:
            try:
                await self._sink.send(await self._source.receive())
            except ConnectionError:
                self._finish(complete=False)
                return
        self._read()

    def stop(self) -> None:
        """Move nothing more."""
        if self._reading:
            self._loop.remove_reader(self._source.sock)
            self._reading = False
        if self._writing:
            self._loop.remove_writer(self._sink.sock)
            self._writing = False
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def _read(self) -> None:
        self._loop.add_reader(self._source.sock, self._readable)
        self._reading = True

    def _readable(self) -> None:
        self._pipe = pipe = self._pipes.take()
        try:
            self._left = os.splice(self._source.sock.fileno(), pipe.into, _CAPACITY, flags=_FLAGS)
        except BlockingIOError:
            self._return_pipe()
        except ConnectionError:
            # Whoever closes a Unix socket with something unread breaks it, behind all they sent.
            self._return_pipe()
            self._finish(complete=True)
        except OSError as exc:
            self._fail(exc)
        else:
            if self._left:
                self._drain()
            else:
                self._return_pipe()
                self._finish(complete=True)

    def _drain(self) -> None:
        """Empty the pipe into the sink; while that is full, the source waits."""
        assert self._pipe is not None  # noqa: S101 - for the type checker
        try:
            while self._left:
                self._left -= os.splice(
                    self._pipe.out, self._sink.sock.fileno(), self._left, flags=_FLAGS
                )
        except BlockingIOError:
            if not self._writing:
                self._loop.remove_reader(self._source.sock)
                self._loop.add_writer(self._sink.sock, self._drain)
                self._reading, self._writing = False, True
            return
        except ConnectionError:
            self._finish(complete=False)
            return
        except OSError as exc:
            self._fail(exc)
            return
        self._return_pipe()
        if self._writing:
            self._loop.remove_writer(self._sink.sock)
            self._writing = False
            self._read()

    def _return_pipe(self) -> None:
        if self._pipe is not None:
            self._pipes.give_back(self._pipe)
            self._pipe = None

    def _finish(self, *, complete: bool) -> None:
        self.stop()
        if not self.over.done():
            self.over.set_result(complete)

    def _fail(self, error: OSError) -> None:
        self.stop()
        if not self.over.done():
            self.over.set_exception(error)
