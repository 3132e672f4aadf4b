"""One person's bounds on all their containers together: set, checked, following the policy.

`apply` before a start and `verify` after it; `sync_all` and `report_oom_kills` once in each pass of
a service.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ds01_spawner.domain import labels
from ds01_spawner.domain.cgroup import BoundChange, OomBound, OomKill, OomMark
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.domain.limits import AggregateLimits, Limits
from ds01_spawner.domain.names import cgroup_slugs
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.ports import Cgroups

Member = tuple[str | None, str]
"""Group and user, as the labels of a person's containers say."""

_MIB = 1024**2
_SERVICE = "aggregate"
_FULL = {
    OomBound.AGGREGATE: "All containers of this person together reached their memory limit",
    OomBound.CONTAINER: "The container reached its memory limit",
    OomBound.MACHINE: "The machine ran out of memory",
}


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one pass found and did.

    Attributes:
        applied: Bounds in force as the policy says.
        failed: Bounds wanted and not in force, with the reason.
    """

    applied: Mapping[Member, AggregateLimits] = field(default_factory=dict)
    failed: Mapping[Member, tuple[AggregateLimits | None, str]] = field(default_factory=dict)


class Aggregates:
    """Keeps the kernel's bounds on people as the policy wants them."""

    def __init__(self, *, cgroups: Cgroups, audit: Audit) -> None:
        self._cgroups = cgroups
        self._audit = audit

    def apply(self, limits: Limits, user: str) -> str:
        """Bound the person before a container of theirs starts; the container's cgroup parent.

        Raises:
            Unavailable: A bound is not in force; nothing may be started.
        """
        self._cgroups.ensure(limits.group, user, limits.aggregate)
        return self._cgroups.parent(limits.group, user)

    def verify(self, limits: Limits, user: str) -> tuple[BoundChange, ...]:
        """Set again, and report, what the start of a container changed.

        Engines have overwritten the bounds of a parent (https://github.com/moby/moby/issues/33876).

        Raises:
            Unavailable: A bound is not in force.
        """
        changed = self._cgroups.ensure(limits.group, user, limits.aggregate)
        if changed:
            self._changed("quota.restore", (limits.group, user), changed)
        return changed

    def sync_all(
        self,
        containers: Iterable[Container],
        limits_of: Callable[[str], Limits],
        previous: SyncReport | None = None,
    ) -> SyncReport:
        """Bring everyone who runs something to the policy in force.

        A bound that cannot be taken now, such as memory below what is in use, stays as it was and
        is tried again in the next pass; it is logged once.

        Args:
            containers: What the engine shows.
            limits_of: A person's limits now.
            previous: What the last pass returned.
        """
        before = previous or SyncReport()
        applied: dict[Member, AggregateLimits] = {}
        failed: dict[Member, tuple[AggregateLimits | None, str]] = {}
        changed: dict[Member, tuple[BoundChange, ...]] = {}
        for member in self._members(containers):
            wanted = None
            try:
                wanted = limits_of(member[1]).aggregate
                changed[member] = self._cgroups.ensure(*member, wanted)
                applied[member] = wanted
            except DS01Error as exc:
                failed[member] = (wanted, str(exc))
        for member, changes in changed.items():
            if changes:
                same = before.applied.get(member) == applied[member]
                self._changed("quota.restore" if same else "quota.update", member, changes)
        for member, (wanted, reason) in failed.items():
            known = before.failed.get(member)
            if known is None or known[0] != wanted:
                self._not_taken(member, wanted, reason)
        return SyncReport(applied, failed)

    def report_oom_kills(
        self, containers: Iterable[Container], previous: OomMark | None
    ) -> tuple[OomMark, Sequence[OomKill]]:
        """Log what the kernel killed for memory since `previous`; the mark for the next pass.

        Args:
            containers: What the engine shows, for names.
            previous: The mark of the last pass; `None` starts now.

        Raises:
            Unavailable: The kernel's figures cannot be read.
        """
        mark, kills = self._cgroups.oom_kills(previous)
        if kills:
            shown = tuple(containers)
            by_id = {container.id: container for container in shown}
            members = {cgroup_slugs(*member): member for member in _owners(shown)}
            for kill in kills:
                member = members.get((kill.group, kill.user))
                self._killed(kill, member, by_id.get(kill.container_id or ""))
        return mark, kills

    def _members(self, containers: Iterable[Container]) -> tuple[Member, ...]:
        live = (container for container in containers if container.state.is_live)
        return tuple(
            dict.fromkeys(
                member
                for container in live
                for member in _owners((container,))
                if container.labels.get(labels.CGROUP_PARENT) == self._cgroups.parent(*member)
            )
        )

    def _changed(self, action: str, member: Member, changes: Sequence[BoundChange]) -> None:
        restored = action == "quota.restore"
        self._audit.write(
            action,
            user=member[1],
            resource=self._cgroups.parent(*member),
            interface=_SERVICE,
            reason="Something else had changed these bounds."
            if restored
            else "The policy changed.",
            details={
                "group": member[0],
                "changes": {
                    change.name: {"before": change.before, "after": change.after}
                    for change in changes
                },
            },
        )

    def _not_taken(self, member: Member, wanted: AggregateLimits | None, reason: str) -> None:
        details: dict[str, object] = {"group": member[0]}
        if wanted is not None:
            details |= {
                "cpus": wanted.cpus,
                "memory_bytes": wanted.memory_bytes,
                "memory_high_bytes": wanted.memory_high_bytes,
                "pids": wanted.pids,
            }
        self._audit.write(
            "quota.update",
            user=member[1],
            resource=self._cgroups.parent(*member),
            interface=_SERVICE,
            outcome="failed",
            reason=reason,
            details=details,
        )

    def _killed(self, kill: OomKill, member: Member | None, container: Container | None) -> None:
        group, user = member or (kill.group, kill.user)
        limit = kill.limit_bytes
        if limit is None and kill.bound is OomBound.AGGREGATE and member is not None:
            usage = self._cgroups.usage(*member)
            limit = None if usage is None else usage.limits.memory_bytes
        name = container.name if container is not None else kill.container_id
        figures = f" ({limit / _MIB:.0f} MiB)" if limit is not None else ""
        self._audit.write(
            "memory.oom_kill",
            user=user,
            resource=name or f"{kill.group}/{kill.user}",
            interface="kernel",
            reason=f"{_FULL[kill.bound]}{figures}, so the kernel killed"
            f" {kill.process or 'a process'}.",
            details={
                "group": group,
                "bound": kill.bound.value,
                "limit_bytes": limit,
                "used_bytes": kill.used_bytes,
                "container_id": kill.container_id,
                "process": kill.process,
                "pid": kill.pid,
            },
        )


def _owners(containers: Iterable[Container]) -> Iterable[Member]:
    """Group and user of each container that the platform made."""
    for container in containers:
        marks = container.labels
        user = marks.get(labels.USER)
        if user and marks.get(labels.MANAGED) == "true":
            yield marks.get(labels.GROUP), user
