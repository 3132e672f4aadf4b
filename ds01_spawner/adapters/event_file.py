"""The audit log: `events.jsonl`, appended by several processes, rotated weekly, four kept."""

import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ds01_spawner.adapters.event_line import event_line
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.labels import parse_timestamp

KEPT_FILES = 4
_FILE_MODE = 0o640
_FOLDER_MODE = 0o750
_POLL_SECONDS = 0.002
_FIRST_MOMENT = re.compile(rb'^\{"ts":"([0-9T:.Z-]{20,32})"')


class EventFile:
    """The `EventLog` port.

    Every append opens the file by its name, under a lock that all writers share, and writes one
    line at its end. So a file that somebody renames or truncates meanwhile (logrotate) loses
    nothing of ours, and two processes neither mix their lines nor rotate twice. The lock is a
    file of its own which only its owner can open: a reader cannot hold up the platform with it.

    Args:
        path: The file; its folder is made when it is missing.
        lock_seconds: How long to wait for other writers.
    """

    def __init__(self, path: Path, *, lock_seconds: float = 5.0) -> None:
        self.path = path
        self._lock_path = path.with_name(f".{path.name}.lock")
        self._lock_seconds = lock_seconds

    def append(self, event: Event) -> None:
        """Write one line; it is in the file when this returns.

        Raises:
            Unavailable: It could not be written (disk full, lock not taken). Nothing of it is in
                the file then. The caller decides whether what it was about may happen: an
                allocation that cannot be audited should not.
        """
        line = event_line(event)
        try:
            with self._lock():
                self._rotate_before(event.ts)
                self._write(line)
        except OSError as exc:
            raise Unavailable(
                f"The event log {self.path} cannot be written: {exc.strerror or exc}.",
                "Ask the administrator to look at the disk and the file's permissions.",
            ) from exc

    def _write(self, line: bytes) -> None:
        with _opened(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _FILE_MODE) as file:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                line = b"\n" + line  # somebody's line was cut short; it stays a line of its own
            written = os.write(file, line)
            if written != len(line):
                os.ftruncate(file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _rotate_before(self, moment: datetime) -> None:
        began = self._first_moment()
        week = moment.astimezone(UTC).isocalendar()[:2]
        if began is None or began.isocalendar()[:2] >= week:
            return
        for number in range(KEPT_FILES - 1, 0, -1):
            _renamed(self._rotated(number), self._rotated(number + 1))
        _renamed(self.path, self._rotated(1))

    def _rotated(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _first_moment(self) -> datetime | None:
        """When the file's first line was written, or `None` for a missing or empty file."""
        try:
            with _opened(self.path, os.O_RDONLY) as file:
                match = _FIRST_MOMENT.match(os.pread(file, 64, 0))
        except FileNotFoundError:
            return None
        return parse_timestamp(match[1].decode()) if match else None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        # Closing the file gives the lock back, however the block ends.
        with _opened(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600) as file:
            until = time.monotonic() + self._lock_seconds
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        message = f"another process holds its lock for {self._lock_seconds:.0f} s"
                        raise OSError(errno.ETIMEDOUT, message) from None
                    time.sleep(_POLL_SECONDS)
            yield


def _renamed(older: Path, newer: Path) -> None:
    # logrotate knows nothing of our lock: a file that it took meanwhile is out of the way, too.
    with suppress(FileNotFoundError):
        older.replace(newer)


@contextmanager
def _opened(path: Path, flags: int, mode: int = 0) -> Iterator[int]:
    file = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        yield file
    finally:
        os.close(file)
