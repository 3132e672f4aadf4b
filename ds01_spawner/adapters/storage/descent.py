"""Going down and up in a tree that its owner changes meanwhile, and never out of it.

Folders are opened one by one below the one that is open already, links are not followed, and a
folder that was left on the way is recognised by its number when it is come back to.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from ds01_spawner.adapters.storage.tree_file import Child

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CLOSED = -1
_KEPT_OPEN = 128


@dataclass(slots=True)
class Step:
    """One folder of the path from the home to where the walk is.

    Attributes:
        name: In the folder above.
        descriptor: Open, or -1 while the walk is far below it.
        status: As it was opened.
        own_bytes: Itself and the files directly in it.
        newest_ns: When a file in it was last written to.
        read_ns: When its files were looked at.
        entries: How many there were.
        trusted: Whether its times tell the next walk that it has not changed.
        links: Files with several names: inode and bytes.
        todo: Folders in it that the walk has yet to enter, with where they were found last time.
        done: Those that it has left.
    """

    name: bytes
    descriptor: int
    status: os.stat_result
    own_bytes: int = 0
    newest_ns: int = 0
    read_ns: int = 0
    entries: int = 0
    trusted: bool = True
    links: list[tuple[int, int]] = field(default_factory=list)
    todo: list[tuple[bytes, Child | None]] = field(default_factory=list)
    done: list[Child] = field(default_factory=list)


class Descent:
    """The folders from the home to where the walk is; few of them are held open at once."""

    def __init__(self, home: int) -> None:
        """Take over the open folder `home`."""
        self.steps = [Step(b"", home, os.fstat(home))]
        self._inodes = {self.steps[0].status.st_ino}

    @property
    def here(self) -> Step:
        """The lowest folder."""
        return self.steps[-1]

    def path_of(self, name: bytes) -> bytes:
        """The path of something in the lowest folder, relative to the home."""
        return b"/".join([*(step.name for step in self.steps[1:]), name])

    def look(self, name: bytes) -> os.stat_result | None:
        """What is known of a folder in the lowest one, or `None` where it is not to be entered.

        Raises:
            OSError: It cannot be looked at.
        """
        found = os.stat(name, dir_fd=self._open(), follow_symlinks=False)
        inside = stat.S_ISDIR(found.st_mode) and found.st_dev == self.here.status.st_dev
        # A folder that is its own ancestor, by a mount: it is being counted already.
        return found if inside and found.st_ino not in self._inodes else None

    def enter(self, name: bytes, expected: os.stat_result) -> bool:
        """Go down into a folder; `False` when it is another by now.

        Raises:
            OSError: It cannot be opened.
        """
        descriptor = open_folder(name, self._open())
        status = os.fstat(descriptor)
        if not os.path.samestat(status, expected):
            os.close(descriptor)
            return False
        self.steps.append(Step(name, descriptor, status))
        self._inodes.add(status.st_ino)
        if len(self.steps) > _KEPT_OPEN:
            _close(self.steps[-_KEPT_OPEN])
        return True

    def leave(self) -> Step:
        """Go up; the folder that was left."""
        left = self.steps.pop()
        self._inodes.discard(left.status.st_ino)
        if self.steps and self.here.descriptor == _CLOSED and self.here.todo:
            self._climb(left)
        _close(left)
        return left

    def close(self) -> None:
        """Hold nothing open any longer."""
        for step in self.steps:
            _close(step)

    def _open(self) -> int:
        if self.here.descriptor == _CLOSED:
            try:
                self.here.descriptor = self._reopened()
            except OSError:
                self.here.todo.clear()  # it was moved: there is no way down from it any more
                raise
        return self.here.descriptor

    def _climb(self, left: Step) -> None:
        if left.descriptor == _CLOSED:
            return
        try:
            above = open_folder(b"..", left.descriptor)
        except OSError:
            return
        if os.path.samestat(os.fstat(above), self.here.status):
            self.here.descriptor = above
        else:
            os.close(above)

    def _reopened(self) -> int:
        """The lowest folder, come to from the home once more."""
        current = os.dup(self.steps[0].descriptor)
        try:
            for step in self.steps[1:]:
                below = open_folder(step.name, current)
                os.close(current)
                current = below
                if not os.path.samestat(os.fstat(current), step.status):
                    raise FileNotFoundError(step.name)
        except OSError:
            os.close(current)
            raise
        return current


def open_folder(name: bytes, above: int) -> int:
    """A folder, opened without following a link and, where that is allowed, without a trace.

    Raises:
        OSError: It cannot be.
    """
    try:
        return os.open(name, OPEN_FOLDER | os.O_NOATIME, dir_fd=above)
    except PermissionError:
        return os.open(name, OPEN_FOLDER, dir_fd=above)


def entries_of(step: Step) -> Iterator["os.DirEntry[str]"]:
    """What an open folder holds.

    Raises:
        OSError: It cannot be read to its end.
    """
    with os.scandir(step.descriptor) as entries:
        yield from entries


def _close(step: Step) -> None:
    if step.descriptor != _CLOSED:
        os.close(step.descriptor)
        step.descriptor = _CLOSED
