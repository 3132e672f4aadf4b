"""Looking something up in the audit log, from its end: what happened last is asked for most."""

import gzip
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

BLOCK_BYTES = 64 * 1024
LONGEST_LOOK_SECONDS = 2.0
_BETWEEN_LOOKS_AT_THE_CLOCK = 256
_PLACE = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,15})", re.ASCII)


class Expired(Exception):
    """The place where a search went on is not in the log any more."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a search found so far.

    Attributes:
        found: Events, as they are written, the newest first.
        following: Where it goes on; `None` when all has been searched.
    """

    found: tuple[dict[str, Any], ...]
    following: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    """The end of what is still to be searched: a file, and how far into it."""

    inode: int
    offset: int

    def __str__(self) -> str:
        return f"{self.inode:x}-{self.offset:x}"

    @classmethod
    def parse(cls, text: str) -> "_Place":
        found = _PLACE.fullmatch(text)
        if found is None:
            raise Expired("This is no place in the event log")
        return cls(int(found[1], 16), int(found[2], 16))


def search_events(  # noqa: PLR0913 - two of them are for tests
    path: Path,
    wanted: Callable[[Mapping[str, object]], bool],
    *,
    limit: int,
    cursor: str | None = None,
    holding: str | None = None,
    seconds: float = LONGEST_LOOK_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
) -> Page:
    """Events that are wanted, the newest first.

    Rotated files are searched after the present one. A search ends with `limit` events, or after
    `seconds`, whichever is first; it goes on where `following` says.

    Args:
        path: The present file.
        wanted: Whether an event is.
        limit: How many there may be.
        cursor: Where the last search ended.
        holding: A text that every wanted event has as one of its values. Lines without it are not
            read, which takes a third of the time.
        seconds: How long it may take.
        monotonic: Seconds that never jump.

    Raises:
        Expired: The cursor's file has been rotated away or compressed.
        OSError: A file cannot be read.
    """
    ends = monotonic() + seconds
    found: list[dict[str, Any]] = []
    place: _Place | None = None
    marks = () if holding is None else _written(holding)
    for count, (at, text) in enumerate(_lines(path, _Place.parse(cursor) if cursor else None)):
        place = at
        may_be = not marks or any(mark in text for mark in marks)
        fields = _object(text) if may_be else None
        if fields is not None and wanted(fields):
            found.append(fields)
        late = count % _BETWEEN_LOOKS_AT_THE_CLOCK == 0 and count and monotonic() >= ends
        if len(found) >= limit or late:
            return Page(tuple(found), str(place))
    return Page(tuple(found), None)


def _written(text: str) -> tuple[bytes, ...]:
    """How a text may be written as JSON."""
    ways = {json.dumps(text), json.dumps(text, ensure_ascii=False)}
    return tuple(each.encode(errors="surrogatepass") for each in ways)


def _lines(path: Path, begin: _Place | None) -> Iterator[tuple[_Place, bytes]]:
    """Lines from the end, each with the place where it begins."""
    seen: set[int] = set()
    started = begin is None
    for name in _newest_first(path):
        try:
            file = name.open("rb")
        except FileNotFoundError:
            continue
        with file:
            inode = os.fstat(file.fileno()).st_ino
            if inode in seen:
                continue
            seen.add(inode)
            if begin is not None and not started and inode != begin.inode:
                continue
            end = begin.offset if begin is not None and not started else None
            started = True
            lines = (
                _backwards_in_memory(gzip.GzipFile(fileobj=file), end)
                if name.suffix == ".gz"
                else _backwards(file, end)
            )
            for offset, line in lines:
                yield _Place(inode, offset), line
    if not started:
        raise Expired("The event log has been rotated since")


def _newest_first(path: Path) -> list[Path]:
    """The present file, then rotated ones by when they were last written."""
    rotated = [*path.parent.glob(f"{path.name}.[0-9]*"), *path.parent.glob(f"{path.name}-[0-9]*")]
    ages: list[tuple[float, Path]] = []
    for each in rotated:
        try:
            ages.append((each.stat().st_mtime, each))
        except FileNotFoundError:
            continue
    return [path, *(each for _, each in sorted(ages, reverse=True))]


def _backwards(file: IO[bytes], end: int | None) -> Iterator[tuple[int, bytes]]:
    """Lines before `end`, the last first, each with its offset."""
    size = file.seek(0, os.SEEK_END)
    rest = b""
    position = min(end, size) if end is not None else size
    while position > 0:
        part = min(BLOCK_BYTES, position)
        position -= part
        file.seek(position)
        block = file.read(part) + rest
        first, *others = block.split(b"\n")
        at = position + len(block)
        for line in reversed(others):
            at -= len(line)
            if line:
                yield at, line
            at -= 1
        rest = first
    if rest:
        yield 0, rest


def _backwards_in_memory(file: gzip.GzipFile, end: int | None) -> Iterator[tuple[int, bytes]]:
    """A compressed file can be read in one direction only."""
    offsets: list[tuple[int, bytes]] = []
    at = 0
    for line in file:
        if end is not None and at >= end:
            break
        if text := line.rstrip(b"\n"):
            offsets.append((at, text))
        at += len(line)
    return iter(reversed(offsets))


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(text)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None
