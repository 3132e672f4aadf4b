"""What a person's words lead to, and whether it may be mounted."""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from ds01_spawner.adapters.personal_paths.child import Children, CommandFailed
from ds01_spawner.adapters.personal_paths.mount_table import Mounted, mount_of
from ds01_spawner.domain.bind import Bind, check_binds
from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest, Unavailable
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.ports.folders import OpenedPath, PathKind

MODULE = "ds01_spawner.adapters.personal_paths"
DEADLINE_SECONDS = 10.0
KERNEL_FOLDERS = ("/dev", "/proc", "/run", "/sys")
"""The kernel's, and what runs on the machine: sockets and secrets of services."""

_KERNEL_TYPES = frozenset(
    {
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "resctrl",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    }
)
_KINDS = {
    stat.S_IFDIR: PathKind.FOLDER,
    stat.S_IFREG: PathKind.FILE,
    stat.S_IFSOCK: PathKind.SOCKET,
}
_ENGINE_SOCKET = "docker.sock"
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM})
_SENSELESS = frozenset({errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EINVAL})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class UnixPaths:
    """The `PersonalPaths` port.

    Args:
        platform: Folders that nobody gets: what the platform and the engine keep.
        socket: The gateway's own socket, the only one that may be mounted.
        deadline_seconds: How long a file system may take to answer.
    """

    def __init__(
        self,
        platform: Callable[[], Sequence[Path]],
        socket: Path,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._platform = platform
        self._socket = socket
        self._children = Children(MODULE, deadline_seconds)

    def open(self, account: UnixAccount, path: str, *, create_missing: bool = False) -> OpenedPath:
        """As the port says."""
        check_binds([Bind(path, "/any")])
        closed = [os.path.realpath(str(each)) for each in (*KERNEL_FOLDERS, *self._platform())]
        command = {"ask": "open", "path": path, "create_missing": create_missing}
        try:
            answer, descriptor = self._children.run(account.uid, command | _who(account))
        except CommandFailed as exc:
            raise _refusal(path, exc) from exc
        if descriptor is None:
            raise Unavailable(f"{shown(path)} could not be opened.")
        try:
            kind = self._checked(path, answer["type"], descriptor, closed)
            return OpenedPath(descriptor, _real_path(descriptor), kind, bool(answer["writable"]))
        except BaseException:
            os.close(descriptor)
            raise

    def make_mount_point(
        self, account: UnixAccount, folder: OpenedPath, relative: str, *, is_folder: bool = True
    ) -> None:
        """As the port says."""
        if not [part for part in relative.split("/") if part not in {"", "."}]:
            return
        command = {"ask": "mount_point", "path": relative, "is_folder": is_folder}
        try:
            self._children.run(account.uid, command | _who(account), [folder.descriptor])
        except CommandFailed as exc:
            raise _refusal(f"{folder.real_path}/{relative.strip('/')}", exc) from exc

    def _checked(self, path: str, kind: int, descriptor: int, closed: Sequence[str]) -> PathKind:
        """What it is, when it may be mounted."""
        real_path = _real_path(descriptor)
        mounted = mount_of(descriptor)
        if mounted is None:
            raise Forbidden(f"{shown(path)} is not among this machine's folders.")
        found = _KINDS.get(kind)
        if found is PathKind.SOCKET and real_path == os.path.realpath(self._socket):
            return found
        _check_place(path, real_path, closed, self._socket)
        _check_mounted(path, mounted)
        if found not in {PathKind.FOLDER, PathKind.FILE}:
            raise InvalidRequest(
                f"{shown(path)} is neither a folder nor a file; nothing else can be mounted."
            )
        return found


def _real_path(descriptor: int) -> str:
    """Where an open file is, as the kernel says; nothing of the file system is asked."""
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _who(account: UnixAccount) -> dict[str, str | int]:
    return {"name": account.name, "uid": account.uid, "gid": account.gid}


def _check_place(path: str, real_path: str, closed: Sequence[str], socket: Path) -> None:
    if real_path.rpartition("/")[2] == _ENGINE_SOCKET:
        raise Forbidden(
            f"{shown(path)} is the engine's own socket, which is the whole machine.",
            f"Mount {socket} instead: it does the same within your limits.",
        )
    for each in closed:
        if _is_in(real_path, each):
            raise Forbidden(
                f"{shown(path)} {_where(real_path, each)} and cannot be mounted.",
                "Mount a folder of your own.",
            )
        if _is_in(each, real_path):
            raise Forbidden(
                f"{shown(path)} contains system folders and cannot be mounted.",
                "Mount the folder below it that you need.",
            )


def _where(path: str, closed: str) -> str:
    return "is a system folder" if path == closed else f"is in the system folder {closed}"


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _check_mounted(path: str, mounted: Mounted) -> None:
    if mounted.type in _KERNEL_TYPES:
        raise Forbidden(
            f"{shown(path)} is a kernel file system ({mounted.type}) and cannot be mounted.",
            "Mount a folder of your own.",
        )
    # The engine looks at what it mounts as root and without a deadline: whoever serves the file
    # system could keep it waiting for ever.
    if mounted.fuse_user not in {None, 0}:
        raise Forbidden(
            f"{shown(path)} is a FUSE mount ({mounted.type}); containers cannot use it.",
            "Copy what you need to another folder, and mount that.",
        )


def _refusal(path: str, failure: CommandFailed) -> DS01Error:
    reason = os.strerror(failure.number)
    place = f" (at {shown(failure.what)})" if failure.what not in {path, ""} else ""
    if failure.number == errno.ENOENT:
        return InvalidRequest(f"bind source path does not exist: {path}")
    if failure.number in _NOT_ALLOWED:
        return Forbidden(
            f"You may not use {shown(path)} on this machine{place}: {reason}.",
            "Mount a folder that you can read yourself.",
        )
    if failure.number in _SENSELESS or failure.number in _FULL:
        return InvalidRequest(f"{shown(path)} cannot be mounted{place}: {reason}.")
    return Unavailable(f"{shown(path)} cannot be read{place}: {reason}.", "Try again.")
