"""What a walk found, folder by folder, in a file that the next walk compares with.

A folder is written after those below it and says where they are, so that a tree of any size is
written and read with the memory of one path.
"""

import heapq
import struct
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

_FACTS = struct.Struct("<QQqqQQqqIII")
_LINK = struct.Struct("<QQ")
_CHILD = struct.Struct("<QQIH")
_END = struct.Struct("<QIIQ8s")
_MAGIC = b"ds01tre1"
_LONGEST_PATH = 4096
"""Nobody can name what lies deeper, and trees may be deeper than paths are long."""


class Readable(Protocol):
    """A file, a spooled file or mapped memory."""

    def seek(self, offset: int, whence: Literal[0, 2] = ..., /) -> object:
        """Go to `offset`, counted from the end where `whence` is 2."""
        ...

    def read(self, size: int = ..., /) -> bytes:
        """The next bytes."""
        ...


class Writable(Protocol):
    """A file or a spooled file."""

    def write(self, data: bytes, /) -> object:
        """Append."""
        ...


class Child(NamedTuple):
    """A folder as its parent's record names it.

    Attributes:
        offset: Where its record begins.
        total_bytes: What it holds, everything below included.
        length: Bytes of its record.
        name: As the file system has it.
    """

    offset: int
    total_bytes: int
    length: int
    name: bytes


class Record(NamedTuple):
    """One folder.

    Attributes:
        device: Of the file system.
        inode: Together with `device`, which folder it is.
        modified_ns: `mtime` before it was read.
        changed_ns: `ctime` before it was read.
        total_bytes: What it holds, everything below included.
        own_bytes: Itself and the files directly in it, without those that have several names.
        newest_ns: When a file in it was last written to, by `ctime`.
        read_ns: When its files were looked at; 0 where the next walk must look again.
        entries: How many there were.
        links: Files with several names: inode and bytes.
        children: Folders in it.
    """

    device: int
    inode: int
    modified_ns: int
    changed_ns: int
    total_bytes: int
    own_bytes: int
    newest_ns: int
    read_ns: int
    entries: int
    links: Sequence[tuple[int, int]]
    children: Sequence[Child]


def pack(record: Record) -> bytes:
    """The bytes of a record."""
    parts = [_FACTS.pack(*record[:9], len(record.links), len(record.children))]
    parts.extend(_LINK.pack(*link) for link in record.links)
    for child in record.children:
        parts.append(_CHILD.pack(*child[:3], len(child.name)))
        parts.append(child.name)
    return b"".join(parts)


def read_record(file: Readable, offset: int, length: int) -> Record:
    """The record at a place.

    Raises:
        ValueError: There is none.
    """
    file.seek(offset)
    data = file.read(length)
    try:
        *facts, links, children = _FACTS.unpack_from(data)
        place = _FACTS.size
        found = [
            (inode, size)
            for inode, size in (
                _LINK.unpack_from(data, place + _LINK.size * at) for at in range(links)
            )
        ]
        place += _LINK.size * links
        named = []
        for _ in range(children):
            at, total, size, count = _CHILD.unpack_from(data, place)
            place += _CHILD.size
            named.append(Child(at, total, size, data[place : place + count]))
            place += count
    except struct.error as exc:
        raise ValueError(f"There is no record at byte {offset}.") from exc
    return Record._make([*facts, found, named])


class Root(NamedTuple):
    """The end of a file.

    Attributes:
        offset: Where the record of the home begins.
        length: Its bytes.
        project: The project that everything in the home was put into, or 0.
        finished_ns: When the walk ended.
    """

    offset: int
    length: int
    project: int
    finished_ns: int


def pack_root(root: Root) -> bytes:
    """The last bytes of a file: what has them is whole."""
    return _END.pack(*root, _MAGIC)


def read_root(file: Readable) -> Root:
    """The end of a file.

    Raises:
        ValueError: The file is none of ours, or not whole.
    """
    try:
        file.seek(-_END.size, 2)
        *root, magic = _END.unpack(file.read(_END.size))
    except (OSError, ValueError, struct.error) as exc:
        raise ValueError("The file is too short.") from exc
    if magic != _MAGIC:
        raise ValueError("The file is not a walked tree.")
    return Root(*root)


class Named(NamedTuple):
    """A folder that holds much by itself."""

    size_bytes: int
    path: bytes


def largest(
    file: Readable, home: Record, *, count: int = 5, share: float = 0.05
) -> tuple[Named, ...]:
    """The folders that hold most, each without what another of them holds.

    A folder is named for what is left of it when its large folders are taken away: `data/raw` and
    not `data`, which holds nothing else; `.cache/pip` and not one of its thousand small folders.

    Args:
        file: Where the records are.
        home: The record of the home.
        count: How many at most.
        share: What part of the home a folder must hold to be looked at.
    """
    smallest = max(1, int(home.total_bytes * share))
    found = _split(file, home, b"", smallest)
    return tuple(heapq.nlargest(count, found))


def _split(file: Readable, record: Record, path: bytes, smallest: int) -> Iterator[Named]:
    waiting = [(record, path)]
    while waiting:
        current, place = waiting.pop()
        rest = current.total_bytes
        for child in current.children:
            if child.total_bytes >= smallest and len(place) < _LONGEST_PATH:
                rest -= child.total_bytes
                below = read_record(file, child.offset, child.length)
                waiting.append((below, place + b"/" + child.name if place else child.name))
        if rest >= smallest:
            yield Named(rest, place or b"~/")


def copy(source: Readable, target: Writable) -> None:
    """Write everything from the beginning."""
    source.seek(0)
    while part := source.read(1024**2):
        target.write(part)
