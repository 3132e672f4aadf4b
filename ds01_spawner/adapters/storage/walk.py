"""One walk through a home, in small steps, that looks only at what may have changed.

A folder whose `mtime` and `ctime` are as they were holds the same names. A file in it may have
grown nevertheless, so some unchanged folders are looked into again: those in which something was
written within the hour, those that hold a lot, and in turn every other, so that nothing goes
unseen for longer than `LONGEST_UNSEEN`.
"""

import os
import stat
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from ds01_spawner.adapters.storage import tree_file
from ds01_spawner.adapters.storage.descent import Descent, Step, entries_of
from ds01_spawner.adapters.storage.projects import adopt, adopt_file
from ds01_spawner.adapters.storage.tree_file import Child, Readable, Record, Root, Writable

_SECOND = 10**9
LONGEST_UNSEEN = 6 * 3600
_BUSY_NS = 3600 * _SECOND
_UNSETTLED_NS = 2 * _SECOND
"""A folder that changed this recently may change again within the same tick of its clock."""

_BLOCK = 512
_ENTRIES_A_STEP = 256
_HEAVY_SHARE = 100
_HEAVY_ENTRIES = 10_000
MOST_KEPT = 5_000_000
"""Of one folder: half a gigabyte of memory. A hundred million links take two gigabytes of disk."""

_MAX_LINKS = 2_000_000
_SPREAD = 2654435761


class CannotKeep(Exception):
    """What was found cannot be written."""


@dataclass(frozen=True, slots=True)
class Before:
    """An earlier walk of the same home.

    Attributes:
        file: What it found.
        root: Where in it the home is.
    """

    file: Readable
    root: Root


@dataclass(slots=True)
class Tally:
    """What a walk has met.

    Attributes:
        folders: How many.
        looked_into: Folders whose files were looked at.
        files: Files looked at.
        problems: Folders and files that could not be read.
    """

    folders: int = 0
    looked_into: int = 0
    files: int = 0
    problems: int = 0


class TooManyEntries(Exception):
    """A folder has more folders and files with several names than can be kept in mind."""


class Walk:
    """A walk under way. It owns `home` until `close`.

    Args:
        home: The open folder.
        output: Where what is found is written.
        before: The walk before, or `None` to look at everything.
        mounted: Paths in the home at which something is mounted: they are not entered.
        project: The project for quotas that everything is put into, or 0.
    """

    def __init__(
        self,
        home: int,
        output: Writable,
        *,
        before: Before | None = None,
        mounted: frozenset[bytes] = frozenset(),
        project: int = 0,
    ) -> None:
        self.tally = Tally()
        self.home: Record | None = None
        self.root = Root(0, 0, project, 0)
        self._descent = Descent(home)
        self._output = output
        self._offset = 0
        # Everything has to be in the project once; from then on what is new inherits it.
        self._before = None if before and project and before.root.project != project else before
        self._mounted = mounted
        self._mounted_names = {(each.count(b"/"), each.rpartition(b"/")[2]) for each in mounted}
        self._project = project
        self._seen_links: set[int] = set()
        self._heavy_bytes = 0
        self._steps = self._walk()

    def advance(self, seconds: float) -> bool:
        """Walk for about so long; whether the end was reached.

        Raises:
            CannotKeep: What is found cannot be written.
        """
        end = time.monotonic() + seconds
        return not any(time.monotonic() >= end for _ in self._steps)

    def close(self) -> None:
        """Hold nothing open any longer."""
        self._steps.close()
        self._descent.close()

    def _walk(self) -> Generator[None]:
        descent = self._descent
        known = None
        if self._before is not None:
            root = self._before.root
            known = self._known(Child(root.offset, 0, root.length, b""))
            self._heavy_bytes = known.total_bytes // _HEAVY_SHARE + 1 if known else 0
        yield from self._begin(descent.here, known)
        while True:
            yield
            step = descent.here
            if step.todo:
                name, last = step.todo.pop()
                try:
                    yield from self._visit(name, last)
                except FileNotFoundError:
                    pass  # deleted or moved meanwhile
                except OSError:
                    self.tally.problems += 1
                continue
            record = self._write(descent.leave())
            if not descent.steps:
                self.home = record
                return

    def _visit(self, name: bytes, last: Child | None) -> Iterator[None]:
        descent = self._descent
        # The whole path of each folder of a deep tree is quadratic: first what costs nothing.
        place = len(descent.steps) - 1, name
        if place in self._mounted_names and descent.path_of(name) in self._mounted:
            return
        status = descent.look(name)
        if status is None:
            return
        known = self._known(last) if last is not None else None
        if known is not None and not known.children and self._is_current(known, status):
            self._keep(name, known)
            return
        try:
            entered = descent.enter(name, status)
        except PermissionError:
            self.tally.problems += 1
            unread = Step(name, -1, status, own_bytes=status.st_blocks * _BLOCK, trusted=False)
            self._write(unread)
            return
        if entered:
            yield from self._begin(descent.here, known)

    def _known(self, last: Child) -> Record | None:
        if self._before is None:
            return None
        try:
            return tree_file.read_record(self._before.file, last.offset, last.length)
        except ValueError:
            self._before = None
            return None

    def _is_current(self, known: Record, status: os.stat_result) -> bool:
        """Whether the folder holds the same files, and they need not be looked at in this walk."""
        then = known.device, known.inode, known.modified_ns, known.changed_ns
        if then != (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns):
            return False
        age = time.time_ns() - known.read_ns
        turn = LONGEST_UNSEEN * _SECOND // 2
        turn += turn * (known.inode * _SPREAD % 2**32) // 2**32
        heavy = known.own_bytes >= self._heavy_bytes and known.entries <= _HEAVY_ENTRIES
        busy = known.newest_ns > known.read_ns - _BUSY_NS
        return 0 <= age < turn and not heavy and not busy

    def _keep(self, name: bytes, known: Record) -> None:
        """A folder without folders in it, as it was."""
        self.tally.folders += 1
        linked = self._linked_bytes(known.links)
        total = known.own_bytes + linked
        self._emit(name, known._replace(total_bytes=total))

    def _begin(self, step: Step, known: Record | None) -> Iterator[None]:
        """Learn what the folder that was just entered holds."""
        if known is not None and self._is_current(known, step.status):
            step.own_bytes, step.newest_ns = known.own_bytes, known.newest_ns
            step.read_ns, step.entries = known.read_ns, known.entries
            step.links = list(known.links)
            step.todo = [(child.name, child) for child in known.children]
            return
        self.tally.looked_into += 1
        last = {child.name: child for child in known.children} if known else {}
        try:
            if self._project:
                adopt(step.descriptor, self._project, folder=True)
                step.status = os.fstat(step.descriptor)
            step.read_ns = time.time_ns()
            last_change = max(step.status.st_mtime_ns, step.status.st_ctime_ns)
            step.trusted = last_change < step.read_ns - _UNSETTLED_NS
            step.own_bytes = step.status.st_blocks * _BLOCK
            for entry in entries_of(step):
                self._count(step, entry, last)
                if step.entries % _ENTRIES_A_STEP == 0:
                    yield
        except OSError:
            self.tally.problems += 1
            step.trusted = False

    def _count(self, step: Step, entry: "os.DirEntry[str]", last: dict[bytes, Child]) -> None:
        step.entries += 1
        if len(step.todo) + len(step.links) > MOST_KEPT:
            raise TooManyEntries
        try:
            if entry.is_dir(follow_symlinks=False):
                name = os.fsencode(entry.name)
                step.todo.append((name, last.get(name)))
                return
            status = entry.stat(follow_symlinks=False)
            if status.st_dev != step.status.st_dev:
                return
            self.tally.files += 1
            if status.st_nlink > 1:
                step.links.append((status.st_ino, status.st_blocks * _BLOCK))
            else:
                step.own_bytes += status.st_blocks * _BLOCK
            step.newest_ns = max(step.newest_ns, status.st_ctime_ns)
            if self._project and stat.S_ISREG(status.st_mode):
                adopt_file(entry.name, step.descriptor, self._project)
        except FileNotFoundError:
            pass  # deleted meanwhile
        except OSError:
            self.tally.problems += 1

    def _linked_bytes(self, links: Sequence[tuple[int, int]]) -> int:
        """What those of these files hold that were met under no other name."""
        total = 0
        for inode, size in links:
            if inode not in self._seen_links and len(self._seen_links) < _MAX_LINKS:
                self._seen_links.add(inode)
                total += size
        return total

    def _write(self, step: Step) -> Record:
        """Write down a folder whose inside is known."""
        self.tally.folders += 1
        below = sum(child.total_bytes for child in step.done)
        record = Record(
            device=step.status.st_dev,
            inode=step.status.st_ino,
            modified_ns=step.status.st_mtime_ns if step.trusted else 0,
            changed_ns=step.status.st_ctime_ns if step.trusted else 0,
            total_bytes=step.own_bytes + self._linked_bytes(step.links) + below,
            own_bytes=step.own_bytes,
            newest_ns=step.newest_ns,
            read_ns=step.read_ns,
            entries=step.entries,
            links=step.links,
            children=step.done,
        )
        self._emit(step.name, record)
        return record

    def _emit(self, name: bytes, record: Record) -> None:
        data = tree_file.pack(record)
        try:
            self._output.write(data)
        except OSError as exc:
            raise CannotKeep(str(exc)) from exc
        child = Child(self._offset, record.total_bytes, len(data), name)
        self._offset += len(data)
        if self._descent.steps:
            self._descent.here.done.append(child)
        else:
            self.root = Root(child.offset, child.length, self._project, time.time_ns())
