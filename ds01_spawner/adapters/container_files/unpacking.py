"""Into a container: a tar stream as files of the person's, and nothing else."""

# ruff: noqa: PTH101, PTH102, PTH103, PTH108, PTH211 - paths in a container are text, as tar has them

import bz2
import errno
import lzma
import os
import stat
import tarfile
import zlib
from contextlib import suppress
from typing import BinaryIO

from ds01_spawner.adapters.container_files.headers import Entry, HeaderRefused

DECOMPRESSORS = (bz2, lzma, zlib)
"""Imported here because `tarfile` would do it later, from the container's files."""

_BUFFER = 1 << 16
"""Less than what malloc(3) asks the kernel for anew each time: a third of the CPU time."""

_FOLDER_MODE = 0o755
_PERMISSIONS = 0o777
_FILES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})


class Refused(Exception):
    """Something in the stream is not taken; the text says what."""


def unpack(folder: str, stream: BinaryIO, *, keep_kinds: bool) -> None:
    """Make what the stream holds, in `folder`.

    Owner is the person, set-uid bits are dropped. A file replaces a file or a link; a folder is
    never replaced by anything.

    Args:
        folder: Where; it exists.
        stream: The archive, plain or compressed.
        keep_kinds: Whether a folder may not replace a file either.

    Raises:
        Refused: Something in it is not taken.
        OSError: The person may not write there, or nothing is left to write to.
    """
    folders: list[tuple[str, tarfile.TarInfo]] = []
    try:
        with tarfile.open(
            fileobj=stream,
            mode="r|*",
            bufsize=_BUFFER,
            errors="surrogateescape",
            tarinfo=Entry,
        ) as archive:
            for entry in archive:
                path = _path_in(folder, entry.name)
                if entry.isdir():
                    folders.append((path, entry))
                _make(archive, entry, path, folder, keep_kinds=keep_kinds)
                archive.members = []  # type: ignore[attr-defined]  # else it remembers every entry
    except HeaderRefused as exc:
        raise Refused(str(exc)) from exc
    except RecursionError as exc:
        raise Refused("an entry of the archive has too many headers") from exc
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as exc:
        raise Refused(f"the archive cannot be read: {exc}") from exc
    for path, entry in reversed(folders):
        with suppress(PermissionError):  # the folder is somebody else's, and stays as it is
            os.chmod(path, entry.mode & _PERMISSIONS)
            _set_time(path, entry)


def _path_in(folder: str, name: str) -> str:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise Refused(f"{name!r} leads out of the folder")
    return "/".join([folder.rstrip("/"), *parts])


def _make(
    archive: tarfile.TarFile, entry: tarfile.TarInfo, path: str, folder: str, *, keep_kinds: bool
) -> None:
    if entry.isdir():
        _make_folder(path, keep_kinds=keep_kinds)
        return
    if not (entry.type in _FILES or entry.issym() or entry.islnk() or entry.isfifo()):
        raise Refused(f"{entry.name!r} is a device, or nothing that is known here")
    _make_way(path, folder)
    if entry.islnk():
        target = _path_in(folder, entry.linkname)
        _clear_way(path, entry.name)
        os.link(target, path, follow_symlinks=False)
    elif entry.issym():
        _clear_way(path, entry.name)
        os.symlink(entry.linkname, path)
        _set_time(path, entry)
    elif entry.isfifo():
        _clear_way(path, entry.name)
        os.mkfifo(path, entry.mode & _PERMISSIONS)
        _set_time(path, entry)
    else:
        _clear_way(path, entry.name)
        _write(archive, entry, path)


def _write(archive: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> None:
    content = archive.extractfile(entry)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        while content is not None and (part := content.read(_BUFFER)):
            place = 0
            while place < len(part):
                place += os.write(descriptor, part[place:])
        os.fchmod(descriptor, entry.mode & _PERMISSIONS)
    finally:
        os.close(descriptor)
    _set_time(path, entry)


def _set_time(path: str, entry: tarfile.TarInfo) -> None:
    with suppress(OverflowError):  # an archive may claim any time
        os.utime(path, (entry.mtime, entry.mtime), follow_symlinks=False)


def _make_folder(path: str, *, keep_kinds: bool) -> None:
    try:
        os.makedirs(path, _FOLDER_MODE)
    except FileExistsError:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            return
        if keep_kinds:
            raise Refused(f"cannot overwrite non-directory {path!r} with directory") from None
        os.unlink(path)
        os.mkdir(path, _FOLDER_MODE)


def _make_way(path: str, folder: str) -> None:
    above = path.rpartition("/")[0]
    if above != folder.rstrip("/"):
        os.makedirs(above or "/", _FOLDER_MODE, exist_ok=True)


def _clear_way(path: str, name: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as exc:
        if exc.errno in {errno.EISDIR, errno.EPERM} and stat.S_ISDIR(os.lstat(path).st_mode):
            raise Refused(
                f"cannot overwrite directory {path!r} with non-directory {name!r}"
            ) from exc
        raise
