"""The `GpuNodes` port on /dev and /proc.

A person gets an entry in the access control list of each node with what its group may do, so that
the mode stays what it is: nvidia-modprobe, which anybody may run, leaves a node alone whose mode,
owner and group are as the driver's options say, and with it the list.
"""

import fcntl
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from ds01_spawner.adapters.posix_acl import XATTR, Acl, acl_of, raw_acl_of
from ds01_spawner.domain.bare_metal import NodeHolder
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.process_place import place_of

PATTERNS = ("nvidia*", "nvidia-caps*/*")
_UIDS = re.compile(rb"^Uid:\t(\d+)", re.MULTILINE)
_CARD = re.compile(r"nvidia(?:[0-9]+|ctl)").fullmatch
"""The driver makes others, such as nvidia-uvm, for everybody; they reach no GPU alone."""

_DELETED = " (deleted)"
_MOST_THREADS = 16


class KernelGpuNodes:
    """Nodes and their lists.

    Args:
        lock: A file that keeps two processes from changing one list at the same time.
        dev: Where device nodes are.
        proc: Where /proc is mounted.
    """

    def __init__(self, lock: Path, *, dev: Path = Path("/dev"), proc: Path = Path("/proc")) -> None:
        self._lock = lock
        self._dev = dev
        self._proc = proc

    def paths(self) -> tuple[str, ...]:
        """Those that exist now."""
        return tuple(str(path) for path, _ in self._nodes())

    def driver_is_here(self) -> bool:
        """Whether there is any node at all."""
        return any(self._dev.glob("nvidia*"))

    def open_to_all(self) -> tuple[str, ...]:
        """Those of the cards themselves that everybody may open."""
        return tuple(str(path) for path, acl in self._every() if acl.other and _CARD(path.name))

    def give(self, uid: int) -> tuple[str, ...]:
        """Let a user do with each what its group may."""
        changed = []
        with self._locked():
            for path, acl in self._nodes():
                if acl.allowed(uid) != acl.of_group:
                    _set(path, acl.with_user(uid, acl.of_group))
                    changed.append(str(path))
        return tuple(changed)

    def take_back(self, uid: int) -> tuple[str, ...]:
        """Let a user do with each no more than others."""
        changed = []
        with self._locked():
            for path, acl in self._every():
                if uid in acl.users:
                    _set(path, acl.without_user(uid))
                    changed.append(str(path))
        return tuple(changed)

    def given(self) -> Mapping[int, tuple[str, ...]]:
        """Which nodes single users may open."""
        found: dict[int, list[str]] = defaultdict(list)
        for path, acl in self._every():
            for uid in acl.users:
                if acl.allowed(uid):
                    found[uid].append(str(path))
        return {uid: tuple(paths) for uid, paths in found.items()}

    def holders(self, uid: int) -> tuple[NodeHolder, ...]:
        """A user's processes outside of containers that have a node open now."""
        nodes = set(self.paths())
        try:
            pids = sorted(int(each.name) for each in self._proc.iterdir() if each.name.isdecimal())
        except OSError as exc:
            raise Unavailable(f"{self._proc} cannot be read: {exc.strerror}.") from exc
        found = []
        for pid in pids:
            with suppress(OSError):  # it has ended
                held = self._held(self._proc / str(pid), uid, nodes)
                if held is not None:
                    found.append(NodeHolder(pid, *held))
        return tuple(found)

    def _held(self, process: Path, uid: int, nodes: set[str]) -> tuple[str, tuple[str, ...]] | None:
        """A process' name and the nodes that it has open; `None` where it is not concerned."""
        told = _UIDS.search((process / "status").read_bytes())
        if told is None or int(told[1]) != uid:
            return None
        opened: set[str] = set()
        threads = _threads(process)
        for thread in threads:
            with suppress(OSError):
                opened |= set(_links(thread / "fd"))
        held = tuple(sorted(opened & nodes))
        cgroups = "\n".join((each / "cgroup").read_text("utf-8", "replace") for each in threads)
        if not held or place_of(cgroups).containers:
            return None
        return (process / "comm").read_text("utf-8", "replace").strip(), held

    def _nodes(self) -> Iterator[tuple[Path, Acl]]:
        """Those that their group may open."""
        return ((path, acl) for path, acl in self._every() if acl.of_group)

    def _every(self) -> Iterator[tuple[Path, Acl]]:
        """Each node, and its list as it is now."""
        for path in sorted({path for each in PATTERNS for path in self._dev.glob(each)}):
            try:
                found = path.lstat()
                if not stat.S_ISCHR(found.st_mode):
                    continue
                acl = acl_of(found.st_mode, raw_acl_of(path))
            except FileNotFoundError:  # the MIG layout changes
                continue
            except OSError as exc:
                raise Unavailable(f"{path} cannot be read: {exc.strerror}.") from exc
            yield path, acl

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            handle = os.open(self._lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise Unavailable(f"{self._lock} cannot be opened: {exc.strerror}.") from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # held for milliseconds
            yield
        finally:
            os.close(handle)


def _threads(process: Path) -> list[Path]:
    """The process; where its first thread has ended, some of those that go on."""
    state = (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:1]
    if state != ["Z"]:
        return [process]
    return [each for each in islice((process / "task").iterdir(), _MOST_THREADS) if each.is_dir()]


def _links(folder: Path) -> Iterator[str]:
    for each in folder.iterdir():
        with suppress(OSError):
            yield str(each.readlink()).removesuffix(_DELETED)


def _set(path: Path, acl: Acl) -> None:
    try:
        os.setxattr(path, XATTR, acl.raw, follow_symlinks=False)
    except FileNotFoundError:  # the next pass sees the new one
        return
    except OSError as exc:
        raise Unavailable(
            f"The access to {path} cannot be changed: {exc.strerror}.",
            "It needs root, and /dev on a file system with access control lists.",
        ) from exc
