"""Keep-alive files in the workspaces of containers, seen from the host.

Two `lstat` a workspace; no file is opened and no link followed. What a person mounts may hang or
belong to somebody else, so each look has a deadline and each file an owner that counts.
"""

import errno
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ds01_spawner.adapters.hang_guard import HangGuard
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, Mount
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.grant import IMAGE_HOME
from ds01_spawner.domain.names import SEPARATOR

_log = logging.getLogger("ds01.keep_alive")

FILE = ".keep-alive"
WORK_MOUNT = "aime.mlc.WORK_MOUNT"
"""The workspace of an older container, as a host folder or as `folder:inside`."""

_MOST_WORKSPACES = 16
_MOST_HUNG = 3
"""Of one file system: a dead server costs so many deadlines and threads, however many homes it
has, and one that hangs by itself leaves the others readable."""

_TABLE_SECONDS = 30.0
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


@dataclass(frozen=True, slots=True)
class Workspace:
    """A host folder that a person writes to from inside a container.

    Attributes:
        folder: Absolute host path.
        mounted: Whether the engine says so; else only a label does.
    """

    folder: str
    mounted: bool = True


class WorkspaceKeepAliveFiles:
    """The `KeepAliveFiles` port.

    Args:
        deadline_seconds: How long one workspace may take.
        mount_table: The host's file systems, as the kernel lists them.
        monotonic: Seconds.
    """

    def __init__(
        self,
        *,
        deadline_seconds: float = 2.0,
        mount_table: Path = Path("/proc/self/mountinfo"),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._file_systems = _FileSystems(mount_table, monotonic)
        self._lock = threading.Lock()
        self._hung: dict[str, dict[str, HangGuard]] = {}
        self._told: set[tuple[str, int]] = set()

    def touched_at(self, container: Container) -> datetime | None:
        """When the newest keep-alive file for this container was touched, even in the future."""
        files = tuple(files_of(container))
        moments = [
            moment
            for workspace in workspaces_of(container)
            if (moment := self._look(workspace, files, container.uid)) is not None
        ]
        if not moments:
            return None
        with suppress(OverflowError, ValueError, OSError):  # a time that no calendar has
            return datetime.fromtimestamp(max(moments), UTC)
        return None

    def _look(self, workspace: Workspace, files: tuple[str, ...], uid: int | None) -> float | None:
        """Seconds since 1970, or `None` without a file or where it cannot be read in time."""
        folder = workspace.folder
        file_system = self._file_systems.of(folder)
        with self._lock:
            hung = self._hung.setdefault(file_system, {})
            for each in [path for path, guard in hung.items() if not guard.hanging]:
                del hung[each]
            if folder in hung or len(hung) >= _MOST_HUNG:
                return None
        guard = HangGuard(f"The workspace {folder}", self._deadline_seconds)
        try:
            return guard.run(lambda: newest(workspace, files, uid))
        except Unavailable as exc:
            with self._lock:
                hung[folder] = guard
            _log.warning("%s Its keep-alive files are not seen.", exc.message)
        except OSError as exc:
            self._tell(file_system, exc)
        return None

    def _tell(self, file_system: str, exc: OSError) -> None:
        """Once for each file system and kind of error; a missing folder is none."""
        kind = file_system, exc.errno or 0
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("Keep-alive files cannot be seen on %s: %s", file_system, exc)


def files_of(container: Container) -> Iterator[str]:
    """The names of files that keep this container alive."""
    yield FILE
    name = container.labels.get(labels.NAME) or container.name.partition(SEPARATOR)[0]
    if name and "/" not in name and "\0" not in name:
        yield f"{FILE}.{name}"


def workspaces_of(container: Container) -> tuple[Workspace, ...]:
    """The home of a container of the platform; of others, all that they may write to."""
    writable = [mount for mount in container.mounts if not mount.read_only]
    if container.labels.get(labels.MANAGED) == "true":
        return tuple(Workspace(mount.source) for mount in writable if _is_home(mount))
    mounted = dict.fromkeys(mount.source for mount in writable)
    found = [Workspace(source) for source in mounted][:_MOST_WORKSPACES]
    labelled = container.labels.get(WORK_MOUNT, "").partition(":")[0]
    if labelled.startswith("/") and "\0" not in labelled and labelled not in mounted:
        found.append(Workspace(labelled, mounted=False))
    return tuple(found)


def newest(workspace: Workspace, files: tuple[str, ...], uid: int | None) -> float | None:
    """When the newest of `files` was touched whose owner counts, in seconds since 1970.

    The owner is whom the container runs as, or the owner of a mounted folder: in a data set that
    many may write to, nobody keeps another's container.

    Raises:
        OSError: The folder cannot be read.
    """
    found = [
        status
        for file in files
        if (status := _status(f"{workspace.folder}/{file}")) and stat.S_ISREG(status.st_mode)
    ]
    if not found:
        return None
    owners = {uid}
    if workspace.mounted and (folder := _status(workspace.folder)):
        owners.add(folder.st_uid)
    return max((status.st_mtime for status in found if status.st_uid in owners), default=None)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError as exc:
        if exc.errno in _ABSENT:
            return None
        raise
    except ValueError:  # a name that no file can have
        return None


def _is_home(mount: Mount) -> bool:
    """A person's home has its own path inside; the home of one without an account is a volume."""
    if mount.kind == "volume":
        return mount.target == IMAGE_HOME
    return mount.source == mount.target


class _FileSystems:
    """Which file system a path is on, without touching it."""

    def __init__(self, table: Path, monotonic: Callable[[], float]) -> None:
        self._table = table
        self._monotonic = monotonic
        self._known: Mapping[str, str] = {}
        self._read_at: float | None = None

    def of(self, path: str) -> str:
        """Its server where it has one, so that all exports of a dead server are one; its device."""
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= _TABLE_SECONDS:
            with suppress(OSError):
                self._known = parse_mount_table(self._table.read_text(errors="surrogateescape"))
            self._read_at = now
        for folder in (Path(path), *Path(path).parents):
            if (found := self._known.get(str(folder))) is not None:
                return found
        return "/"


def parse_mount_table(text: str) -> dict[str, str]:
    """Server or device of each mount point, from `/proc/PID/mountinfo` (proc(5))."""
    found = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 4 and len(kind) > 1:  # noqa: PLR2004 - the columns of the table
            found[_unescaped(fields[4])] = _server(kind[1]) or fields[2]
    return found


def _server(source: str) -> str:
    """`server` of `server:/export` (NFS, Ceph, SSH) and of `//server/share` (SMB)."""
    if source.startswith("//"):
        return source[2:].partition("/")[0]
    server, colon, _ = source.partition(":/")
    return server if colon else ""


def _unescaped(path: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path
