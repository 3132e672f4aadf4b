"""Finds what crashes leave behind, and repairs it: each repair is an event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.cgroup import OomMark
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.leftover import Leftover
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.occupancy import Snapshot
from ds01_spawner.domain.repair import GRACE, Repair, is_outlived, repairs
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.allocation.aggregate import Aggregates, SyncReport
from ds01_spawner.operations.allocation.gpu_status import conflicts_told, containers_elsewhere
from ds01_spawner.operations.allocation.situation import Situation
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.audit.troubles import SERVICE
from ds01_spawner.operations.repair.leftovers import Leftovers
from ds01_spawner.operations.usage.books import Books
from ds01_spawner.ports import Clock, Engine, HubClient, HubServer, Ledger, PolicySource

_KEEP_EXPIRED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Found:
    """What one look found. Nothing has been done about it.

    Attributes:
        snapshot: What the engine and the cards showed.
        repairs: Containers that should not be there.
        leftovers: What is of no use beside them.
        conflicts: Sentences on slots that two containers have.
        notes: Sentences on what is left alone or could not be checked.
    """

    snapshot: Snapshot
    repairs: tuple[Repair, ...]
    leftovers: tuple[Leftover, ...]
    conflicts: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def containers(self) -> tuple[Container, ...]:
        """Every container of the engine."""
        return self.snapshot.containers

    @property
    def doubtful(self) -> frozenset[tuple[str, ...]]:
        """What another look must find again: it may be at work, or on its way back."""
        every: tuple[Repair | Leftover, ...] = (*self.repairs, *self.leftovers)
        return frozenset(each.identity for each in every if each.is_doubtful)

    def certain(self, seen: frozenset[tuple[str, ...]]) -> "Found":
        """What may be repaired now.

        Args:
            seen: What was doubtful at the look before.
        """
        return replace(
            self,
            repairs=tuple(
                each for each in self.repairs if not each.is_doubtful or each.identity in seen
            ),
            leftovers=tuple(
                each for each in self.leftovers if not each.is_doubtful or each.identity in seen
            ),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What was repaired, or would be.

    Attributes:
        repairs: Containers that were removed.
        notes: Sentences on what could not be checked or done.
        leftovers: What was cleared away beside them.
    """

    repairs: tuple[Repair, ...]
    notes: tuple[str, ...]
    leftovers: tuple[Leftover, ...] = ()


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
        books: Books,
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
        self._books = books
        self._grace = grace
        self._suspects: frozenset[tuple[str, ...]] = frozenset()
        self._known_conflicts: frozenset[str] = frozenset()
        self._bounds: SyncReport | None = None
        self._kills: OomMark | None = None

    def run(
        self,
        situation: Situation | None = None,
        servers: Mapping[tuple[str, str], HubServer] | None = None,
    ) -> Report:
        """One pass of the service: repairs, usage, bounds and the ledger.

        Args:
            situation: What a decision would see now; by default it is read.
            servers: What the hub has, where a situation is given; `None` when it did not answer.

        Raises:
            Unavailable: The engine, the GPUs, the ledger or the policy cannot be read.
        """
        found = self.find() if situation is None else self._found(situation, servers, [])
        report = self._repaired(found.certain(self._suspects))
        self._suspects = found.doubtful
        notes = list(report.notes)
        self._tell_conflicts(found.conflicts)
        self._forget_promises()
        notes += self._books.keep(found.snapshot)
        self._follow_kernel(found.containers, notes)
        return replace(report, notes=tuple(notes))

    def by_hand(self, pause: Callable[[], None], *, dry_run: bool) -> Report:
        """Two looks and the repairs of a pass, beside the service: it alone keeps the books.

        Args:
            pause: Waits between the looks; called where one look is not enough.
            dry_run: Nothing is changed; the report says what would be.

        Raises:
            Unavailable: The engine, the GPUs, the ledger or the policy cannot be read.
        """
        found = self.find()
        if doubtful := found.doubtful:
            pause()
            found = self.find().certain(doubtful)
        if dry_run:
            return Report(found.repairs, found.notes, found.leftovers)
        return self._repaired(found)

    def find(self) -> Found:
        """One look of its own; nothing is done.

        Raises:
            Unavailable: The engine, the GPUs, the ledger or the policy cannot be read.
        """
        notes: list[str] = []
        return self._found(self._admission.current(), self._hub_servers(notes), notes)

    def _found(
        self,
        situation: Situation,
        servers: Mapping[tuple[str, str], HubServer] | None,
        notes: list[str],
    ) -> Found:
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
        elsewhere = containers_elsewhere(situation.snapshot, instance)
        conflicts = conflicts_told(situation.occupancy, elsewhere)
        notes.extend(conflicts)
        repaired = {repair.container.id for repair in found}
        notes.extend(
            f"{each.name} runs and the hub has no such server; it is too old to be stopped by rule."
            for each in containers
            if each.id not in repaired and is_outlived(each, instance, servers, situation.now)
        )
        leftovers = self._leftovers.find(containers, servers, situation.now, notes)
        return Found(situation.snapshot, found, leftovers, conflicts, tuple(notes))

    def _repaired(self, found: Found) -> Report:
        notes = list(found.notes)
        done = tuple(repair for repair in found.repairs if self._repair(repair, notes))
        cleared = self._leftovers.clear(found.leftovers, found.containers, notes)
        return Report(done, tuple(notes), cleared)

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

    def _forget_promises(self) -> None:
        """Promises that were kept long ago are forgotten."""
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            old = [
                each.id
                for each in transaction.reservations()
                if each.expires_at < now - _KEEP_EXPIRED
            ]
            transaction.remove_reservations(old)

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

    def _repair(self, repair: Repair, notes: list[str]) -> bool:
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
            return False
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
        return True
