"""Reading the audit log back: rotated files first, then the present one, then what comes."""

import gzip
import json
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log.

    Attributes:
        text: As it was written, without the newline.
        fields: Its JSON object, or `None` when the line is broken.
    """

    text: str
    fields: dict[str, Any] | None


def read_events(path: Path) -> Iterator[Line]:
    """Every line that there is now, oldest first.

    Raises:
        OSError: A file cannot be read.
    """
    with ExitStack() as stack:
        for file in _opened_files(path, stack, present=True):
            yield from _lines(file)


def follow_events(
    path: Path, *, caught_up: Callable[[], bool] = lambda: True, poll_seconds: float = POLL_SECONDS
) -> Iterator[Line]:
    """Every line that there is and every line that comes, through rotations.

    Args:
        path: The log; it may not exist yet.
        caught_up: Called when all lines have been given, before waiting; `False` ends it.
        poll_seconds: How often to look.
    """
    with ExitStack() as stack:
        for older in _opened_files(path, stack, present=False):
            yield from _lines(older)
    while True:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            if not caught_up():
                return
            time.sleep(poll_seconds)
            continue
        with file:
            replaced = yield from _follow_file(file, path, caught_up, poll_seconds)
        if not replaced:
            return


def _opened_files(path: Path, stack: ExitStack, *, present: bool) -> list[IO[bytes]]:
    """The log's files, oldest first, whoever rotated them (`.1`, `.2.gz`, `-20260131`).

    All are opened before one is read, and each once, so that a rotation in between neither hides
    nor repeats lines.
    """
    seen: set[tuple[int, int]] = set()
    older: list[tuple[str, IO[bytes]]] = []
    newest = [file] if (file := _opened(path, stack, seen)) is not None else []
    for pattern in (f"{path.name}.[0-9]*", f"{path.name}-[0-9]*"):
        for name in path.parent.glob(pattern):
            if (file := _opened(name, stack, seen)) is not None:
                first = next(_lines(file), None)
                older.append((str((first.fields or {}).get("ts", "")) if first else "", file))
                file.seek(0)
    older.sort(key=lambda entry: entry[0])
    return [file for _, file in older] + (newest if present else [])


def _opened(path: Path, stack: ExitStack, seen: set[tuple[int, int]]) -> IO[bytes] | None:
    try:
        file = stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None
    status = os.fstat(file.fileno())
    if (status.st_dev, status.st_ino) in seen:
        return None
    seen.add((status.st_dev, status.st_ino))
    if path.suffix == ".gz":
        return cast("IO[bytes]", stack.enter_context(gzip.open(file)))
    return file


def _follow_file(
    file: IO[bytes], path: Path, caught_up: Callable[[], bool], poll_seconds: float
) -> Generator[Line, None, bool]:
    """The file's lines; returns whether another file has its name now."""
    opened = os.fstat(file.fileno())
    rest = b""
    while True:
        # Asked before the last read of the old file, so that nothing between is missed.
        named = _status(path)
        replaced = named is None or (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino)
        while data := file.read(1 << 16):
            *lines, rest = (rest + data).split(b"\n")
            yield from (_line(line) for line in lines if line)
        if replaced:
            if rest:
                yield _line(rest)
            return True
        if os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)
            rest = b""
            continue
        if not caught_up():
            return False
        time.sleep(poll_seconds)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _lines(file: IO[bytes]) -> Iterator[Line]:
    for line in file:
        if stripped := line.rstrip(b"\n"):
            yield _line(stripped)


def _line(data: bytes) -> Line:
    text = data.decode(errors="replace")
    try:
        fields = json.loads(text)
    except ValueError:
        return Line(text, None)
    return Line(text, fields if isinstance(fields, dict) else None)
