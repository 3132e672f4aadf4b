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

from ds01_spawner.adapters.file_systems import FileSystems
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
"""Of one server: a dead one costs about so many deadlines and threads, whoever has homes on it."""

_MOST_HANGS_A_LOOK = 5
"""Of all: whoever makes their workspaces hang costs a pass no more than so many deadlines."""

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
        file_system: Which one it is on.
        fault: Whose fault it is if this hangs: a server's, or else the container's own.
    """

    container_id: str
    workspace: Workspace
    files: tuple[str, ...]
    uid: int | None
    file_system: str
    fault: str


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
        self._file_systems = FileSystems(mount_table, monotonic)
        self._lock = threading.Lock()
        self._hung: dict[str, dict[str, GuardedCalls[float | None]]] = {}
        self._answers: dict[str, int] = {}
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
                found = self._file_systems.of(workspace.folder, files)
                fault = found.name if found.is_shared else f"{found.name} {container.id}"
                yield _Look(container.id, workspace, files, container.uid, found.name, fault)

    def _moments(self, looks: list[_Look]) -> Iterator[tuple[str, float]]:
        """Seconds since 1970 by container, of those with a file that can be read in time."""
        looks = self._in_order(looks)
        answered: set[str] = set()
        for _ in range(_MOST_HANGS_A_LOOK):
            looks = self._not_hung(looks, answered)
            if not looks:
                return
            calls = GuardedCalls(
                "ds01 workspaces",
                [partial(newest, look.workspace, look.files, look.uid) for look in looks],
                self._deadline_seconds,
            )
            done = calls.run()
            for look, outcome in zip(looks, done, strict=False):
                answered.add(look.fault)
                try:
                    moment = outcome.result()
                except OSError as exc:
                    self._tell(look.file_system, exc)
                else:
                    if moment is not None:
                        yield look.container_id, moment
            self._note_answers(looks[: len(done)])
            if len(done) < len(looks):
                hanging, looks = looks[len(done)], looks[len(done) + 1 :]
                self._hangs(hanging, calls)
                if hanging.fault not in answered:
                    self._give_up(hanging.fault, looks)
            else:
                return

    def _in_order(self, looks: list[_Look]) -> list[_Look]:
        """Those that have answered for longest first, those that have hung last."""
        with self._lock:
            present = {look.workspace.folder for look in looks}
            self._answers = {each: n for each, n in self._answers.items() if each in present}
            return sorted(looks, key=lambda look: -self._answers.get(look.workspace.folder, 0))

    def _not_hung(self, looks: list[_Look], answered: set[str]) -> list[_Look]:
        with self._lock:
            for fault, hung in list(self._hung.items()):
                for folder in [each for each, calls in hung.items() if not calls.hanging]:
                    del hung[folder]
                if not hung:
                    del self._hung[fault]
            answers = ((look.fault, self._answers.get(look.workspace.folder, 0)) for look in looks)
            alive = answered | {fault for fault, times in answers if times > 0}
            return [look for look in looks if self._is_tried(look, alive)]

    def _is_tried(self, look: _Look, alive: set[str]) -> bool:
        """Whether it may answer: a server that has answered others lately is not dead."""
        hung = self._hung.get(look.fault, {})
        return look.workspace.folder not in hung and (len(hung) < _MOST_HUNG or look.fault in alive)

    def _note_answers(self, looks: Iterable[_Look]) -> None:
        with self._lock:
            for folder in {look.workspace.folder for look in looks}:
                self._answers[folder] = max(self._answers.get(folder, 0), 0) + 1

    def _hangs(self, look: _Look, calls: GuardedCalls[float | None]) -> None:
        folder = look.workspace.folder
        with self._lock:
            self._hung.setdefault(look.fault, {})[folder] = calls
            self._answers[folder] = -1
        _log.warning(
            "The workspace %s has not answered for %g s. Its keep-alive files are not seen.",
            folder,
            self._deadline_seconds,
        )

    def _give_up(self, fault: str, looks: Iterable[_Look]) -> None:
        """Most hang and none has answered: earlier answers say nothing of it any more."""
        with self._lock:
            if len(self._hung.get(fault, {})) > _MOST_HUNG:
                for look in looks:
                    if look.fault == fault:
                        self._answers.pop(look.workspace.folder, None)

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
