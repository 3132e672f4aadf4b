"""When a container is warned, stopped, released and removed. Pure.

`decide` is the one function that the service enforces and that `ds01 admin lifecycle` prints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import Finding
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.limits import LifecyclePolicy, SlotConflict
from ds01_spawner.domain.timeouts import Bound, Timeouts
from ds01_spawner.domain.work import KeepAlive, Level, Rule, SentWarning, Track

SHARES = MappingProxyType({Level.FIRST: 0.80, Level.FINAL: 0.95})
"""Share of a limit at which each warning is due."""

NEVER_STARTED = timedelta(minutes=30)
"""A container that was created and not started is removed after this."""


@dataclass(frozen=True, slots=True)
class Countdown:
    """The way of one container to one limit.

    Attributes:
        rule: Which limit.
        bound: Its value and key.
        began_at: When it began to count.
        deadline: When it is reached.
        valid_from: Warnings from before this are of an earlier countdown.
        lead: The stop comes no sooner than this after the last warning.
        high_demand: Whether the limit is shortened because GPUs are short.
        kept: What postpones it, if anything does.
        exemption: What lifts it for a while, if anything does.
    """

    rule: Rule
    bound: Bound
    began_at: datetime
    deadline: datetime
    valid_from: datetime
    lead: timedelta
    high_demand: bool = False
    kept: KeepAlive | None = None
    exemption: Exemption | None = None

    def warns_at(self, level: Level) -> datetime:
        """When a warning is due: at its share, and the last one `lead` before the end."""
        at_share = self.began_at + (self.deadline - self.began_at) * SHARES[level]
        return min(at_share, self.deadline - self.lead)

    def counts(self, warning: SentWarning) -> bool:
        """Whether a warning announced this very end, or was given at a time when it was due.

        One that announced another end, too early for this one, does not: the end was moved.
        """
        if warning.rule is not self.rule or warning.sent_at < self.valid_from:
            return False
        due = max(self.began_at, self.warns_at(warning.level))
        return warning.deadline == self.deadline or warning.sent_at >= due


class Phase(StrEnum):
    """How far a countdown is."""

    COUNTING = "counting"
    WARNED = "warned"
    ANNOUNCED = "announced"


class Deed(StrEnum):
    """What is done about a running container."""

    WARN_FIRST = "warn"
    WARN_FINAL = "warn again"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of the table: in this phase, when this is due, that is done.

    Attributes:
        level: The warning whose time it waits for; `None` for the end itself.
        deed: What is done; at most one each pass.
        then: The phase after it.
    """

    level: Level | None
    deed: Deed
    then: Phase | None


TRANSITIONS: Mapping[Phase, Transition] = MappingProxyType(
    {
        Phase.COUNTING: Transition(Level.FIRST, Deed.WARN_FIRST, Phase.WARNED),
        Phase.WARNED: Transition(Level.FINAL, Deed.WARN_FINAL, Phase.ANNOUNCED),
        Phase.ANNOUNCED: Transition(None, Deed.STOP, None),
    }
)
LEVELS: Mapping[Deed, Level] = MappingProxyType(
    {Deed.WARN_FIRST: Level.FIRST, Deed.WARN_FINAL: Level.FINAL}
)


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything that decides about one container.

    Attributes:
        container: As the engine shows it.
        track: What is remembered of it, after this pass' check.
        timeouts: Its lifecycle limits.
        policies: Its owner's idle detection.
        findings: What this pass' check found; empty for one that does not run.
        warnings: Those it was given.
        kept: The keep-alive with the latest end, if there is one.
        exemptions: Those in force, by rule.
        high_demand: Whether GPUs are short and it holds one.
        stopped_by_rule_at: The last time a rule stopped it.
        mine: Whether this platform made it, so that it may remove it.
    """

    container: Container
    track: Track
    timeouts: Timeouts
    policies: LifecyclePolicy
    findings: tuple[Finding, ...] = ()
    warnings: tuple[SentWarning, ...] = ()
    kept: KeepAlive | None = None
    exemptions: Mapping[Rule, Exemption] = field(default_factory=dict)
    high_demand: bool = False
    stopped_by_rule_at: datetime | None = None
    mine: bool = True


@dataclass(frozen=True, slots=True)
class Due:
    """A deed that is due now.

    Attributes:
        deed: What.
        countdown: For which limit.
    """

    deed: Deed
    countdown: Countdown


@dataclass(frozen=True, slots=True)
class Removal:
    """A container is to be removed now.

    Attributes:
        action: The event's action.
        reason: Why, as a sentence.
    """

    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one container, now and later.

    Attributes:
        subject: Whom it is about.
        countdowns: Its ways to its limits, the nearest end first.
        due: Deeds due now; one stop at most, and none together with a warning of the same limit.
        removal: Whether it is removed now.
        removed_at: When a stopped container is removed; `None` for a running one, and for never.
    """

    subject: Subject
    countdowns: tuple[Countdown, ...] = ()
    due: tuple[Due, ...] = ()
    removal: Removal | None = None
    removed_at: datetime | None = None

    @property
    def stop(self) -> Countdown | None:
        """The limit that stops it now."""
        return next((each.countdown for each in self.due if each.deed is Deed.STOP), None)


def decide(subject: Subject, now: datetime) -> Decision:
    """What is due for one container at `now`."""
    if not subject.container.state.is_live:
        return _at_rest(subject, now)
    found = tuple(sorted(countdowns(subject, now), key=lambda each: (each.deadline, each.rule)))
    due = tuple(
        Due(deed, countdown)
        for countdown in found
        if (deed := next_deed(countdown, subject.warnings, now)) is not None
    )
    stops = [each for each in due if each.deed is Deed.STOP]
    return Decision(subject, found, tuple(stops[:1]) or due)


def countdowns(subject: Subject, now: datetime) -> tuple[Countdown, ...]:
    """The ways of a running container to its limits, in no order."""
    found = (_idle(subject, now), _runtime(subject), _conflict(subject))
    return tuple(each for each in found if each is not None)


def phase_of(countdown: Countdown, warnings: tuple[SentWarning, ...]) -> Phase:
    """How far a countdown is, by the warnings that count for it."""
    levels = {each.level for each in warnings if countdown.counts(each)}
    if Level.FINAL in levels:
        return Phase.ANNOUNCED
    return Phase.WARNED if Level.FIRST in levels else Phase.COUNTING


def void_warnings(subject: Subject) -> tuple[SentWarning, ...]:
    """Warnings that no countdown of this container can count any more."""
    track = subject.track
    since = {
        Rule.IDLE: track.idle_since,
        Rule.RUNTIME: _told_since(subject),
        Rule.CONFLICT: track.conflict_since,
    }
    return tuple(
        each
        for each in subject.warnings
        if (begin := since[each.rule]) is None or each.sent_at < begin
    )


def next_deed(
    countdown: Countdown, warnings: tuple[SentWarning, ...], now: datetime
) -> Deed | None:
    """What is due for a countdown now, if anything is."""
    transition = TRANSITIONS[phase_of(countdown, warnings)]
    return transition.deed if now >= _due_at(countdown, transition, warnings) else None


def _due_at(
    countdown: Countdown, transition: Transition, warnings: tuple[SentWarning, ...]
) -> datetime:
    if transition.level is not None:
        return countdown.warns_at(transition.level)
    return _after_last(countdown, warnings)


def stops_at(countdown: Countdown, warnings: tuple[SentWarning, ...], now: datetime) -> datetime:
    """When a stop comes at the earliest, if nothing changes: what people are told."""
    if phase_of(countdown, warnings) is Phase.ANNOUNCED:
        return _after_last(countdown, warnings)
    return max(countdown.deadline, now + countdown.lead)


def _after_last(countdown: Countdown, warnings: tuple[SentWarning, ...]) -> datetime:
    """The end after a last warning: `lead` later, and not before the end that it announced."""
    counting = [each for each in warnings if countdown.counts(each)]
    last = max(counting, key=lambda each: each.sent_at)
    return max(countdown.deadline, last.sent_at + countdown.lead, last.deadline)


def _idle(subject: Subject, now: datetime) -> Countdown | None:
    track, policies = subject.track, subject.policies
    bound = subject.timeouts.idle_timeout
    if (
        bound.value is None
        or track.idle_since is None
        or track.idle_checks < policies.idle_detection_window
    ):
        return None
    reduction = policies.high_demand_idle_reduction if subject.high_demand else 0.0
    began, end = track.idle_since, track.idle_since + bound.value * (1 - reduction)
    kept = subject.kept
    if kept is not None:
        until = max(end, _latest(kept.until, end, policies.keep_alive_max))
        if kept.granted_at > now or until == end:
            kept = None
        else:
            began, end = max(began, kept.granted_at), until
    return _lifted(
        Countdown(
            rule=Rule.IDLE,
            bound=bound,
            began_at=began,
            deadline=end,
            valid_from=track.idle_since,
            lead=policies.min_warning_lead,
            high_demand=reduction > 0,
            kept=kept,
        ),
        subject,
    )


def _latest(until: datetime, end: datetime, longest: timedelta | None) -> datetime:
    """A keep-alive's end: not longer than allowed after the end that it postpones."""
    return until if longest is None else min(until, end + longest)


def _runtime(subject: Subject) -> Countdown | None:
    track = subject.track
    bound = subject.timeouts.max_runtime
    if bound.value is None:
        return None
    return _lifted(
        Countdown(
            rule=Rule.RUNTIME,
            bound=bound,
            began_at=track.started_at,
            deadline=track.started_at + bound.value,
            valid_from=_told_since(subject),
            lead=subject.policies.min_warning_lead,
        ),
        subject,
    )


def _told_since(subject: Subject) -> datetime:
    """Somebody who starts it again after a stop by rule is told again.

    While it goes on running, the stop is not done yet, and what was told still holds.
    """
    track, stopped_at = subject.track, subject.stopped_by_rule_at
    if stopped_at is None or track.run_started_at <= stopped_at:
        return track.started_at
    return stopped_at


def _conflict(subject: Subject) -> Countdown | None:
    since, policies = subject.track.conflict_since, subject.policies
    if since is None or policies.slot_conflict is not SlotConflict.STOP:
        return None
    lead = policies.min_warning_lead
    return Countdown(
        rule=Rule.CONFLICT,
        bound=Bound(None, "policies.slot_conflict"),
        began_at=since,
        deadline=since + lead,
        valid_from=since,
        lead=lead,
    )


def _lifted(countdown: Countdown, subject: Subject) -> Countdown:
    """An exemption moves the end to its own, so that the owner is warned before it ends."""
    exemption = subject.exemptions.get(countdown.rule)
    if exemption is None or exemption.until <= countdown.deadline:
        return countdown
    # The shares of the limit itself, before that end: those of a month would be days.
    span = countdown.bound.value or timedelta(0)
    return Countdown(
        rule=countdown.rule,
        bound=countdown.bound,
        began_at=max(countdown.began_at, exemption.until - span),
        deadline=exemption.until,
        valid_from=countdown.valid_from,
        lead=countdown.lead,
        exemption=exemption,
    )


def _at_rest(subject: Subject, now: datetime) -> Decision:
    """One that does not run: removed when its hold has passed, or when it never ran."""
    container, track = subject.container, subject.track
    protected = container.labels.get(labels.PROTECTED) == "true"
    if not subject.mine or protected or container.state is ContainerState.REMOVING:
        return Decision(subject)
    if container.state is ContainerState.CREATED:
        end = track.run_started_at + NEVER_STARTED
        removal = Removal("cleanup.stale", "It was created and never started.")
    else:
        hold = subject.timeouts.container_hold_after_stop
        if hold.value is None or track.ended_at is None:
            return Decision(subject)
        end = track.ended_at + hold.value
        removal = Removal("cleanup.stale", f"It stopped longer ago than {hold.key} allows.")
    return Decision(subject, removal=removal if now >= end else None, removed_at=end)
