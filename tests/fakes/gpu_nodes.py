"""GPU nodes in memory."""

from collections import defaultdict
from collections.abc import Mapping

from ds01_spawner.domain.bare_metal import NodeHolder
from ds01_spawner.domain.errors import Unavailable


class FakeGpuNodes:
    """The `GpuNodes` port.

    Attributes:
        lists: User ids that each node lets in.
        closed: Nodes that nobody but root may open.
        held: Processes by user id.
        everybodys: Those that everybody may open.
        stuck: When set, no list can be changed.
    """

    def __init__(self, *paths: str) -> None:
        self.has_driver = bool(paths)
        self.lists: dict[str, set[int]] = {path: set() for path in paths}
        self.closed: set[str] = set()
        self.held: dict[int, tuple[NodeHolder, ...]] = {}
        self.everybodys: tuple[str, ...] = ()
        self.stuck = False

    def paths(self) -> tuple[str, ...]:
        return tuple(path for path in sorted(self.lists) if path not in self.closed)

    def driver_is_here(self) -> bool:
        return self.has_driver

    def open_to_all(self) -> tuple[str, ...]:
        return self.everybodys

    def give(self, uid: int) -> tuple[str, ...]:
        changed = [path for path in self.paths() if uid not in self.lists[path]]
        return self._change(changed, uid)

    def take_back(self, uid: int) -> tuple[str, ...]:
        changed = [path for path in sorted(self.lists) if uid in self.lists[path]]
        return self._change(changed, uid)

    def given(self) -> Mapping[int, tuple[str, ...]]:
        found: dict[int, tuple[str, ...]] = defaultdict(tuple)
        for path in sorted(self.lists):
            for uid in self.lists[path]:
                found[uid] = (*found[uid], path)
        return found

    def holders(self, uid: int) -> tuple[NodeHolder, ...]:
        return self.held.get(uid, ())

    def _change(self, paths: list[str], uid: int) -> tuple[str, ...]:
        if self.stuck and paths:
            raise Unavailable(f"The access to {paths[0]} cannot be changed: Read-only file system.")
        for path in paths:
            self.lists[path] ^= {uid}
        return tuple(paths)
