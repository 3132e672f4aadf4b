"""Out of a container: a folder or a file as a tar stream, named as the engine names it."""

# ruff: noqa: PTH115, PTH123, PTH208 - paths in a container are text, as tar has them

import errno
import os
import stat
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from ds01_spawner.adapters.container_files.places import Place

_BUFFER = 1 << 16
_KINDS = {
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
"""What is copied; sockets and devices are not."""

_KERNELS = frozenset({"/dev", "/proc", "/sys"})
"""Empty in a copy of everything, as they are to the engine, which does not see them mounted."""


def check_readable(place: Place) -> None:
    """Return when the person may read all of it, so that no stream breaks off half-way.

    Raises:
        OSError: They may not; it says which.
    """
    for path, found in _walked(place.resolved):
        is_read = stat.S_ISREG(found.st_mode)
        if is_read and not os.access(path, os.R_OK):
            raise PermissionError(13, os.strerror(13), path)


def pack(place: Place, out: BinaryIO) -> None:
    """Write the stream.

    Raises:
        OSError: Something cannot be read, or nobody takes it.
    """
    base = "" if place.base == "/" else place.base
    seen: dict[tuple[int, int], str] = {}
    with tarfile.open(
        fileobj=out,
        mode="w|",
        bufsize=_BUFFER,
        format=tarfile.PAX_FORMAT,
        errors="surrogateescape",
    ) as archive:
        archive.copybufsize = _BUFFER  # type: ignore[attr-defined]  # documented, not in typeshed
        for path, found in _walked(place.resolved):
            name = base + path[len(place.resolved.rstrip("/")) :]
            if path == place.resolved:
                name = base
            _add(archive, path, name, found, seen)


def _add(
    archive: tarfile.TarFile,
    path: str,
    name: str,
    found: os.stat_result,
    seen: dict[tuple[int, int], str],
) -> None:
    entry = tarfile.TarInfo(name)
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        return
    entry.type = kind
    entry.mode, entry.mtime = stat.S_IMODE(found.st_mode), int(found.st_mtime)
    entry.uid, entry.gid = found.st_uid, found.st_gid
    if kind == tarfile.SYMTYPE:
        entry.linkname = os.readlink(path)
    if kind != tarfile.REGTYPE:
        archive.addfile(entry)
        return
    inode = found.st_dev, found.st_ino
    if found.st_nlink > 1 and inode in seen:
        entry.type, entry.linkname = tarfile.LNKTYPE, seen[inode]
        archive.addfile(entry)
        return
    seen[inode] = name
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(path, flags), "rb", buffering=0) as content:
        opened = os.fstat(content.fileno())
        if not stat.S_ISREG(opened.st_mode):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
        entry.size = opened.st_size
        archive.addfile(entry, content)


def _walked(top: str) -> Iterator[tuple[str, os.stat_result]]:
    """Everything from `top` down, in the order of names; no link is followed."""
    found = os.lstat(top)
    yield top, found
    if not stat.S_ISDIR(found.st_mode):
        return
    below = [iter(_listed(top))]
    while below:
        path = next(below[-1], None)
        if path is None:
            below.pop()
            continue
        found = os.lstat(path)
        yield path, found
        if stat.S_ISDIR(found.st_mode) and os.path.normpath(path) not in _KERNELS:
            below.append(iter(_listed(path)))


def _listed(folder: str) -> list[str]:
    stem = folder.rstrip("/")
    # `/x/.` is the folder itself: what is in it is named after the folder.
    return [f"{stem}/{name}" for name in sorted(os.listdir(folder))]
