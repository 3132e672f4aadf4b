"""The process that looks into homes, as the rest of the platform sees it."""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ds01_spawner.domain.errors import NotFound, Unavailable

MODULE = "ds01_spawner.adapters.storage"
HUNG_SECONDS = 600.0
"""A home that did not answer is left alone for so long."""

_MARGIN = 2.0
_MOST_HUNG = 3
_CHUNK = 65536


class Walker:
    """Starts the process when it is needed, asks it, and leaves it behind where it hangs.

    One question at a time. The process ends by itself when this one does.

    Args:
        folder: Where it keeps what it found; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._number = 0
        self._left_behind: list[subprocess.Popen[bytes]] = []
        self._hung: dict[str, float] = {}
        self._waiting: tuple[str, str | None] | None = None

    def ask(self, question: Mapping[str, Any], seconds: float) -> Mapping[str, Any] | None:
        """The answer to a question about `path`, or `None` when it is not ready in time.

        Raises:
            NotFound: There is no such home.
            Unavailable: It cannot be read, or does not answer.
        """
        path = question["path"]
        end = time.monotonic() + seconds
        if not self._turn.acquire(timeout=seconds):
            return None
        try:
            if self._hung.get(path, 0.0) > time.monotonic():
                raise _silent(path)
            answer = self._exchange(question, max(end - time.monotonic(), 0.0))
        finally:
            self._turn.release()
        if answer is not None and "error" in answer:
            kind = NotFound if answer.get("missing") else Unavailable
            raise kind(f"The home {path} cannot be measured: {answer['error']}.")
        return answer

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    def _exchange(self, question: Mapping[str, Any], seconds: float) -> Mapping[str, Any] | None:
        self._number += 1
        line = json.dumps({**question, "id": self._number}).encode() + b"\n"
        end = time.monotonic() + seconds + _MARGIN
        for attempt in (1, 2):
            process = self._running()
            try:
                _write(process, line)
                return self._answer(process, end)
            except EOFError as exc:
                # It ends when nobody asks; that may have been this moment. Killed, it starts over.
                self._end()
                if attempt == 2:  # noqa: PLR2004
                    raise Unavailable("The process that measures homes ended.") from exc
            except TimeoutError:
                self._late(process, question["path"])
                return None
        raise AssertionError

    def _late(self, process: subprocess.Popen[bytes], path: str) -> None:
        """No answer came. One that has not run since the last time it was late hangs.

        The first time it may only be slow: it has the lowest claim on disks and CPUs.
        """
        late, run = self._waiting, _time_run(process)
        # The first question that was not answered is the one that it hangs in.
        first = path if late is None else late[0]
        self._waiting = (first, run)
        if late is None or run is None or late[1] != run:
            return
        self._leave_behind(first)
        if first == path:
            raise _silent(path)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._left_behind = [each for each in self._left_behind if each.poll() is None]
        if len(self._left_behind) >= _MOST_HUNG:
            raise Unavailable(
                f"{len(self._left_behind)} processes that measured homes hang in a file system "
                "that does not answer; homes are not measured.",
                "Look at network file systems below the homes.",
            )
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                # -P: what lies in the working directory is never imported.
                [sys.executable, "-P", "-m", MODULE, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as exc:
            raise Unavailable(f"Homes cannot be measured: {exc}.") from exc
        self._unread = b""
        self._waiting = None
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], end: float) -> Mapping[str, Any]:
        """The answer to the last question; those to earlier ones, given up, are passed over.

        Raises:
            EOFError: The process has ended.
            TimeoutError: There is none by `end`.
        """
        while True:
            line, found, rest = self._unread.partition(b"\n")
            if found:
                self._unread = rest
                answer: Mapping[str, Any] = json.loads(line)
                if answer["id"] == self._number:
                    self._waiting = None
                    return answer
                continue
            assert process.stdout is not None  # noqa: S101 - it was asked for
            descriptor = process.stdout.fileno()
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(max(end - time.monotonic(), 0.0) * 1000):
                raise TimeoutError
            data = os.read(descriptor, _CHUNK)
            if not data:
                raise EOFError
            self._unread += data

    def _leave_behind(self, path: str) -> None:
        """A process in a file system that does not answer may not even die: nobody waits for it."""
        self._hung = {each: until for each, until in self._hung.items() if until > time.monotonic()}
        self._hung[path] = time.monotonic() + HUNG_SECONDS
        self._waiting = None
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            _close_pipes(process)
            self._left_behind.append(process)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        _close_pipes(process)
        try:
            process.wait(_MARGIN)
        except subprocess.TimeoutExpired:
            self._left_behind.append(process)


def _write(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    try:
        process.stdin.write(line)
    except BrokenPipeError as exc:
        raise EOFError from exc


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _time_run(process: subprocess.Popen[bytes]) -> str | None:
    """How long its main thread, which walks, has run; `None` while it waits for a CPU only."""
    folder = Path("/proc", str(process.pid))
    try:
        state = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        return None if state == "R" else (folder / "schedstat").read_text().split()[0]
    except (OSError, IndexError):
        return ""


def _silent(path: str) -> Unavailable:
    return Unavailable(
        f"The file system of {path} does not answer.", "Look at the network file system there."
    )
