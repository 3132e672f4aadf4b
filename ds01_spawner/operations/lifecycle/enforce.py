"""One pass of the lifecycle service: look, decide, write down, tell, remove, stop.

At most one process passes at a time (a lease in the ledger), and a pass that takes too long leaves
the rest to the next. What is decided is in the ledger before it is done (`pass_record`).
"""

import logging
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.lifecycle import LEVELS, Deed
from ds01_spawner.domain.work import PassMark, passed
from ds01_spawner.operations.audit.troubles import Troubles
from ds01_spawner.operations.lifecycle.board import Board
from ds01_spawner.operations.lifecycle.pass_record import PassRecord, moved
from ds01_spawner.operations.lifecycle.plan import Lifecycle, Plan
from ds01_spawner.operations.lifecycle.removals import Removals
from ds01_spawner.operations.lifecycle.stops import Stops
from ds01_spawner.operations.lifecycle.subjects import Memory
from ds01_spawner.ports import Clock, ContainerProcesses, Ledger, LedgerTransaction

LEASE = "lifecycle"
SPARED = "spared"
REMOVED = "remove"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """How the passes of one process are made.

    Attributes:
        holder: Name of this process in the lease.
        lease_seconds: How long others wait when this process dies in a pass.
        pass_seconds: After this a pass begins nothing more; less than the lease.
    """

    holder: str
    lease_seconds: float
    pass_seconds: float


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass found and did.

    Attributes:
        waited: Whether another process has the lease, so that nothing was done.
        plan: What was found; `None` when nothing was.
        done: Deeds by kind: `warn`, `warn again`, `remove`, and of stops that were begun before
            this pass and have ended, `stop` and `spared`.
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
        lifecycle: Lifecycle,
        record: PassRecord,
        stops: Stops,
        removals: Removals,
        board: Board,
        processes: ContainerProcesses,
        troubles: Troubles,
        executor: Executor,
        terms: Terms,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._record = record
        self._stops = stops
        self._removals = removals
        self._board = board
        self._processes = processes
        self._executor = executor
        self._terms = terms
        self._stopping: dict[str, Future[bool]] = {}
        self._begun_at = 0.0
        self.troubles = troubles

    def run(self) -> PassReport:
        """One pass.

        Raises:
            Unavailable: The engine, the ledger or the policy cannot be read: nothing was done.
        """
        mark = self._clock.mark()
        self._begun_at = mark.uptime_seconds
        begun = self._begun(mark)
        if begun is None:
            return PassReport(waited=True)
        memory, unseen = begun
        plan = self._lifecycle.plan(memory, mark, unseen)
        if not self._written(plan, memory):
            return PassReport(waited=True)
        self.troubles.now(plan.troubles)
        notes: list[str] = []
        done = self._ended(notes)
        done += _warned(plan)
        self._tell(plan, notes)
        self._signal(plan, notes)
        done += [REMOVED] * self._removals.carry_out(plan.decisions, self.goes_on, notes)
        if self.goes_on():
            self._stop(plan)
        else:
            notes.append("This pass took too long; what is left to do waits for the next.")
        return PassReport(plan=plan, done=tuple(done), notes=(*plan.troubles.values(), *notes))

    def goes_on(self) -> bool:
        """Whether this pass may begin another deed: it has time left, and still the lease."""
        mark = self._clock.mark()
        if mark.uptime_seconds - self._begun_at > self._terms.pass_seconds:
            return False
        with self._ledger.transaction() as transaction:
            return self._leased(transaction, mark)

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
            memory = moved(memory, gap.jump, gap.unseen)
            self._record.clock_was_set(transaction, memory, gap.jump, mark)
            return memory, timedelta(0)

    def _leased(self, transaction: LedgerTransaction, mark: PassMark) -> bool:
        terms = self._terms
        return transaction.take_lease(LEASE, terms.holder, mark, terms.lease_seconds)

    def _written(self, plan: Plan, memory: Memory) -> bool:
        """Write down what this pass decided; not if the lease was lost meanwhile."""
        with self._ledger.transaction() as transaction:
            if not self._leased(transaction, self._clock.mark()):
                return False
            self._record.write(transaction, plan, memory)
        return True

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

    def _stop(self, plan: Plan) -> None:
        """Begin what is due and not under way; finish what an earlier process began."""
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

    def _ended(self, notes: list[str]) -> list[str]:
        """How the stops ended that earlier passes began."""
        done = []
        for container_id, future in list(self._stopping.items()):
            if not future.done():
                continue
            del self._stopping[container_id]
            error = future.exception()
            if isinstance(error, DS01Error):
                notes.append(str(error))
            elif error is not None:
                _log.error("A stop failed", exc_info=error)
            else:
                done.append(Deed.STOP.value if future.result() else SPARED)
        return done


def _warned(plan: Plan) -> list[str]:
    """The warnings of a pass, said in the service's log."""
    done = []
    for decision in plan.decisions:
        for due in decision.due:
            if due.deed in LEVELS:
                name, rule = decision.subject.container.name, due.countdown.rule.value
                _log.info("%s: %s (%s)", name, due.deed.value, rule)
                done.append(due.deed.value)
    return done
