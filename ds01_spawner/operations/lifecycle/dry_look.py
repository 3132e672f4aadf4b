"""What the service would do now, without doing it: two looks, on what it remembers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from ds01_spawner.domain.activity import Signal, Verdict, is_busy
from ds01_spawner.domain.lifecycle import Decision, Subject, decide
from ds01_spawner.domain.work import PassMark, Track, passed
from ds01_spawner.operations.lifecycle.enforce import LEASE
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook, container_outlook
from ds01_spawner.operations.lifecycle.pass_record import moved
from ds01_spawner.operations.lifecycle.plan import Lifecycle, Plan
from ds01_spawner.operations.lifecycle.subjects import Memory
from ds01_spawner.operations.lifecycle.survey import held_slots
from ds01_spawner.ports import Clock, Ledger

_UNASKED = "the hub was not asked; what the service remembers decides"


@dataclass(frozen=True, slots=True)
class LastPass:
    """What the service did last.

    Attributes:
        age: How long ago its last pass was; `None` when none was ever made.
        holder: The process that makes passes now; `None` when none does.
    """

    age: timedelta | None
    holder: str | None


@dataclass(frozen=True, slots=True)
class DryLook:
    """What was found.

    Attributes:
        plan: What a pass would do now.
        views: What lies ahead of each container, by engine id.
        last_pass: What the service did last.
    """

    plan: Plan
    views: dict[str, ContainerOutlook]
    last_pass: LastPass


def dry_look(
    lifecycle: Lifecycle,
    ledger: Ledger,
    clock: Clock,
    pause: Callable[[], None],
    *,
    hub_asked: bool,
) -> DryLook:
    """What a pass would do now.

    Args:
        lifecycle: Looks and decides, as the service does.
        ledger: What the service remembers.
        clock: The time.
        pause: Waits between two looks: rates need both.
        hub_asked: Whether `lifecycle` asks the hub.

    Raises:
        Unavailable: The engine, the ledger or the policy cannot be read.
    """
    mark = clock.mark()
    with ledger.transaction() as transaction:
        memory = Memory.read(transaction)
        before = transaction.pass_mark()
        holder = transaction.lease_holder(LEASE, mark)
    lifecycle.plan(memory, mark)
    pause()
    now = clock.mark()
    gap = passed(before, now)
    if gap.jump:
        memory = moved(memory, gap.jump, gap.unseen)
    plan = lifecycle.plan(memory, now, timedelta(0) if gap.jump else gap.unseen)
    if not hub_asked:
        plan = _as_remembered(plan, memory)
    return DryLook(plan, _views(plan, memory), LastPass(_age(before, now), holder))


def _as_remembered(plan: Plan, memory: Memory) -> Plan:
    """Where only the hub's silence makes a container active, what the service saw decides."""
    tracks = {each.container_id: each for each in memory.tracks}
    return replace(
        plan,
        decisions=tuple(
            _again(each, tracks.get(each.subject.container.id), plan) for each in plan.decisions
        ),
    )


def _again(decision: Decision, known: Track | None, plan: Plan) -> Decision:
    subject = decision.subject
    if known is None or not _is_unasked(subject):
        return decision
    if known.run_started_at != subject.track.run_started_at:
        return decision
    track = replace(subject.track, idle_checks=known.idle_checks, idle_since=known.idle_since)
    findings = tuple(
        replace(each, detail=_UNASKED) if each.signal is Signal.CONNECTIONS else each
        for each in subject.findings
    )
    return decide(replace(subject, track=track, findings=findings), plan.mark.wall)


def _is_unasked(subject: Subject) -> bool:
    """Whether the hub's word on open tabs is all that is missing to call a container idle."""
    unread = [each for each in subject.findings if each.verdict is Verdict.UNREADABLE]
    others = [each for each in subject.findings if each.signal is not Signal.CONNECTIONS]
    return [each.signal for each in unread] == [Signal.CONNECTIONS] and not is_busy(others)


def _views(plan: Plan, memory: Memory) -> dict[str, ContainerOutlook]:
    stops = {(each.user, each.container_name): each for each in memory.rule_stops}
    held = {} if plan.situation is None else held_slots(plan.situation.occupancy)
    found = (
        container_outlook(each, plan.policy, stops, held, plan.mark.wall) for each in plan.decisions
    )
    return {view.container_id: view for view in sorted(found, key=lambda view: view.key)}


def _age(before: PassMark | None, now: PassMark) -> timedelta | None:
    if before is None:
        return None
    if before.boot_id != now.boot_id:
        return max(now.wall - before.wall, timedelta(0))
    return timedelta(seconds=max(now.uptime_seconds - before.uptime_seconds, 0.0))
