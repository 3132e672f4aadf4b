"""The members of a tar archive, one after the other, in bounded memory and time.

The standard library reads names of any length, and searches them with expressions that a crafted
header makes run for hours (CVE-2024-6232). Here only what is needed is read: what is called what,
and where it lies. https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from ds01_spawner.domain.errors import InvalidRequest

BLOCK = 512
LONGEST_EXTENSION = 64 * 1024
"""Bytes of a header that gives a member a long name."""

_NAME, _SIZE, _CHECKSUM, _PREFIX = slice(0, 100), slice(124, 136), slice(148, 156), slice(345, 500)
_KIND = slice(156, 157)
_MAGIC = slice(257, 263)
_FILES = frozenset({b"0", b"\0", b"7"})
_WITHOUT_CONTENT = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL, _SPARSE = b"L", b"K", b"x", b"g", b"S"
_EXTENSIONS = frozenset({_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL})
_BASE_256 = 0x80
_LARGEST = 2**50


@dataclass(frozen=True, slots=True)
class Member:
    """One member.

    Attributes:
        name: As it is written; bytes that are no UTF-8 are escaped.
        is_file: Whether it is a plain file.
        start: Where its headers begin.
        content: Where its content begins.
        size: How long that is.
        end: Where the next member begins; after the last one it may lie beyond the archive's end:
            `docker build -f` with a Dockerfile elsewhere leaves the last block incomplete.
    """

    name: str
    is_file: bool
    start: int
    content: int
    size: int
    end: int


def members(file: IO[bytes]) -> Iterator[Member]:
    """The members of the plain archive in `file`, in order.

    Raises:
        InvalidRequest: It is broken, cut, or of a kind that is not read here.
    """
    total = file.seek(0, os.SEEK_END)
    place = start = 0
    said: dict[str, bytes] = {}
    while True:
        file.seek(place)
        header = file.read(BLOCK)
        if not header.strip(b"\0"):
            if said:
                raise _broken("it ends within a member")
            return
        _check(header)
        kind = header[_KIND]
        size = _number(said.get("size", b""), decimal=True) if "size" in said else _size(header)
        if kind in _WITHOUT_CONTENT:
            size = 0
        content = place + BLOCK
        end = content + size + -size % BLOCK
        if kind in _EXTENSIONS and size > LONGEST_EXTENSION:
            raise _broken("a header in it is too long")
        if content + size > total:
            raise _broken("it is cut short")
        if kind in _EXTENSIONS:
            said |= _extension(kind, file.read(size))
            place = end
            continue
        if kind == _SPARSE:
            raise _broken("it holds a sparse file")
        name = said.get("path") or _name(header)
        yield Member(
            name.decode("utf-8", "surrogateescape"), kind in _FILES, start, content, size, end
        )
        place = start = end
        said = {}


def _check(header: bytes) -> None:
    if len(header) < BLOCK:
        raise _broken("it is cut short")
    expected = _number(header[_CHECKSUM])
    blank = header[: _CHECKSUM.start] + b" " * 8 + header[_CHECKSUM.stop :]
    if expected != sum(blank):
        raise _broken("a header in it is broken")


def _size(header: bytes) -> int:
    field = header[_SIZE]
    if field[0] & _BASE_256:
        size = int.from_bytes(bytes([field[0] & ~_BASE_256]) + field[1:], "big")
        if size > _LARGEST:
            raise _broken("a member is too large")
        return size
    return _number(field)


def _number(field: bytes, *, decimal: bool = False) -> int:
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if not digits:
        return 0
    if not digits.isdigit() or len(digits) > 12:  # noqa: PLR2004 - as many as a header holds
        raise _broken("a number in it is broken")
    try:
        return int(digits, 10 if decimal else 8)
    except ValueError as exc:
        raise _broken("a number in it is broken") from exc


def _name(header: bytes) -> bytes:
    name = header[_NAME].split(b"\0", 1)[0]
    if header[_MAGIC] == b"ustar\0":
        prefix = header[_PREFIX].split(b"\0", 1)[0]
        return prefix + b"/" + name if prefix else name
    return name


def _extension(kind: bytes, content: bytes) -> dict[str, bytes]:
    """What a header says of the member that follows."""
    if kind == _LONG_NAME:
        return {"path": content.split(b"\0", 1)[0]}
    if kind != _PAX:
        return {}
    said: dict[str, bytes] = {}
    place = 0
    while place < len(content):
        space = content.find(b" ", place, place + 8)
        length = content[place:space] if space > 0 else b""
        if not length.isdigit() or not 0 < int(length) <= len(content) - place:
            raise _broken("a header in it is broken")
        end = place + int(length)
        key, equals, value = content[space + 1 : end - 1].partition(b"=")
        if not equals or content[end - 1 : end] != b"\n":
            raise _broken("a header in it is broken")
        if key in {b"path", b"size"}:
            said[key.decode()] = value
        place = end
    return said


def _broken(reason: str) -> InvalidRequest:
    return InvalidRequest(f"The build's context is no tar archive that can be read: {reason}.")
