"""Short-lived processes that do one thing as a person, and are left behind where they hang."""

import array
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ds01_spawner.adapters.personal_paths.exchange import LONGEST_MESSAGE
from ds01_spawner.domain.errors import OUR_FAULT, Unavailable

_MOST_HUNG = 3
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


class Children:
    """Starts a process for each command and waits for its answer, up to a deadline.

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

    def run(
        self, uid: int, command: Mapping[str, Any], descriptors: Sequence[int] = ()
    ) -> tuple[Mapping[str, Any], int | None]:
        """The answer to a command of the person `uid`, and the descriptor that came with it.

        Raises:
            CommandFailed: It could not be done.
            Unavailable: The process hangs, or ended without an answer.
        """
        self._check_hung(uid)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                process = self._started(theirs)
            ours.settimeout(self._deadline_seconds)
            try:
                socket.send_fds(ours, [json.dumps(command).encode()], list(descriptors))
                data, received = _received(ours)
            except TimeoutError as exc:
                self._leave_behind(uid, process)
                raise _silent(str(command.get("path", "")), self._deadline_seconds) from exc
            except OSError as exc:
                _end(process)
                _log.error("A process that does something as a person: %s", exc)
                raise Unavailable(*OUR_FAULT) from exc
        _end(process)
        return _answer(data, received)

    def _started(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-I", "-m", self._module],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=_EMPTY_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        except OSError as exc:
            _log.error("A process that does something as a person: %s", exc)
            raise Unavailable(*OUR_FAULT) from exc

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
    """Wait for what has answered; it has nothing more to do."""
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
