"""Keep-alive files in the workspaces of containers, seen from the host.

Two `lstat` a workspace; no file is opened and no link followed. What a person mounts may hang or
belong to somebody else, so each look has a deadline and each file an owner that counts. One thread
makes all looks of a pass: starting a thread for each took longer than all the rest of the pass.
"""

import errno
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ds01_spawner.adapters.hang_guard import GuardedCalls
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, Mount
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


@dataclass(frozen=True, slots=True)
class _Look:
    """One workspace, looked at for one container.

    Attributes:
        container_id: Which.
        workspace: Where.
        files: Names that keep it alive.
        uid: Whom it runs as.
        file_system: Whose fault it is if this hangs.
    """

    container_id: str
    workspace: Workspace
    files: tuple[str, ...]
    uid: int | None
    file_system: str


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
        self._hung: dict[str, dict[str, GuardedCalls[float | None]]] = {}
        self._told: set[tuple[str, int]] = set()

    def touched_at(self, containers: Iterable[Container]) -> Mapping[str, datetime]:
        """When each one's newest keep-alive file was touched, even in the future."""
        newest_of: dict[str, float] = {}
        for container_id, moment in self._moments(list(self._looks(containers))):
            newest_of[container_id] = max(moment, newest_of.get(container_id, moment))
        found = {}
        for container_id, moment in newest_of.items():
            # A file of the year 1 cannot be moved back by an hour when the clock is.
            with suppress(OverflowError, ValueError, OSError):  # a time that no calendar has
                found[container_id] = datetime.fromtimestamp(max(moment, 0.0), UTC)
        return found

    def _looks(self, containers: Iterable[Container]) -> Iterator[_Look]:
        for container in containers:
            files = tuple(files_of(container))
            for workspace in workspaces_of(container):
                file_system = self._file_systems.of(workspace.folder)
                yield _Look(container.id, workspace, files, container.uid, file_system)

    def _moments(self, looks: list[_Look]) -> Iterator[tuple[str, float]]:
        """Seconds since 1970 by container, of those with a file that can be read in time."""
        while looks := self._not_hung(looks):
            calls = GuardedCalls(
                "ds01 workspaces",
                [partial(newest, look.workspace, look.files, look.uid) for look in looks],
                self._deadline_seconds,
            )
            done = calls.run()
            for look, outcome in zip(looks, done, strict=False):
                try:
                    moment = outcome.result()
                except OSError as exc:
                    self._tell(look.file_system, exc)
                else:
                    if moment is not None:
                        yield look.container_id, moment
            if len(done) < len(looks):
                self._hangs(looks[len(done)], calls)
            looks = looks[len(done) + 1 :]

    def _not_hung(self, looks: list[_Look]) -> list[_Look]:
        with self._lock:
            for hung in self._hung.values():
                for folder in [each for each, calls in hung.items() if not calls.hanging]:
                    del hung[folder]
            return [look for look in looks if self._is_tried(look)]

    def _is_tried(self, look: _Look) -> bool:
        hung = self._hung.get(look.file_system, {})
        return look.workspace.folder not in hung and len(hung) < _MOST_HUNG

    def _hangs(self, look: _Look, calls: GuardedCalls[float | None]) -> None:
        folder = look.workspace.folder
        with self._lock:
            self._hung.setdefault(look.file_system, {})[folder] = calls
        _log.warning(
            "The workspace %s has not answered for %g s. Its keep-alive files are not seen.",
            folder,
            self._deadline_seconds,
        )

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
        self._found: dict[str, str] = {}
        self._read_at: float | None = None

    def of(self, path: str) -> str:
        """Its server where it has one, so that all exports of a dead server are one; its device."""
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= _TABLE_SECONDS:
            with suppress(OSError):
                self._known = parse_mount_table(self._table.read_text(errors="surrogateescape"))
            self._read_at, self._found = now, {}
        if (found := self._found.get(path)) is None:
            self._found[path] = found = self._of(path)
        return found

    def _of(self, path: str) -> str:
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
