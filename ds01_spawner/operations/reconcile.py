"""Repairs what crashes leave behind, and says so in the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.cgroup import OomMark
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.queue import USAGE_HORIZON, alive
from ds01_spawner.domain.repair import (
    GRACE,
    LOST_AT_START,
    Repair,
    is_forgotten,
    lapsed,
    repairs,
    usage_changes,
)
from ds01_spawner.operations.admission import Admission
from ds01_spawner.operations.aggregate import Aggregates, SyncReport
from ds01_spawner.operations.audit import Audit
from ds01_spawner.operations.leftovers import Leftovers
from ds01_spawner.operations.situation import Situation
from ds01_spawner.ports import Clock, Engine, HubClient, HubServer, Ledger, PolicySource

_KEEP_EXPIRED = timedelta(hours=1)
SERVICE = "culler"


@dataclass(frozen=True, slots=True)
class Report:
    """What one pass found.

    Attributes:
        repairs: What was repaired.
        notes: Sentences on what could not be checked.
    """

    repairs: tuple[Repair, ...]
    notes: tuple[str, ...]


class Reconciler:
    """One pass after the other; what must be seen twice is remembered between them."""

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        clock: Clock,
        policy: PolicySource,
        engine: Engine,
        ledger: Ledger,
        admission: Admission,
        aggregates: Aggregates,
        audit: Audit,
        hub: HubClient | None,
        leftovers: Leftovers,
        grace: timedelta = GRACE,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._engine = engine
        self._ledger = ledger
        self._admission = admission
        self._aggregates = aggregates
        self._audit = audit
        self._hub = hub
        self._leftovers = leftovers
        self._grace = grace
        self._suspects: frozenset[str] = frozenset()
        self._known_conflicts: frozenset[str] = frozenset()
        self._bounds: SyncReport | None = None
        self._kills: OomMark | None = None

    def run(
        self,
        situation: Situation | None = None,
        servers: Mapping[tuple[str, str], HubServer] | None = None,
        *,
        dry_run: bool = False,
        bookkeeping: bool = True,
    ) -> Report:
        """One pass.

        Args:
            situation: What a decision would see now; by default it is read.
            servers: What the hub has, where a situation is given; `None` when it did not answer.
            dry_run: Nothing is changed.
            bookkeeping: Also keep usage, bounds and the ledger up to date: the one service does,
                whoever repairs by hand beside it does not.

        Raises:
            Unavailable: The engine, the GPUs, the ledger or the policy cannot be read.
        """
        notes: list[str] = []
        if situation is None:
            situation = self._admission.current()
            servers = self._hub_servers(notes)
        notes.extend(situation.occupancy.conflicts)
        containers = situation.snapshot.containers
        instance = self._admission.rules.site.instance
        with self._ledger.transaction() as transaction:
            reservations = transaction.reservations()
        found = repairs(
            containers,
            instance=instance,
            reservations=reservations,
            hub_servers=servers,
            now=situation.now,
            grace=self._grace,
        )
        repaired = {repair.container.id for repair in found}
        notes.extend(
            f"{each.name} runs and the hub has no such server; it is too old to be stopped by rule."
            for each in containers
            if each.state.is_live
            and each.labels.get(labels.INSTANCE) == instance
            and each.id not in repaired
            and situation.now - each.created_at > LOST_AT_START
            and is_forgotten(each, servers)
        )
        due = tuple(repair for repair in found if dry_run or self._is_certain(repair))
        if not dry_run:
            self._suspects = frozenset(repair.container.id for repair in found)
            for repair in due:
                self._repair(repair, notes)
            if bookkeeping:
                self._tell_conflicts(situation.occupancy.conflicts)
                self._tidy_ledger(containers)
                self._follow_kernel(containers, notes)
                self._leftovers.tidy(containers, servers or {}, notes)
        return Report(due, tuple(notes))

    def _is_certain(self, repair: Repair) -> bool:
        """A running container is removed only when two passes in a row say so."""
        return not repair.container.state.is_live or repair.container.id in self._suspects

    def _hub_servers(self, notes: list[str]) -> Mapping[tuple[str, str], HubServer] | None:
        if self._hub is None:
            return None
        try:
            return self._hub.servers()
        except Unavailable as exc:
            notes.append(str(exc))
            return None

    def _limits_of(self, user: str, group: str | None) -> Limits:
        return self._policy.current().limits(user, (group,) if group else ())

    def _tidy_ledger(self, containers: tuple[Container, ...]) -> None:
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            tickets = transaction.tickets()
            living = {ticket.id for ticket in alive(tickets, now)}
            left = [ticket for ticket in tickets if ticket.id not in living]
            transaction.remove_tickets([ticket.id for ticket in left])
            reservations = transaction.reservations()
            dead = lapsed(reservations, containers, now)
            old = [each for each in reservations if each.expires_at < now - _KEEP_EXPIRED]
            transaction.remove_reservations([entry.id for entry in (*dead, *old)])
            known = transaction.usage_since(now - USAGE_HORIZON)
            transaction.put_usage(usage_changes(known, containers, now))
            for ticket in left:
                self._say(
                    "cleanup.ticket",
                    ticket.user,
                    ticket.container_name,
                    "Nobody waits with this place in the queue any more.",
                )
            for entry in dead:
                self._say(
                    "cleanup.reservation",
                    entry.user,
                    entry.container_name,
                    "Its container was never started; what was reserved for it is free.",
                )

    def _say(self, action: str, user: str, resource: str, reason: str) -> None:
        self._audit.write(action, user=user, resource=resource, interface=SERVICE, reason=reason)

    def _follow_kernel(self, containers: tuple[Container, ...], notes: list[str]) -> None:
        """Bounds follow edits of the policy; what the kernel killed for memory is logged."""
        groups = {
            owner: container.labels.get(labels.GROUP)
            for container in containers
            if (owner := labels.owner_of(container.labels)) is not None
        }
        try:
            self._bounds = self._aggregates.sync_all(
                containers, lambda user: self._limits_of(user, groups.get(user)), self._bounds
            )
            self._kills, _ = self._aggregates.report_oom_kills(containers, self._kills)
        except Unavailable as exc:
            notes.append(str(exc))

    def _tell_conflicts(self, conflicts: tuple[str, ...]) -> None:
        for sentence in conflicts:
            if sentence not in self._known_conflicts:
                self._audit.write(
                    "gpu.conflict",
                    user=None,
                    resource="",
                    interface=SERVICE,
                    outcome="failed",
                    reason=sentence,
                )
        self._known_conflicts = frozenset(conflicts)

    def _repair(self, repair: Repair, notes: list[str]) -> None:
        container = repair.container
        try:
            if container.state.is_live:
                limits = self._limits_of(
                    container.labels.get(labels.USER, ""), container.labels.get(labels.GROUP)
                )
                self._engine.stop(container.id, limits.policies.sigterm_grace)
            self._engine.remove(container.id)
        except Unavailable as exc:
            notes.append(f"{container.name} could not be removed: {exc}")
            return
        self._audit.write(
            repair.action,
            user=labels.owner_of(container.labels),
            resource=container.name,
            interface=SERVICE,
            reason=repair.reason,
            details={
                "id": container.id,
                "slots": container.labels.get(labels.GPU_SLOTS, ""),
            },
        )
