"""The files of a container that does not run, put together where only this process sees them.

Its layers are laid over each other, with nothing in them written, and its volumes are mounted where
their places lead; folders of the server are not. That happens in mounts of this process's own, from
which nothing leads back to the server's files, so it does not matter what links say: the worst that
a swapped one does is to show its owner another place of the same container.

https://docs.kernel.org/filesystems/overlayfs.html
"""

# ruff: noqa: PTH102, PTH103, PTH123 - paths in a container are text, and seen by nobody else

import ctypes
import os
import platform
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from ds01_spawner.adapters.personal_paths.privileges import become

User: TypeAlias = tuple[int, int, Sequence[int]]
"""uid, gid, all groups."""

_PLACE = "/run"
"""Any folder of every server's: what is mounted there, nobody else sees."""

_MEMORY = "mode=755,size=4m,nr_inodes=16384"
"""For folders only; this process is in nobody's cgroup."""

_CLONE_NEWNS = 0x20000
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _REC, _SLAVE = 32, 4096, 16384, 1 << 19
_CLOSED = _NOSUID | _NODEV | _NOEXEC
_DETACH = 2
_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_TREE_CLONE = 1
_MOVE_EMPTY_PATH, _MOVE_FOLLOW = 0x4, 0x10
_OPEN_TREE, _MOVE_MOUNT = 428, 429
"""Numbers of system calls; these are the same on every architecture."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_PIVOT_ROOT = {"x86_64": 155}.get(platform.machine(), 41)
_MOST_PASSWD_BYTES = 1 << 20
_NUMBER = re.compile(r"[0-9]{1,9}\Z", re.ASCII)


def assemble(
    layers: Sequence[str],
    volumes: Sequence[tuple[str, str, bool]],
    user: User | None,
    image_user: str,
    *,
    writable: bool,
) -> None:
    """Have the container's files at `/`, as the person, or as whom it would run.

    Nothing is imported from there afterwards: its files are anybody's.

    Args:
        layers: Folders of its layers, the topmost first.
        volumes: Where each volume is on the server, and in the container, and whether that may
            write to it; outer ones first.
        user: The person; `None`: `image_user`, without what makes root mighty.
        image_user: As the image says: a name or a number, with or without a group.
        writable: Whether anything is to be written.

    Raises:
        OSError: The kernel refuses.
    """
    _checked(_LIBC.unshare(_CLONE_NEWNS))
    # Not private: what the server unmounts meanwhile is not to stay mounted here.
    _mount("none", "/", None, _REC | _SLAVE)
    _mount("none", _PLACE, "tmpfs", _CLOSED, _MEMORY)
    for name in ("made", "work", "root", "volume"):
        os.mkdir(f"{_PLACE}/{name}")
    _lay(layers)
    trees = [
        (_tree(source, writable=writable and may_write), _in_root(target))
        for source, target, may_write in volumes
    ]
    sys.path.clear()
    sys.meta_path.clear()
    _change_root()
    for tree, target in trees:
        with suppress(OSError):  # in a volume that is only read, there is no place for another
            os.makedirs(target, 0o755)
        with suppress(FileNotFoundError, NotADirectoryError):
            _checked(
                _LIBC.syscall(
                    *(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target)),
                    _MOVE_EMPTY_PATH | _MOVE_FOLLOW,
                )
            )
        os.close(tree)
    # Folders for volumes were made in memory; what the person writes is not to be.
    _mount("none", "/", None, _REMOUNT | _BIND | _RDONLY | _CLOSED)
    os.chdir("/")
    become(*(user or _user_called(image_user)), may_be_root=user is None)


def _lay(layers: Sequence[str]) -> None:
    """The engine's own short names for layers, since a mount has one page for its options."""
    folders = [Path(layer).parent for layer in layers]
    kept = {folder.parent for folder in folders}
    if len(kept) != 1:
        raise FileNotFoundError(2, os.strerror(2), os.pathsep.join(map(str, kept)))
    os.chdir(kept.pop())
    lower = ":".join(_short(folder) for folder in folders)
    options = f"lowerdir={lower},upperdir={_PLACE}/made,workdir={_PLACE}/work"
    _mount("overlay", f"{_PLACE}/root", "overlay", _CLOSED, options)


def _short(folder: Path) -> str:
    try:
        return f"l/{(folder / 'link').read_text(encoding='utf-8').strip()}"
    except FileNotFoundError:
        return f"{folder.name}/diff"


def _tree(source: str, *, writable: bool) -> int:
    """A descriptor of a volume as it is to be mounted."""
    place = f"{_PLACE}/volume"
    found = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    _mount(f"/proc/self/fd/{found}", place, None, _BIND)
    os.close(found)
    rights = 0 if writable else _RDONLY
    _mount("none", place, None, _REMOUNT | _BIND | _CLOSED | rights)
    flags = _TREE_CLONE | os.O_CLOEXEC | _AT_SYMLINK_NOFOLLOW
    tree = _LIBC.syscall(_OPEN_TREE, _AT_FDCWD, place.encode(), flags)
    _checked(tree)
    _checked(_LIBC.umount2(place.encode(), _DETACH))
    return int(tree)


def _change_root() -> None:
    """https://man7.org/linux/man-pages/man2/pivot_root.2.html: with one folder for both."""
    os.chdir(f"{_PLACE}/root")
    _checked(_LIBC.syscall(_PIVOT_ROOT, b".", b"."))
    _checked(_LIBC.umount2(b".", _DETACH))
    os.chdir("/")


def _in_root(target: str) -> str:
    return "/" + target.lstrip("/")


def _user_called(text: str) -> User:
    """Whom the container would run as, by its own list of users; root where that says nothing."""
    name = text.partition(":")[0]
    uid, gid = (int(name) if _NUMBER.match(name) else 0), 0
    with suppress(OSError):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open("/etc/passwd", flags), "rb") as known:
            for line in known.read(_MOST_PASSWD_BYTES).decode(errors="replace").splitlines():
                told = line.split(":")
                is_user = len(told) > 3 and name in {told[0], told[2]}  # noqa: PLR2004
                if name and is_user and _NUMBER.match(told[2]) and _NUMBER.match(told[3]):
                    return int(told[2]), int(told[3]), ()
    return uid, gid, ()


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    _checked(
        _LIBC.mount(
            os.fsencode(source),
            os.fsencode(target),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            os.fsencode(options) if options else None,
        )
    )


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
