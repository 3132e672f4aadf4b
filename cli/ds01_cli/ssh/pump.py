"""Carries bytes between standard input and output and a container, until one side ends."""

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

OUTPUT, MESSAGES = 1, 2
"""Streams of what is in the container."""

PIECE_BYTES = 64 * 1024
MOST_WAITING = 1024 * 1024
"""Bytes that wait to be sent before no more are read from standard input."""

ENDING_SECONDS = 5.0
"""How long the other side has to end after standard input did."""

_INPUT = 0


class Line(Protocol):
    """A connection to a program in a container."""

    sock: socket.socket

    def said(self, data: bytes) -> bytes:
        """What is sent so that the program reads `data`."""
        ...

    def early(self) -> Iterable[tuple[int, bytes]]:
        """What had been received already when it was opened."""
        ...

    def heard(self, data: bytes) -> Iterable[tuple[int, bytes]]:
        """What the program wrote, with its stream; `data` was received, `b""` is its end."""
        ...

    def answer(self) -> bytes:
        """What the connection itself wants to be sent, such as that it is alive."""
        ...

    def end(self) -> bytes:
        """What is sent when nothing more is said; all before it has been sent."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether the program has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A way into a container.

    Attributes:
        line: The connection.
        host_keys: What its SSH server must show.
        started: Whether the container was started for it.
    """

    line: Line
    host_keys: tuple[str, ...]
    started: bool


def pump(opened: Opened) -> int:
    """Carry bytes until one side ends; returns 1 where the program had to say why, else 0."""
    return _Pump(opened.line).run()


class _Pump:
    def __init__(self, line: Line) -> None:
        self._line = line
        self._sock = line.sock
        self._waiting = bytearray()
        self._input: int | socket.socket | None = _input()
        self._deadline: float | None = None
        self._code = 0

    def run(self) -> int:
        self._sock.setblocking(False)  # noqa: FBT003 - its only argument
        self._show(self._line.early())
        while not self._line.is_over and not self._is_late():
            readers: list[int | socket.socket] = [self._sock]
            if self._input is not None and len(self._waiting) < MOST_WAITING:
                readers.append(self._input)
            writers = [self._sock] if self._waiting else []
            ready, writable, _ = select.select(readers, writers, [], self._patience())
            if writable:
                self._send()
            if self._sock in ready or _decrypted(self._sock):
                self._receive()
            if self._input is not None and self._input in ready:
                self._read(self._input)
        return self._code

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _patience(self) -> float | None:
        if _decrypted(self._sock):
            return 0.0
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def _send(self) -> None:
        try:
            sent = self._sock.send(self._waiting)
        except OSError as exc:
            if not _must_wait(exc):
                self._waiting.clear()
            return
        del self._waiting[:sent]
        if not self._waiting and self._deadline is not None:
            self._waiting += self._line.end()

    def _receive(self) -> None:
        try:
            data = self._sock.recv(PIECE_BYTES)
        except OSError as exc:
            if _must_wait(exc):
                return
            data = b""
        self._show(self._line.heard(data))

    def _show(self, parts: Iterable[tuple[int, bytes]]) -> None:
        for stream, part in parts:
            if stream == OUTPUT:
                _write_all(part)
            else:
                self._code = 1
                sys.stderr.write(part.decode(errors="replace"))
                sys.stderr.flush()
        self._waiting += self._line.answer()

    def _read(self, source: int | socket.socket) -> None:
        try:
            data = os.read(source, PIECE_BYTES) if isinstance(source, int) else source.recv(65536)
        except OSError:
            data = b""
        if data:
            self._waiting += self._line.said(data)
            return
        self._input = None
        self._deadline = time.monotonic() + ENDING_SECONDS
        if not self._waiting:
            self._waiting += self._line.end()


def _input() -> int | socket.socket:
    """Standard input, as something that `select` takes: on Windows that is sockets alone."""
    if os.name != "nt":
        return _INPUT
    here, there = socket.socketpair()

    def carry() -> None:
        while data := os.read(_INPUT, PIECE_BYTES):
            there.sendall(data)
        there.close()

    threading.Thread(target=carry, daemon=True).start()
    return here


def _decrypted(sock: socket.socket) -> bool:
    """Whether TLS holds something that `select` does not see."""
    pending = getattr(sock, "pending", None)
    return pending is not None and pending() > 0


def _must_wait(error: OSError) -> bool:
    """Whether nothing is wrong but the moment; TLS has errors of its own for that."""
    words = {"SSLWantReadError", "SSLWantWriteError"}
    return isinstance(error, BlockingIOError) or type(error).__name__ in words


def _write_all(data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(OUTPUT, left) :]
