"""Answers about homes: what they hold, and which file system they are on."""

import mmap
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.storage import tree_file
from ds01_spawner.adapters.storage.mounts import mount_of, mounted_below
from ds01_spawner.adapters.storage.projects import project_of
from ds01_spawner.adapters.storage.tree_file import Readable, Root
from ds01_spawner.adapters.storage.walk import Before, Walk

_IN_MEMORY = 64 * 1024**2
_MOST_AT_ONCE = 4


class NotTheirs(Exception):
    """The folder at the path of a home belongs to somebody else."""


class _Visit:
    """A walk under way, its draft, and the walk before."""

    def __init__(self, home: int, kept: Path, project: int) -> None:
        self.before = _mapped(kept)
        self.draft = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by `close`
            max_size=_IN_MEMORY, dir=str(kept.parent)
        )
        self.walk = Walk(
            home,
            self.draft,
            before=_before(self.before),
            mounted=mounted_below(home),
            project=project,
        )

    def close(self) -> None:
        self.walk.close()
        self.draft.close()
        if self.before is not None:
            self.before.close()


class Homes:
    """Walks of several homes, each of which goes on where it was when it is asked for again."""

    def __init__(self) -> None:
        self._visits: dict[tuple[str, str, int, int | None], _Visit] = {}

    def place(self, path: str, kept: Path, uid: int | None = None) -> dict[str, Any]:
        """Which file system a home is on, and the project that it belongs to.

        Raises:
            OSError: It cannot be opened.
            NotTheirs: It is not the home of `uid`.
        """
        home = _open_home(path, uid)
        try:
            mount = mount_of(home)
            project = project_of(home)
        finally:
            os.close(home)
        root = _last_root(kept)
        return {
            "mount": os.fsdecode(mount.path) if mount else "",
            "quotas": bool(mount and mount.has_project_quotas and project),
            "project": project.id if project else 0,
            "adopted": root.project if root and project and project.inherits else 0,
            "walked_ns": root.finished_ns if root else 0,
        }

    def walk(
        self, path: str, kept: Path, seconds: float, project: int, uid: int | None = None
    ) -> dict[str, Any]:
        """Walk on for so long; the outcome once the end is reached.

        Raises:
            OSError: The home cannot be opened.
            NotTheirs: It is not the home of `uid`.
            CannotKeep: The disk for drafts is full.
        """
        key = path, str(kept), project, uid
        visit = self._visits.pop(key, None) or _Visit(_open_home(path, uid), kept, project)
        finished = False
        try:
            finished = visit.walk.advance(seconds)
        except BaseException:
            visit.close()
            raise
        if not finished:
            self._visits[key] = visit
            self._drop_oldest()
            return {"done": False}
        try:
            return self._outcome(visit, kept)
        finally:
            visit.close()

    def _drop_oldest(self) -> None:
        while len(self._visits) > _MOST_AT_ONCE:
            self._visits.pop(next(iter(self._visits))).close()

    def _outcome(self, visit: _Visit, kept: Path) -> dict[str, Any]:
        home, tally = visit.walk.home, visit.walk.tally
        assert home is not None  # noqa: S101 - the walk is finished
        folders = tree_file.largest(visit.draft, home)
        with suppress(OSError):  # without it the next walk looks at everything
            _keep(visit, kept)
        return {
            "done": True,
            "bytes": home.total_bytes,
            "largest": [[os.fsdecode(each.path), each.size_bytes] for each in folders],
            "folders": tally.folders,
            "looked_into": tally.looked_into,
            "files": tally.files,
            "problems": tally.problems,
        }


def _open_home(path: str, uid: int | None) -> int:
    """A home, opened: that of an account is its owner's, that of a volume no link.

    The way to the home may be its owner's as far as the last step, where a lab gives them the
    folder above it: a link there leads to whatever home they like.
    """
    nofollow = os.O_NOFOLLOW if uid is None else 0
    home = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | nofollow)
    owner = os.fstat(home).st_uid
    if uid is not None and owner != uid:
        os.close(home)
        raise NotTheirs(f"it belongs to uid {owner}, not to uid {uid}")
    return home


def _mapped(kept: Path) -> mmap.mmap | None:
    try:
        with kept.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None


def _before(file: Readable | None) -> Before | None:
    try:
        return Before(file, tree_file.read_root(file)) if file is not None else None
    except ValueError:
        return None


def _last_root(kept: Path) -> Root | None:
    try:
        with kept.open("rb") as file:
            return tree_file.read_root(file)
    except (OSError, ValueError):
        return None


def _keep(visit: _Visit, kept: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{os.getpid()}.", suffix=".part", dir=kept.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            tree_file.copy(visit.draft, file)
            file.write(tree_file.pack_root(visit.walk.root))
        draft.replace(kept)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def remove_drafts(folder: Path) -> None:
    """Remove what walkers that were killed left half written."""
    for draft in folder.glob(".*.part"):
        owner = draft.name.split(".")[1]
        if not owner.isdigit() or not Path("/proc", owner).exists():
            draft.unlink(missing_ok=True)
