"""Processes that do one thing as a person and end, and are left behind where they hang."""

import array
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ds01_spawner.adapters.personal_paths.exchange import LONGEST_MESSAGE
from ds01_spawner.domain.errors import OUR_FAULT, Unavailable

_MOST_HUNG = 3
_SPARE = 2
"""So many wait for a command: to start one takes 30 ms, and a `docker run` needs one twice."""

_log = logging.getLogger(__name__)
_EMPTY_ENVIRONMENT: Mapping[str, str] = {}


class CommandFailed(Exception):
    """What the person may not do, or what is not there.

    Attributes:
        number: `errno` of the failure.
        what: The path that it is about.
    """

    def __init__(self, number: int, what: str) -> None:
        super().__init__(number, what)
        self.number = number
        self.what = what


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that waits for its one command, as root, on its end of a channel."""

    process: subprocess.Popen[bytes]
    channel: socket.socket


class Children:
    """Gives each command to a process of its own and waits for its answer, up to a deadline.

    One that hangs in a file system cannot always be killed: it stays until that answers, and a
    person of whom several hang is asked to come back later.

    Args:
        module: Run as `python -I -m MODULE`, with a socket as its standard input.
        deadline_seconds: How long a command may take.
    """

    def __init__(self, module: str, deadline_seconds: float) -> None:
        self._module = module
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._hung: dict[int, list[subprocess.Popen[bytes]]] = {}
        self._spare: deque[_Child] = deque()
        weakref.finalize(self, _dismiss, self._spare)

    def run(
        self, uid: int, command: Mapping[str, Any], descriptors: Sequence[int] = ()
    ) -> tuple[Mapping[str, Any], int | None]:
        """The answer to a command of the person `uid`, and the descriptor that came with it.

        Raises:
            CommandFailed: It could not be done.
            Unavailable: The process hangs, or ended without an answer.
        """
        self._check_hung(uid)
        child = self._taken()
        with child.channel as ours:
            ours.settimeout(self._deadline_seconds)
            try:
                socket.send_fds(ours, [json.dumps(command).encode()], list(descriptors))
                data, received = _received(ours)
            except TimeoutError as exc:
                self._leave_behind(uid, child.process)
                raise _silent(str(command.get("path", "")), self._deadline_seconds) from exc
            except OSError as exc:
                _end(child.process)
                raise Unavailable(f"A process of the gateway ended: {exc}.") from exc
        _end(child.process)
        with suppress(Unavailable):  # the next command starts its own, or says why not
            while len(self._spare) < _SPARE:
                self._spare.append(self._started())
        return _answer(data, received)

    def _taken(self) -> _Child:
        """One that waits, or a new one."""
        with suppress(IndexError):
            while True:
                child = self._spare.popleft()
                if child.process.poll() is None:
                    return child
                child.channel.close()
        return self._started()

    def _started(self) -> _Child:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-I", "-m", self._module],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_EMPTY_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as exc:
                ours.close()
                raise Unavailable(f"No process can be started: {exc}.") from exc
        return _Child(process, ours)

    def _check_hung(self, uid: int) -> None:
        with self._lock:
            alive = [each for each in self._hung.pop(uid, ()) if each.poll() is None]
            if alive:
                self._hung[uid] = alive
        if len(alive) >= _MOST_HUNG:
            raise Unavailable(
                "A file system that you asked for does not answer.",
                "Look at the network file systems, and try again when they are back.",
            )

    def _leave_behind(self, uid: int, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        with self._lock:
            self._hung.setdefault(uid, []).append(process)


def _dismiss(spare: deque[_Child]) -> None:
    """Let those go that wait: one that hears nothing more ends."""
    while spare:
        child = spare.popleft()
        child.channel.close()
        _end(child.process)


def _received(ours: socket.socket) -> tuple[bytes, int | None]:
    room = socket.CMSG_LEN(array.array("i").itemsize)
    data, control, flags, _ = ours.recvmsg(LONGEST_MESSAGE, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    first, *others = [*descriptors, None]
    for other in others:
        if other is not None:
            os.close(other)
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        if first is not None:
            os.close(first)
        raise OSError("its answer is too long")
    return data, first


def _answer(data: bytes, descriptor: int | None) -> tuple[Mapping[str, Any], int | None]:
    answer = json.loads(data) if data else None
    if answer is not None and "errno" not in answer:
        return answer, descriptor
    if descriptor is not None:
        os.close(descriptor)
    if answer is None:
        raise Unavailable(*OUR_FAULT)
    raise CommandFailed(int(answer["errno"]), str(answer["what"]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for what has nothing more to do."""
    end = time.monotonic() + 1.0
    try:
        process.wait(max(end - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _silent(path: str, seconds: float) -> Unavailable:
    return Unavailable(
        f"{path or 'A file system'} has not answered for {seconds:g} s.",
        "Look at the network file system there, and try again.",
    )
