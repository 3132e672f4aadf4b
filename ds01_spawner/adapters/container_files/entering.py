"""Into the mount namespace of a container, and no longer root of the server there."""

import _thread
import ctypes
import errno
import os
import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from ds01_spawner.adapters.container_files.joining import join
from ds01_spawner.adapters.personal_paths.privileges import become

User: TypeAlias = tuple[int, int, Sequence[int]]
"""uid, gid, all groups."""

GONE = 75
"""With this the process exits when the container has ended meanwhile."""

_CLONE_NEWNS = 0x20000
_STACK_BYTES = 1 << 18


class NotThatContainer(Exception):
    """The process has ended, or is not the container's."""


def enter(pid: int, container_id: str, user: User | None, *, writes: bool) -> None:
    """Have the container's files at `/`, as the person, or as who runs there.

    Nothing is imported from there afterwards: its files are anybody's. The container's limits count
    what this process uses, and it ends with the container.

    Args:
        pid: The container's first process.
        container_id: Full engine id; its cgroup has it.
        user: The person; `None`: who the first process is. That may be root, without what makes
            root mighty: it owns root's files in there, and nothing of the host is mounted.
        writes: Whether anything is to be written.

    Raises:
        NotThatContainer: It has ended by now.
        Paused: It is paused, and nothing can be written.
        Uncounted: Nothing would count the memory.
        OSError: The kernel refuses.
    """
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError as exc:
        raise NotThatContainer from exc
    folder = Path("/proc") / str(pid)
    try:
        cgroup = (folder / "cgroup").read_text(encoding="ascii", errors="replace")
        if container_id not in cgroup:
            raise NotThatContainer
        namespace = os.open(folder / "ns" / "mnt", os.O_RDONLY | os.O_CLOEXEC)
        uid, gid, groups = user or _user_of((folder / "status").read_text(errors="replace"))
    except (FileNotFoundError, ProcessLookupError) as exc:
        raise NotThatContainer from exc
    # It has not ended since `pidfd_open`, so what was read is of one process.
    if select.select([process], [], [], 0)[0]:
        raise NotThatContainer
    if os.fstat(namespace).st_ino == Path("/proc/self/ns/mnt").stat().st_ino:
        raise NotThatContainer
    try:
        join(cgroup, container_id, writes=writes)
    except (FileNotFoundError, ProcessLookupError) as exc:
        if select.select([process], [], [], 0)[0]:
            raise NotThatContainer from exc
        raise
    sys.path.clear()
    sys.meta_path.clear()
    _set_namespace(namespace)
    os.chdir("/")
    os.close(namespace)
    become(uid, gid, groups, may_be_root=user is None)
    # Not before: a second thread would keep what is given up here.
    _thread.stack_size(_STACK_BYTES)
    with suppress(RuntimeError):  # the container has all the processes that it may
        _thread.start_new_thread(_end_with, (process,))


def _end_with(process: int) -> None:
    """A cgroup with somebody in it cannot be removed, and its container not started again."""
    select.select([process], [], [])
    os._exit(GONE)


def _user_of(status: str) -> User:
    """Effective ids and groups of a process, by its `/proc/PID/status`."""
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    uid, gid = int(lines["Uid"].split()[1]), int(lines["Gid"].split()[1])
    return uid, gid, [int(group) for group in lines["Groups"].split()]


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number or errno.EPERM, os.strerror(number))
