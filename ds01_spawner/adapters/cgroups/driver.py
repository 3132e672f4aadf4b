"""What differs between the engine's two cgroup drivers: names, and who makes and sets a cgroup."""

from collections.abc import Sequence
from typing import Protocol

from ds01_spawner.adapters.cgroups.bounds import Bounds


class Driver(Protocol):
    """One of the engine's cgroup drivers. Paths are relative to the root cgroup."""

    def parent(self, path: str) -> str:
        """What the engine is told as the cgroup parent."""
        ...

    def path(self, group: str, user: str) -> str:
        """Where a person's cgroup lies, from the two slugs."""
        ...

    def people(self) -> Sequence[tuple[str, str]]:
        """(group slug, user slug) of every cgroup of a person."""
        ...

    def levels(self) -> Sequence[str]:
        """Paths of what people's cgroups lie in, from those of groups up to the top."""
        ...

    def owner(self, path: str) -> tuple[str, str] | None:
        """Whose cgroup a kernel path is or lies in, or `None` when it is no person's."""
        ...

    def exists(self, path: str) -> bool:
        """Whether the cgroup has been made."""
        ...

    def create(self, path: str) -> None:
        """Make the cgroup, without bounds."""
        ...

    def write(self, path: str, found: Bounds, wanted: Bounds) -> dict[str, str]:
        """Set the bounds that differ; complaints by bound."""
        ...

    def discard(self, path: str) -> bool:
        """Remove an unused cgroup; whether it is gone."""
        ...
