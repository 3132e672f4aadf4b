"""People's cgroups in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ds01_spawner.domain.cgroup import AggregateUsage, BoundChange, OomBound, OomKill, OomMark
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.domain.names import cgroup_slugs

_NAMES = {
    "cpus": "cpus",
    "memory_bytes": "memory",
    "memory_high_bytes": "memory_high",
    "pids": "pids",
}


class FakeCgroups:
    """The `Cgroups` port, under the cgroupfs driver.

    Attributes:
        stuck: When set, every call that needs the kernel raises `Unavailable`.
        used: Memory in use, by (group slug, user slug); for a test to set.
        inside: Whose cgroup each container runs in, by its id; for a test to set.
        occupied: (group slug, user slug) of those in whose cgroup something runs.
        ensured: (group, user, limits) of every `ensure`, refused ones included.
    """

    def __init__(self, top: str = "ds01") -> None:
        self.stuck = False
        self.used: dict[tuple[str, str], int] = {}
        self.inside: dict[str, tuple[str, str]] = {}
        self.occupied: set[tuple[str, str]] = set()
        self.ensured: list[tuple[str | None, str, AggregateLimits]] = []
        self._top = top
        self._bounds: dict[tuple[str, str], AggregateLimits] = {}
        self._kills: list[OomKill] = []

    def parent(self, group: str | None, user: str) -> str:
        return "/".join(("", self._top, *cgroup_slugs(group, user)))

    def ensure(
        self, group: str | None, user: str, limits: AggregateLimits
    ) -> tuple[BoundChange, ...]:
        self.ensured.append((group, user, limits))
        self._answer()
        key = cgroup_slugs(group, user)
        before = self._bounds.setdefault(key, AggregateLimits())
        held = before.memory_bytes is None or (
            limits.memory_bytes is not None and limits.memory_bytes < before.memory_bytes
        )
        refused = (
            limits.memory_bytes is not None and held and self.used.get(key, 0) > limits.memory_bytes
        )
        after = replace(limits, memory_bytes=before.memory_bytes) if refused else limits
        self._bounds[key] = after
        if refused:
            raise Unavailable(
                f"memory: wanted {limits.memory_bytes}, found {before.memory_bytes}"
                f" ({self.used[key]} bytes are in use)."
            )
        return tuple(
            BoundChange(name, getattr(before, field), getattr(after, field))
            for field, name in _NAMES.items()
            if getattr(before, field) != getattr(after, field)
        )

    def usage(self, group: str | None, user: str) -> AggregateUsage | None:
        self._answer()
        key = cgroup_slugs(group, user)
        if key not in self._bounds:
            return None
        return AggregateUsage(
            limits=self._bounds[key],
            memory_bytes=self.used.get(key, 0),
            pids=0,
            oom_kills=sum((kill.group, kill.user) == key for kill in self._kills),
        )

    def containers(self) -> Mapping[str, tuple[str, str]]:
        self._answer()
        return {key: owner for key, owner in self.inside.items() if owner in self._bounds}

    def people(self) -> Sequence[tuple[str, str]]:
        self._answer()
        return tuple(sorted(self._bounds))

    def remove(self, group_slug: str, user_slug: str) -> bool:
        self._answer()
        key = (group_slug, user_slug)
        if key in self.occupied:
            return False
        self._bounds.pop(key, None)
        return True

    def take_down(self) -> bool:
        gone = [self.remove(*each) for each in self.people()]
        return all(gone)

    def oom_kills(self, since: OomMark | None) -> tuple[OomMark, Sequence[OomKill]]:
        self._answer()
        mark = OomMark("boot", len(self._kills), {})
        if since is None or since.log_sequence is None:
            return mark, ()
        return mark, tuple(self._kills[since.log_sequence :])

    def kill(
        self,
        group: str | None,
        user: str,
        *,
        container_id: str | None = None,
        bound: OomBound = OomBound.AGGREGATE,
        limit_bytes: int | None = None,
    ) -> None:
        """Let the kernel kill a process for memory."""
        slugs = cgroup_slugs(group, user)
        self._kills.append(
            OomKill(*slugs, bound, container_id, process="python", pid=123, limit_bytes=limit_bytes)
        )

    def overwrite(self, group: str | None, user: str, limits: AggregateLimits) -> None:
        """Let something else change the bounds."""
        self._bounds[cgroup_slugs(group, user)] = limits

    def _answer(self) -> None:
        if self.stuck:
            raise Unavailable("The cgroup file system does not answer.")
