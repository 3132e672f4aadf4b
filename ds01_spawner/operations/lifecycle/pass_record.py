"""What a pass writes down: before anything is done, all of it or nothing.

Whatever it decides is in the ledger first, so that the next process carries on wherever one dies;
whatever cannot be audited is not decided.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.lifecycle import LEVELS, Decision, Due, void_warnings
from ds01_spawner.domain.timeouts import gpu_hold, time_left
from ds01_spawner.domain.work import PassMark, Rule, RuleStop, SentWarning, Track, shifted
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.audit.troubles import SERVICE
from ds01_spawner.operations.lifecycle.plan import Plan
from ds01_spawner.operations.lifecycle.subjects import Memory
from ds01_spawner.operations.lifecycle.telling import Telling
from ds01_spawner.ports import LedgerTransaction

KEPT = timedelta(days=30)
"""How long notices and stops by rule are remembered."""


class PassRecord:
    """Writes passes down, within the caller's transaction."""

    def __init__(self, *, telling: Telling, audit: Audit) -> None:
        self._telling = telling
        self._audit = audit

    def write(self, transaction: LedgerTransaction, plan: Plan, memory: Memory) -> None:
        """Everything that a pass decided, and what it is to be compared with next time.

        Raises:
            Unavailable: The ledger or the audit log does not take it: nothing is decided.
        """
        now = plan.mark.wall
        for decision in plan.decisions:
            for due in decision.due:
                if due.deed in LEVELS:
                    self._warn(transaction, plan, decision, due)
        for kept in plan.keep_alives:
            transaction.put_keep_alive(kept)
            self._telling.kept(kept, memory)
        known = {each.container_id: each for each in memory.tracks}
        tracks = self._released(plan, memory, known)
        transaction.put_tracks([each for each in tracks if each != known.get(each.container_id)])
        self._signals_lost(plan.tracks, known)
        transaction.put_pass_mark(plan.mark)
        _forget(transaction, plan, memory, now)

    def clock_was_set(
        self, transaction: LedgerTransaction, memory: Memory, jump: timedelta, mark: PassMark
    ) -> None:
        """`memory` is what was remembered, moved by `jump`."""
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
            details={"seconds": round(jump.total_seconds())},
        )

    def _warn(
        self, transaction: LedgerTransaction, plan: Plan, decision: Decision, due: Due
    ) -> None:
        now = plan.mark.wall
        warning = SentWarning(
            container_id=decision.subject.container.id,
            rule=due.countdown.rule,
            level=LEVELS[due.deed],
            sent_at=now,
            deadline=due.countdown.deadline,
        )
        transaction.put_warnings([warning])
        self._telling.warn(transaction, plan.policy, decision, due, now)

    def _released(
        self, plan: Plan, memory: Memory, known: Mapping[str, Track]
    ) -> tuple[Track, ...]:
        """Tracks, with holds of GPUs and their ends written into the log."""
        ended_by = {each.container_id: each.rule for each in memory.rule_stops}
        changed = {}
        for decision in plan.decisions:
            subject = decision.subject
            track, container = subject.track, subject.container
            if (
                track.ended_at is None
                or track.released
                or not labels.gpu_uuids_of(container.labels)
            ):
                continue
            lifted = subject.exemptions.get(Rule.RUNTIME)
            until = lifted.until if lifted else None
            left = time_left(subject.timeouts, track.started_at, track.ended_at, until)
            hold = gpu_hold(subject.timeouts, ended_by.get(track.container_id), left)
            before = known.get(track.container_id)
            until = None if hold is None else track.ended_at + hold
            if until is not None and until <= plan.mark.wall:
                self._gpu("gpu.release", container, track)
                changed[track.container_id] = replace(track, released=True)
            elif before is None or before.ended_at is None:
                self._gpu("gpu.hold", container, track, until)
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

    def _signals_lost(self, tracks: Iterable[Track], known: Mapping[str, Track]) -> None:
        """Say once that a signal of a container cannot be read."""
        for track in tracks:
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


def moved(memory: Memory, jump: timedelta, unseen: timedelta) -> Memory:
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


def _forget(transaction: LedgerTransaction, plan: Plan, memory: Memory, now: datetime) -> None:
    """Let go of what no later pass can need: the ledger stays as large as what there is."""
    there = {each.id for each in plan.containers}
    remembered = {
        *(each.container_id for each in memory.tracks),
        *(each.container_id for each in memory.keep_alives),
    }
    transaction.forget_containers(sorted(remembered - there))
    void = [each for decision in plan.decisions for each in void_warnings(decision.subject)]
    transaction.remove_warnings(void)
    transaction.remove_notices_before(now - KEPT)
    transaction.remove_rule_stops(list(_outdated(memory.rule_stops, plan, now)))


def _outdated(stops: Iterable[RuleStop], plan: Plan, now: datetime) -> Iterable[RuleStop]:
    """Stops that are old, and those of a container that another of the same name follows."""
    live = {each.name: each.id for each in plan.containers if each.state.is_live}
    for stop in stops:
        followed = live.get(stop.container_name, stop.container_id) != stop.container_id
        if followed or (stop.done_at is not None and now - stop.done_at > KEPT):
            yield stop
