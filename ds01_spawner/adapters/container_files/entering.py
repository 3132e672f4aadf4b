"""Into the mount namespace of a container, and no longer root there."""

import ctypes
import errno
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path

from ds01_spawner.adapters.personal_paths.privileges import become

_CLONE_NEWNS = 0x20000


class NotThatContainer(Exception):
    """The process has ended, or is not the container's."""


def enter(pid: int, container_id: str, uid: int, gid: int, groups: Sequence[int]) -> None:
    """Have the container's files at `/`, as the person.

    Nothing is imported from there afterwards: its files are anybody's.

    Args:
        pid: The container's first process.
        container_id: Full engine id; its cgroup has it.
        uid: The person.
        gid: Their group.
        groups: All groups that they have in the container.

    Raises:
        NotThatContainer: It has ended by now.
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
    except (FileNotFoundError, ProcessLookupError) as exc:
        raise NotThatContainer from exc
    # It has not ended since `pidfd_open`, so what was read is of one process.
    if select.select([process], [], [], 0)[0]:
        raise NotThatContainer
    if os.fstat(namespace).st_ino == Path("/proc/self/ns/mnt").stat().st_ino:
        raise NotThatContainer
    sys.path.clear()
    sys.meta_path.clear()
    _set_namespace(namespace)
    os.chdir("/")
    os.close(namespace)
    os.close(process)
    become(uid, gid, groups)


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number or errno.EPERM, os.strerror(number))
