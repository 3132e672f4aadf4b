"""The `Cgroups` port on a hierarchy and a driver."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ds01_spawner.adapters.cgroups.bounds import changes
from ds01_spawner.adapters.cgroups.driver import Driver
from ds01_spawner.adapters.cgroups.hierarchy import (
    Hierarchy,
    hold_memory,
    not_taken,
    refused_access,
)
from ds01_spawner.adapters.cgroups.kernel_log import KernelLog, LoggedKill
from ds01_spawner.domain.cgroup import AggregateUsage, BoundChange, OomBound, OomKill, OomMark
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.domain.names import cgroup_slugs

_CONTAINER_ID = re.compile(r"(?:^|/)(?:docker-)?(?P<id>[0-9a-f]{64})(?:\.scope)?(?:/|$)")
_ROUNDS = 2
"""A bound may bring files that bear on another: swap appears with the memory controller."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class PersonCgroups:
    """One cgroup for each person, below one top-level cgroup."""

    def __init__(self, hierarchy: Hierarchy, driver: Driver, log: KernelLog) -> None:
        self._hierarchy = hierarchy
        self._driver = driver
        self._log = log

    def parent(self, group: str | None, user: str) -> str:
        """The cgroup parent in the form the engine's driver wants."""
        return self._driver.parent(self._path(group, user))

    def ensure(
        self, group: str | None, user: str, limits: AggregateLimits
    ) -> tuple[BoundChange, ...]:
        """Make the cgroup with these bounds and read them back; only reads when all is as wanted.

        Raises:
            Unavailable: A bound was not taken.
        """
        path = self._path(group, user)
        try:
            return self._ensure(path, limits)
        except OSError as exc:
            raise refused_access(exc.filename or path, exc) from exc

    def _ensure(self, path: str, limits: AggregateLimits) -> tuple[BoundChange, ...]:
        if not self._driver.exists(path):
            self._driver.create(path)
        before = found = self._hierarchy.read(path)
        wanted = self._hierarchy.wanted(path, limits)
        complaints: dict[str, str] = {}
        for _ in range(_ROUNDS):
            if found == wanted:
                return changes(before, found)
            safe = hold_memory(self._hierarchy, path, found, wanted)
            if safe != found:
                complaints = self._driver.write(path, found, safe)
            found = self._hierarchy.read(path)
            wanted = self._hierarchy.wanted(path, limits)
        if found != wanted:
            raise not_taken(self._hierarchy, path, found, wanted, complaints)
        return changes(before, found)

    def usage(self, group: str | None, user: str) -> AggregateUsage | None:
        """Bounds and usage in force, or `None` when the cgroup does not exist."""
        path = self._path(group, user)
        try:
            if not self._driver.exists(path):
                return None
            memory_bytes, pids = self._hierarchy.used(path)
            kills = self._hierarchy.kills(path)
            return AggregateUsage(
                limits=self._hierarchy.read(path).as_limits(),
                memory_bytes=memory_bytes,
                pids=pids,
                oom_kills=None if kills is None else kills[1],
            )
        except OSError as exc:
            raise refused_access(exc.filename or path, exc) from exc

    def people(self) -> Sequence[tuple[str, str]]:
        """(group slug, user slug) of every person's cgroup."""
        return self._driver.people()

    def containers(self) -> Mapping[str, tuple[str, str]]:
        """Whose cgroup each container runs in; one tree of the kernel's has them all."""
        found = {}
        try:
            for owner in self.people():
                for directory in self._hierarchy.directories(self._driver.path(*owner))[:1]:
                    for name in self._hierarchy.files.children(directory):
                        if match := _CONTAINER_ID.search(name):
                            found[match["id"]] = owner
        except OSError as exc:
            raise refused_access(exc.filename or "cgroup.procs", exc) from exc
        return found

    def remove(self, group_slug: str, user_slug: str) -> bool:
        """Remove a person's cgroup, named as `people` does, if it is empty; whether it is gone."""
        path = self._driver.path(group_slug, user_slug)
        try:
            for directory in self._hierarchy.directories(path):
                if self._hierarchy.files.children(directory):
                    return False
            return self._driver.discard(path)
        except OSError as exc:
            raise refused_access(exc.filename or path, exc) from exc

    def take_down(self) -> bool:
        """Remove every cgroup up to the top, but those with something in them; whether all went."""
        for group, user in self.people():
            self.remove(group, user)
        try:
            gone = [self._driver.discard(path) for path in self._driver.levels()]
        except OSError as exc:
            raise refused_access(exc.filename or "cgroup.procs", exc) from exc
        return all(gone)

    def oom_kills(self, since: OomMark | None) -> tuple[OomMark, Sequence[OomKill]]:
        """Kills since the mark, from the kernel log, or else from the kernel's counters."""
        boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        rebooted = since is not None and since.boot_id != boot_id
        known = None if rebooted else since
        counted = self._counters()
        logged = self._log.kills_after(
            -1 if known is None or known.log_sequence is None else known.log_sequence
        )
        mark = OomMark(boot_id, None if logged is None else logged[0], counted)
        if since is None:
            return mark, ()
        if logged is not None and (known is None or known.log_sequence is not None):
            kills = [self._attributed(kill) for kill in logged[1]]
            return mark, tuple(kill for kill in kills if kill is not None)
        return mark, _counted({} if known is None else known.kills, counted)

    def _counters(self) -> dict[tuple[str, str], tuple[int, int]]:
        try:
            found = {
                owner: self._hierarchy.kills(self._driver.path(*owner)) for owner in self.people()
            }
        except OSError as exc:
            raise refused_access(exc.filename or "memory.events", exc) from exc
        return {owner: kills for owner, kills in found.items() if kills is not None}

    def _attributed(self, kill: LoggedKill) -> OomKill | None:
        owner = self._driver.owner(kill.task)
        if owner is None:
            return None
        if kill.bound is None or self._driver.owner(kill.bound) is None:
            bound = OomBound.MACHINE
        elif kill.bound.strip("/") == self._driver.path(*owner):
            bound = OomBound.AGGREGATE
        else:
            bound = OomBound.CONTAINER
        container = _CONTAINER_ID.search(kill.task)
        return OomKill(
            group=owner[0],
            user=owner[1],
            bound=bound,
            container_id=None if container is None else container["id"],
            process=kill.process,
            pid=kill.pid,
            used_bytes=kill.used_bytes,
            limit_bytes=kill.limit_bytes,
        )

    def _path(self, group: str | None, user: str) -> str:
        return self._driver.path(*cgroup_slugs(group, user))


def _counted(
    before: Mapping[tuple[str, str], tuple[int, int]],
    now: Mapping[tuple[str, str], tuple[int, int]],
) -> tuple[OomKill, ...]:
    kills = []
    for owner, (reached, killed) in sorted(now.items()):
        reached_before, killed_before = before.get(owner, (0, 0))
        if killed > killed_before:
            bound = OomBound.AGGREGATE if reached > reached_before else OomBound.CONTAINER
            kills.append(OomKill(group=owner[0], user=owner[1], bound=bound))
    return tuple(kills)
