"""The cgroupfs driver: DS01 makes the directories and writes the files itself."""

from collections.abc import Sequence

from ds01_spawner.adapters.cgroups.bounds import Bounds
from ds01_spawner.adapters.cgroups.hierarchy import Hierarchy, refused_access


class CgroupfsDriver:
    """`/<top>/<group>/<user>`."""

    def __init__(self, hierarchy: Hierarchy, top: str) -> None:
        self._hierarchy = hierarchy
        self._top = top

    def parent(self, path: str) -> str:
        """The path from the root cgroup."""
        return f"/{path}"

    def path(self, group: str, user: str) -> str:
        """One level each."""
        return f"{self._top}/{group}/{user}"

    def people(self) -> Sequence[tuple[str, str]]:
        """Second-level cgroups below the top, in any tree."""
        files = self._hierarchy.files
        return tuple(
            sorted(
                {
                    (group, user)
                    for top in self._hierarchy.directories(self._top)
                    for group in files.children(top)
                    for user in files.children(top / group)
                }
            )
        )

    def levels(self) -> Sequence[str]:
        """First-level cgroups below the top, in any tree, and the top."""
        files = self._hierarchy.files
        tops = self._hierarchy.directories(self._top)
        groups = sorted({group for top in tops for group in files.children(top)})
        return (*(f"{self._top}/{group}" for group in groups), self._top)

    def owner(self, path: str) -> tuple[str, str] | None:
        """From the first three levels."""
        match path.strip("/").split("/"):
            case [self._top, group, user, *_]:
                return group, user
            case _:
                return None

    def exists(self, path: str) -> bool:
        """Whether it lies in every tree that bounds it."""
        return self._hierarchy.exists(path)

    def create(self, path: str) -> None:
        """Make it in every tree that bounds it."""
        self._hierarchy.create(path)

    def write(self, path: str, found: Bounds, wanted: Bounds) -> dict[str, str]:
        """Write the files that differ."""
        return self._hierarchy.write(path, found, wanted)

    def discard(self, path: str) -> bool:
        """Remove its directories; the kernel refuses those in which something runs."""
        removed = []
        for directory in self._hierarchy.directories(path):
            try:
                removed.append(self._hierarchy.files.remove(directory))
            except OSError as exc:
                raise refused_access(directory, exc) from exc
        return all(removed)
