"""Mounts under paths that only root can change, for the engine to find.

A path that a person can write to may lead elsewhere between a check and the engine's look. So what
was opened is mounted by its descriptor: open_tree(2), mount_setattr(2), move_mount(2), Linux 5.12.
The flags are on the whole tree before it has a path.
"""

import ctypes
import errno
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from ds01_spawner.adapters.personal_paths.mount_table import mount_points
from ds01_spawner.domain.bind import STAGE_FOLDER, is_key
from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.ports.folders import OpenedPath, PathKind

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
"""The same on every architecture that Docker runs on."""

_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 0x1, 0x2, 0x4
_MS_PRIVATE = 1 << 18
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_MOST_STACKED = 64
_FOLDER_MODE = 0o700
_OTHERS = 0o077
_INDEX = re.compile(r"^(?:0|[1-9]\d?)\Z")


class _MountAttributes(ctypes.Structure):
    """https://man7.org/linux/man-pages/man2/mount_setattr.2.html."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


class KernelBindStage:
    """The `BindStage` port.

    Args:
        folder: The platform's folder for what does not outlive a boot; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._base = folder / STAGE_FOLDER
        self._lock = threading.Lock()

    def put(self, key: str, index: int, opened: OpenedPath, *, read_only: bool) -> str:
        """As the port says."""
        _check(key, index)
        place = self._base / key / str(index)
        with self._lock, _explained(f"{opened.real_path} cannot be mounted"):
            self._make(self._base / key)
            _clear(place)
            if opened.kind is PathKind.FOLDER:
                place.mkdir(_FOLDER_MODE)
            else:
                os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            try:
                _mount(opened.descriptor, place, read_only=read_only or not opened.writable)
            except OSError:
                _clear(place)
                raise
        return str(place)

    def clear(self, key: str) -> None:
        """As the port says."""
        _check(key, 0)
        folder = self._base / key
        with self._lock, _explained(f"The mounts in {folder} cannot be removed"):
            try:
                places = list(folder.iterdir())
            except FileNotFoundError:
                return
            for place in places:
                if _INDEX.match(place.name):
                    _clear(place)
            folder.rmdir()

    def keys(self, unchanged_for: timedelta = timedelta()) -> frozenset[str]:
        """As the port says."""
        newest = time.time() - unchanged_for.total_seconds()
        try:
            with os.scandir(self._base) as entries:
                return frozenset(
                    entry.name
                    for entry in entries
                    if is_key(entry.name) and entry.stat(follow_symlinks=False).st_mtime <= newest
                )
        except FileNotFoundError:
            return frozenset()
        except OSError as exc:
            raise Unavailable(f"{self._base} cannot be read: {exc.strerror}.") from exc

    def _make(self, folder: Path) -> None:
        self._base.parent.mkdir(0o755, parents=True, exist_ok=True)
        for each in (self._base, folder):
            with suppress(FileExistsError):
                each.mkdir(_FOLDER_MODE)
            found = each.lstat()
            closed = stat.S_ISDIR(found.st_mode) and not found.st_mode & _OTHERS
            if found.st_uid != os.geteuid() or not closed:
                raise OSError(errno.EPERM, f"{each} is not this program's own folder")


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        hint = "Linux 5.12 or newer is needed" if exc.errno == errno.ENOSYS else exc.strerror
        raise Unavailable(f"{what}: {hint or exc}.") from exc


def _check(key: str, index: int) -> None:
    if not is_key(key) or not _INDEX.match(str(index)):
        raise InvalidRequest(f"{key!r}, {index} names no stage.")


def _mount(descriptor: int, place: Path, *, read_only: bool) -> None:
    tree = _call(
        _OPEN_TREE,
        ctypes.c_int(descriptor),
        b"",
        ctypes.c_uint(_OPEN_TREE_CLONE | _AT_RECURSIVE | _AT_EMPTY_PATH | os.O_CLOEXEC),
    )
    try:
        flags = _ATTR_NOSUID | _ATTR_NODEV | (_ATTR_RDONLY if read_only else 0)
        wanted = _MountAttributes(attr_set=flags, propagation=_MS_PRIVATE)
        _call(
            _MOUNT_SETATTR,
            ctypes.c_int(tree),
            b"",
            ctypes.c_uint(_AT_EMPTY_PATH | _AT_RECURSIVE),
            ctypes.byref(wanted),
            ctypes.c_size_t(ctypes.sizeof(wanted)),
        )
        _call(
            _MOVE_MOUNT,
            ctypes.c_int(tree),
            b"",
            ctypes.c_int(-100),  # AT_FDCWD; the path is absolute
            os.fsencode(place),
            ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
        )
    finally:
        os.close(tree)


def _clear(place: Path) -> None:
    """Unmount what is at `place` and remove the mount point: an empty folder or file of ours.

    `rmdir` and `unlink` never reach through a mount: on one that is still there they fail (EBUSY).
    """
    for _ in range(_MOST_STACKED):
        if not _unmounted(place):
            break
    try:
        place.rmdir()
    except FileNotFoundError:
        return
    except NotADirectoryError:
        if str(place) in mount_points():
            raise OSError(errno.EBUSY, "it is still mounted") from None
        place.unlink()


def _unmounted(place: Path) -> bool:
    """Whether there was something to unmount."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(place), _MNT_DETACH | _UMOUNT_NOFOLLOW) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOENT}:
        return False
    raise OSError(number, os.strerror(number))


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        failure = ctypes.get_errno()
        raise OSError(failure, os.strerror(failure))
    return result
