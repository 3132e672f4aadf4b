"""One pass of the lifecycle service: look, decide, write down, tell, stop, remove.

At most one process passes at a time (a lease in the ledger). Everything that a pass decides is in
the ledger before anything is done, so that the next process carries on wherever one dies.
"""

import logging
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.lifecycle import LEVELS, Decision, Deed, Due
from ds01_spawner.domain.timeouts import gpu_hold
from ds01_spawner.domain.work import (
    PassMark,
    RuleStop,
    SentWarning,
    Track,
    passed,
    shifted,
)
from ds01_spawner.operations.admission import Admission
from ds01_spawner.operations.audit import Audit
from ds01_spawner.operations.board import Board
from ds01_spawner.operations.lifecycle import Lifecycle, Plan
from ds01_spawner.operations.stops import SERVICE, Stops
from ds01_spawner.operations.subjects import Memory
from ds01_spawner.operations.telling import Telling
from ds01_spawner.ports import Clock, ContainerProcesses, Engine, Ledger, LedgerTransaction

LEASE = "lifecycle"
LOG_LINES = 20
_STOPS_KEPT = timedelta(days=30)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """How the passes of one process are made.

    Attributes:
        holder: Name of this process in the lease.
        lease_seconds: How long others wait when this process dies in a pass.
    """

    holder: str
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass found and did.

    Attributes:
        waited: Whether another process has the lease, so that nothing was done.
        plan: What was found; `None` when nothing was.
        done: Deeds by kind: `warn`, `warn again`, `stop`, `remove`.
        notes: Sentences on what did not work.
    """

    waited: bool = False
    plan: Plan | None = None
    done: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Enforcer:
    """Makes passes. What goes on between them is stopping, in the executor's threads."""

    def __init__(  # noqa: PLR0913 - the parts it stands on
        self,
        *,
        clock: Clock,
        ledger: Ledger,
        engine: Engine,
        admission: Admission,
        lifecycle: Lifecycle,
        stops: Stops,
        telling: Telling,
        board: Board,
        processes: ContainerProcesses,
        audit: Audit,
        executor: Executor,
        terms: Terms,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._engine = engine
        self._admission = admission
        self._lifecycle = lifecycle
        self._stops = stops
        self._telling = telling
        self._board = board
        self._processes = processes
        self._audit = audit
        self._executor = executor
        self._terms = terms
        self._stopping: dict[str, Future[bool]] = {}
        self._troubles: dict[str, str] = {}

    def run(self) -> PassReport:
        """One pass.

        Raises:
            Unavailable: The engine, the ledger or the policy cannot be read: nothing was done.
        """
        mark = self._clock.mark()
        begun = self._begun(mark)
        if begun is None:
            return PassReport(waited=True)
        memory, unseen = begun
        plan = self._lifecycle.plan(memory, mark, unseen)
        if not self._written(plan, memory):
            return PassReport(waited=True)
        notes: list[str] = []
        done = [
            due.deed.value
            for decision in plan.decisions
            for due in decision.due
            if due.deed in LEVELS
        ]
        self._tell(plan, notes)
        self._signal(plan, notes)
        done += self._remove(plan, notes)
        done += self._stop(plan, notes)
        return PassReport(plan=plan, done=tuple(done), notes=(*plan.troubles.values(), *notes))

    def end(self) -> None:
        """Let another process go on at once."""
        with self._ledger.transaction() as transaction:
            transaction.end_lease(LEASE, self._terms.holder)

    def _begun(self, mark: PassMark) -> tuple[Memory, timedelta] | None:
        """What is remembered, and the time that nobody saw; `None` while another has the lease."""
        with self._ledger.transaction() as transaction:
            if not self._leased(transaction, mark):
                return None
            memory = Memory.read(transaction)
            gap = passed(transaction.pass_mark(), mark)
            if not gap.jump:
                return memory, gap.unseen
            memory = _moved(memory, gap.jump, gap.unseen)
            transaction.forget_containers([each.container_id for each in memory.tracks])
            transaction.put_tracks(memory.tracks)
            transaction.put_warnings(memory.warnings)
            for kept in memory.keep_alives:
                transaction.put_keep_alive(kept)
            for stop in memory.rule_stops:
                transaction.put_rule_stop(stop)
            transaction.put_pass_mark(mark)
            self._audit.write(
                "clock.jump",
                user=None,
                resource="",
                interface=SERVICE,
                reason="The clock of this machine was set; idle and run times go on as they were.",
                details={"seconds": round(gap.jump.total_seconds())},
            )
            return memory, timedelta(0)

    def _leased(self, transaction: LedgerTransaction, mark: PassMark) -> bool:
        terms = self._terms
        return transaction.take_lease(LEASE, terms.holder, mark, terms.lease_seconds)

    def _written(self, plan: Plan, memory: Memory) -> bool:
        """Write down what this pass decided, all or nothing; not if the lease was lost meanwhile.

        Inside the transaction: a warning that cannot be audited is not given.
        """
        now = plan.mark.wall
        with self._ledger.transaction() as transaction:
            if not self._leased(transaction, self._clock.mark()):
                return False
            for decision in plan.decisions:
                for due in decision.due:
                    if due.deed in LEVELS:
                        self._warn(transaction, plan, decision, due)
            for kept in plan.keep_alives:
                transaction.put_keep_alive(kept)
                self._telling.kept(kept, memory)
            tracks = self._holds(plan, memory)
            known = {each.container_id: each for each in memory.tracks}
            transaction.put_tracks(
                [each for each in tracks if each != known.get(each.container_id)]
            )
            self._forget(transaction, plan, memory)
            self._signals_lost(plan, known)
            self.say_troubles(dict(plan.troubles))
            transaction.put_pass_mark(plan.mark)
            transaction.remove_rule_stops(list(_outdated(memory.rule_stops, plan, now)))
        return True

    def _warn(
        self, transaction: LedgerTransaction, plan: Plan, decision: Decision, due: Due
    ) -> None:
        subject, now = decision.subject, plan.mark.wall
        warning = SentWarning(
            container_id=subject.container.id,
            rule=due.countdown.rule,
            level=LEVELS[due.deed],
            sent_at=now,
            deadline=due.countdown.deadline,
        )
        transaction.put_warnings([warning])
        self._telling.warn(transaction, plan.policy, decision, due, now)

    def _holds(self, plan: Plan, memory: Memory) -> tuple[Track, ...]:
        """Tracks, with the release of GPUs of stopped containers written down."""
        known = {each.container_id: each for each in memory.tracks}
        ended_by = {each.container_id: each.rule for each in memory.rule_stops}
        changed = {}
        for decision in plan.decisions:
            subject = decision.subject
            track, marks = subject.track, subject.container.labels
            if track.ended_at is None or track.released or not labels.gpu_uuids_of(marks):
                continue
            hold = gpu_hold(subject.timeouts, ended_by.get(track.container_id))
            before = known.get(track.container_id)
            until = None if hold is None else track.ended_at + hold
            if until is not None and until <= plan.mark.wall:
                self._gpu("gpu.release", subject.container, track)
                changed[track.container_id] = replace(track, released=True)
            elif before is None or before.ended_at is None:
                self._gpu("gpu.hold", subject.container, track, until)
        return tuple(changed.get(each.container_id, each) for each in plan.tracks)

    def _gpu(
        self, action: str, container: Container, track: Track, until: datetime | None = None
    ) -> None:
        self._audit.write(
            action,
            user=track.user,
            resource=container.labels.get(labels.GPU_SLOTS, ""),
            interface=SERVICE,
            details={
                "container": container.name,
                "id": container.id,
                "until": None if until is None else labels.format_timestamp(until),
            },
        )

    def _forget(self, transaction: LedgerTransaction, plan: Plan, memory: Memory) -> None:
        there = {each.id for each in plan.containers}
        transaction.forget_containers(
            [each.container_id for each in memory.tracks if each.container_id not in there]
        )

    def _signals_lost(self, plan: Plan, known: dict[str, Track]) -> None:
        """Say once that a signal of a container cannot be read."""
        if plan.troubles:
            return  # what ails all of them is said once, for all of them
        for track in plan.tracks:
            before = known.get(track.container_id)
            fresh = set(track.unreadable) - set(() if before is None else before.unreadable)
            if fresh:
                self._audit.write(
                    "lifecycle.signal",
                    user=track.user,
                    resource=track.container_name,
                    interface=SERVICE,
                    outcome="failed",
                    reason="These signals cannot be read, so it counts as active: "
                    f"{', '.join(sorted(fresh))}.",
                    details={"id": track.container_id},
                )

    def say_troubles(self, troubles: dict[str, str]) -> None:
        """Write down what began and what ended of the troubles that passes have."""
        for key in troubles.keys() - self._troubles.keys():
            self._trouble(key, "failed", troubles[key])
        for key in self._troubles.keys() - troubles.keys():
            self._trouble(key, "ok", "It can be read again.")
        self._troubles = troubles

    def _trouble(self, key: str, outcome: str, reason: str) -> None:
        self._audit.write(
            "lifecycle.trouble",
            user=None,
            resource=key,
            interface=SERVICE,
            outcome=outcome,
            reason=reason,
        )

    def _tell(self, plan: Plan, notes: list[str]) -> None:
        """What stands now is shown where people work."""
        try:
            self._board.show(plan)
        except Unavailable as exc:
            notes.append(str(exc))

    def _signal(self, plan: Plan, notes: list[str]) -> None:
        """Ask programs that know how to, to write a checkpoint."""
        for decision in plan.decisions:
            signal = decision.subject.policies.checkpoint_signal
            final = any(due.deed is Deed.WARN_FINAL for due in decision.due)
            if signal is None or not final:
                continue
            container = decision.subject.container
            try:
                count = self._processes.send_signal(container, signal)
            except Unavailable as exc:
                notes.append(str(exc))
            else:
                _log.info("%s sent to %d processes of %s", signal, count, container.name)

    def _remove(self, plan: Plan, notes: list[str]) -> Iterable[str]:
        due = [each for each in plan.decisions if each.removal is not None]
        promises = self._promises() if due else ()
        for decision in due:
            container = decision.subject.container
            if decision.removal is None or _is_being_replaced(container, promises):
                continue
            try:
                details = self._last_words(container)
                self._engine.remove(container.id)
                self._admission.forget(container)
            except Unavailable as exc:
                notes.append(f"{container.name} could not be removed: {exc}")
                continue
            self._audit.write(
                decision.removal.action,
                user=decision.subject.track.user,
                resource=container.name,
                interface=SERVICE,
                reason=decision.removal.reason,
                details={
                    "id": container.id,
                    "slots": container.labels.get(labels.GPU_SLOTS, ""),
                    **details,
                },
            )
            yield "remove"

    def _promises(self) -> tuple[Reservation, ...]:
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            return tuple(each for each in transaction.reservations() if each.expires_at > now)

    def _last_words(self, container: Container) -> dict[str, object]:
        """How a failed container ended, and the end of what it printed."""
        found = self._engine.container(container.id)
        if found is None or not found.exit_code:
            return {}
        return {
            "exit_code": found.exit_code,
            "log": self._engine.logs(container.id, LOG_LINES)[-4000:],
        }

    def _stop(self, plan: Plan, notes: list[str]) -> Iterable[str]:
        """Begin what is due and not under way; finish what an earlier process began."""
        self._collect(notes)
        by_id = {each.id: each for each in plan.containers}
        with self._ledger.transaction() as transaction:
            open_stops = [each for each in transaction.rule_stops() if each.done_at is None]
        due = {each.subject.container.id: each for each in plan.decisions if each.stop is not None}
        for stop in open_stops:
            container = by_id.get(stop.container_id)
            if stop.container_id in self._stopping:
                continue
            if container is None or not container.state.is_live:
                self._stops.finish(stop, container)
            elif stop.container_id not in due:
                self._stops.withdraw(stop.container_id)
        for container_id, decision in due.items():
            if container_id not in self._stopping:
                self._stopping[container_id] = self._executor.submit(
                    self._stops.carry_out, decision, plan.servers
                )
                yield Deed.STOP.value

    def _collect(self, notes: list[str]) -> None:
        for container_id, future in list(self._stopping.items()):
            if not future.done():
                continue
            del self._stopping[container_id]
            error = future.exception()
            if isinstance(error, DS01Error):
                notes.append(str(error))
            elif error is not None:
                _log.error("A stop failed", exc_info=error)


def _is_being_replaced(container: Container, promises: Iterable[Reservation]) -> bool:
    """Whether a launch under way is for another container of the same name."""
    made = labels.parse_timestamp(container.labels.get(labels.CREATED_AT, ""))
    return any(
        each.container_name == container.name and each.created_at != made for each in promises
    )


def _moved(memory: Memory, jump: timedelta, unseen: timedelta) -> Memory:
    """`memory` after the wall clock was set by `jump`; `unseen` was seen by nobody."""
    tracks = [shifted(each, jump) for each in memory.tracks]
    return Memory(
        tracks=[
            replace(each, idle_since=each.idle_since and each.idle_since + unseen)
            for each in tracks
        ],
        warnings=[
            replace(each, sent_at=each.sent_at + jump, deadline=each.deadline + jump)
            for each in memory.warnings
        ],
        keep_alives=[
            replace(each, granted_at=each.granted_at + jump, until=each.until + jump)
            for each in memory.keep_alives
        ],
        rule_stops=[
            replace(
                each,
                decided_at=each.decided_at + jump,
                done_at=each.done_at and each.done_at + jump,
            )
            for each in memory.rule_stops
        ],
    )


def _outdated(stops: Iterable[RuleStop], plan: Plan, now: datetime) -> Iterable[RuleStop]:
    """Stops that are old, and those of a container that another of the same name follows."""
    live = {each.name: each.id for each in plan.containers if each.state.is_live}
    for stop in stops:
        followed = live.get(stop.container_name, stop.container_id) != stop.container_id
        if followed or (stop.done_at is not None and now - stop.done_at > _STOPS_KEPT):
            yield stop
