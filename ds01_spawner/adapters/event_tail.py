"""The audit log as it goes on: what was written since a place in it, through rotations."""

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.labels import parse_timestamp

_PLACE = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,15})", re.ASCII)
_NO_FILE = 0
"""The inode of no file: there was none yet."""


class EventTail:
    """The `EventReader` port. A place is a file, by its inode, and how far into it.

    Args:
        path: The log.

    Attributes:
        unreadable_lines: How many of those that were asked for told nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unreadable_lines = 0

    def read(self, place: str, actions: Collection[str] | None) -> tuple[Sequence[Event], str]:
        """Events of these actions that were written since, and the place after them.

        Without a place nothing is told: what there is was written before anybody asked. A file that
        was rotated away for good, or compressed, is not told of. One that was cut short
        (logrotate's `copytruncate`) is read from its begin.

        Raises:
            Unavailable: The log cannot be read.
        """
        try:
            with ExitStack() as stack:
                return self._read(place, actions, stack)
        except OSError as exc:
            raise Unavailable(
                f"The event log {self._path} cannot be read: {exc.strerror or exc}.",
                "Ask the administrator to look at the file's permissions.",
            ) from exc

    def _read(
        self, place: str, actions: Collection[str] | None, stack: ExitStack
    ) -> tuple[Sequence[Event], str]:
        try:
            present = stack.enter_context(self._path.open("rb"))
        except FileNotFoundError:
            return (), place or self._end_of_newest(stack)
        match = _PLACE.fullmatch(place)
        inode = os.fstat(present.fileno()).st_ino
        if match is None:
            return (), _place_of(inode, _end_of_lines(present))
        every = [b""] if actions is None else None
        wanted = every or [f'"action":"{action}"'.encode() for action in actions or ()]
        known, offset = int(match[1], 16), int(match[2], 16)
        found: list[Event] = []
        if known != inode:
            for file in self._rotated_since(known, stack):
                found += self._events(file, offset if _inode(file) == known else 0, wanted)
            offset = 0
        if offset > os.fstat(present.fileno()).st_size:
            offset = 0
        found += self._events(present, offset, wanted)
        return found, _place_of(inode, present.tell())

    def _events(self, file: IO[bytes], offset: int, wanted: Collection[bytes]) -> Iterator[Event]:
        """Events from there on; the file is left where the last whole line ends."""
        file.seek(offset)
        while line := file.readline():
            if not line.endswith(b"\n"):
                file.seek(-len(line), os.SEEK_CUR)
                return
            if not any(each in line for each in wanted):
                continue
            if (event := _event(line)) is not None:
                yield event
            else:
                self.unreadable_lines += 1

    def _rotated_since(self, inode: int, stack: ExitStack) -> list[IO[bytes]]:
        """The rotated file that the place is in, and those that came after, oldest first.

        All of them where there was no file yet when the place was told.
        """
        files = self._rotated(stack)
        places = [_inode(file) for file in files]
        if inode == _NO_FILE:
            return files
        return files[places.index(inode) :] if inode in places else []

    def _end_of_newest(self, stack: ExitStack) -> str:
        """The place after everything that was rotated away, while there is no present file."""
        files = self._rotated(stack)
        if not files:
            return _place_of(_NO_FILE, 0)
        return _place_of(_inode(files[-1]), _end_of_lines(files[-1]))

    def _rotated(self, stack: ExitStack) -> list[IO[bytes]]:
        """The rotated files that can be read, oldest first."""
        patterns = (f"{self._path.name}.[0-9]*", f"{self._path.name}-[0-9]*")
        names = [name for pattern in patterns for name in self._path.parent.glob(pattern)]
        # The disk's clock has ticks, and several may be of the same: `.10` was before `.9`.
        names.sort(key=lambda name: (len(name.name), name.name), reverse=True)
        files: list[IO[bytes]] = [
            stack.enter_context(name.open("rb")) for name in names if name.suffix != ".gz"
        ]
        files.sort(key=lambda file: os.fstat(file.fileno()).st_mtime_ns)
        return files


def _inode(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_ino


def _place_of(inode: int, offset: int) -> str:
    return f"{inode:x}-{offset:x}"


def _end_of_lines(file: IO[bytes]) -> int:
    """Where the last whole line ends: the file's end, but while a line is being written."""
    position = file.seek(0, os.SEEK_END)
    while position > 0:
        begin = max(0, position - 4096)
        file.seek(begin)
        if (found := file.read(position - begin).rfind(b"\n")) >= 0:
            return begin + found + 1
        position = begin
    return 0


def _event(line: bytes) -> Event | None:
    """An event, or `None` where the line is broken."""
    try:
        fields: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    moment, details = parse_timestamp(str(fields.get("ts", ""))), fields.get("details")
    if moment is None:
        return None
    user = fields.get("user")
    told: Mapping[str, object] = details if isinstance(details, dict) else {}
    return Event(
        ts=moment,
        user=None if user is None else str(user),
        action=str(fields.get("action", "")),
        resource=str(fields.get("resource", "")),
        actor=str(fields.get("actor", "")),
        interface=str(fields.get("interface", "")),
        outcome=str(fields.get("outcome", "")),
        reason=str(fields.get("reason", "")),
        details=told,
    )
