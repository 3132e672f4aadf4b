"""Whatever happened before: nothing that works is stopped, and nobody is stopped without notice.

A small lab of one container lives through random histories. What the decisions are given comes
from a model of the ledger that does what a pass of the service does; what they are held to is
counted apart from it, on a clock that never jumps.

`DS01_HISTORIES=20000 pytest tests/unit/domain/test_lifecycle_property.py` looks harder.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.activity import Finding, Signal, Verdict
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.lifecycle import LEVELS, Countdown, Decision, Due, Subject, decide
from ds01_spawner.domain.limits import LifecyclePolicy
from ds01_spawner.domain.timeouts import Bound, Timeouts
from ds01_spawner.domain.work import (
    LONGEST_GAP,
    KeepAlive,
    Level,
    Rule,
    RuleStop,
    SentWarning,
    Track,
    advanced,
    passed,
)
from ds01_spawner.operations.lifecycle.pass_record import moved
from ds01_spawner.operations.lifecycle.subjects import Memory
from fakes.clock import FakeClock
from fakes.facts import container

HISTORIES = int(os.environ.get("DS01_HISTORIES", "500"))
MINUTE = timedelta(minutes=1)
NONE = timedelta(0)
BLINK = timedelta(milliseconds=1)
"""Rounding of the uptime, which is a float."""
CONTAINER = container("alice", state=ContainerState.RUNNING)
SIGNALS = (Signal.CPU, Signal.GPU, Signal.SESSIONS)
QUIET = (Verdict.IDLE,) * len(SIGNALS)
UNSEEN = (Verdict.IDLE, Verdict.IDLE, Verdict.UNREADABLE)
WORKING = (Verdict.ACTIVE, Verdict.IDLE, Verdict.IDLE)


@dataclass(frozen=True)
class Passes:
    """Passes of the service, a minute apart, that find the same."""

    count: int
    verdicts: tuple[Verdict, ...] = QUIET
    touched: bool = False


@dataclass(frozen=True)
class Away:
    """Nobody looks."""

    span: timedelta


@dataclass(frozen=True)
class ClockSet:
    """Somebody sets the wall clock."""

    by: timedelta


@dataclass(frozen=True)
class ServiceRestarts:
    """The next look has nothing to compare with."""


@dataclass(frozen=True)
class ContainerRestarts:
    """The same work, another run."""


@dataclass(frozen=True)
class MachineReboots:
    """Both, and a clock that begins anew."""


@dataclass(frozen=True)
class EngineFails:
    """The next stops cannot be carried out."""

    times: int


@dataclass(frozen=True)
class Asked:
    """Somebody asks for a keep-alive."""

    span: timedelta


@dataclass(frozen=True)
class Edited:
    """The policy changes."""

    idle_timeout: timedelta | None
    max_runtime: timedelta | None
    policies: LifecyclePolicy


@dataclass(frozen=True)
class Demand:
    """GPUs become short, or are no longer."""

    high: bool


@dataclass(frozen=True)
class Exempted:
    """An exemption comes, or with no span goes."""

    rule: Rule
    span: timedelta | None


Step = (
    Passes
    | Away
    | ClockSet
    | ServiceRestarts
    | ContainerRestarts
    | MachineReboots
    | EngineFails
    | Asked
    | Edited
    | Demand
    | Exempted
)


@dataclass
class Truth:
    """What really happened, on the clock that never jumps."""

    work_began: timedelta
    run_began: timedelta
    idle_seen: timedelta = NONE
    quiet_began: timedelta | None = None
    seen_again: timedelta = NONE
    checks: list[tuple[Verdict, ...]] = field(default_factory=list)
    told: list[tuple[timedelta, SentWarning]] = field(default_factory=list)


class Lab:
    """One container, and the service that looks at it."""

    def __init__(self, policy: Edited) -> None:
        self.clock = FakeClock()
        self.real = NONE
        self.policy = policy
        self.high_demand = False
        self.exemptions: dict[Rule, Exemption] = {}
        self.first_look = True
        self.restarted_at: datetime | None = None
        self.failures = 0
        self.stopping = False
        self.stops = 0
        self.warned_before = 0
        self.mark = self.clock.mark()
        self.looked_at = self.real
        now = self.clock.now()
        self.memory = Memory(tracks=[Track(CONTAINER.id, CONTAINER.name, "alice", now, now)])
        self.truth = Truth(self.real, self.real)

    @property
    def track(self) -> Track:
        (track,) = self.memory.tracks
        return track

    def passes(self, span: timedelta) -> None:
        self.clock.advance(span)
        self.real += span

    def live(self, step: Step) -> None:  # noqa: C901, PLR0912 - one case of each step
        match step:
            case Passes(count, verdicts, touched):
                for _ in range(count):
                    if touched:
                        self.ask(self.policy.policies.keep_alive_max or 1000 * MINUTE)
                    self.look(verdicts)
            case Away(span):
                self.passes(span)
            case ClockSet(by):
                self.catch_up()
                self.clock.jump(by)
            case ServiceRestarts():
                self.first_look = True
            case ContainerRestarts():
                self.restart()
            case MachineReboots():
                self.catch_up()
                self.passes(2 * MINUTE)
                self.clock.reboot(NONE)
                self.restart()
            case EngineFails(times):
                self.failures = times
            case Asked(span):
                self.ask(span)
            case Demand(high):
                self.high_demand = high
            case Exempted(rule, span):
                self.exempt(rule, span)
            case Edited():
                self.policy = step

    def catch_up(self) -> None:
        """What began or was set since the last look, the next would see by another clock."""
        self.look(QUIET)
        while self.restarted_at is not None:
            self.look(QUIET)

    def ask(self, span: timedelta) -> None:
        if passed(self.mark, self.clock.mark()).jump:
            return  # it would be moved by a jump that came before it
        now, longest = self.clock.now(), self.policy.policies.keep_alive_max
        until = now + (span if longest is None else min(span, longest))
        known = next(iter(self.memory.keep_alives), None)
        if known is None or until > known.until:
            asked = KeepAlive(CONTAINER.id, now, until, "file", "alice")
            self.memory = replace(self.memory, keep_alives=[asked])

    def exempt(self, rule: Rule, span: timedelta | None) -> None:
        self.exemptions.pop(rule, None)
        if span is not None:
            until = self.clock.now() + span
            self.exemptions[rule] = Exemption("alice", None, frozenset({rule}), until, "", "")

    def restart(self) -> None:
        """Found by the next look, as `Lifecycle._running` finds it."""
        self.first_look = True
        self.passes(timedelta(seconds=1))
        self.restarted_at = self.clock.now()
        if self.stopping:  # a pass that sees it stopped takes that for done
            done = [replace(each, done_at=each.decided_at) for each in self.memory.rule_stops]
            self.memory, self.stopping = replace(self.memory, rule_stops=done), False
            self.truth.told.clear()
            self.warned_before = len(self.memory.warnings)
        self.truth.run_began, self.truth.quiet_began = self.real, None
        self.truth.checks.clear()

    def look(self, verdicts: tuple[Verdict, ...]) -> None:
        """One pass, as `Enforcer.run` makes it."""
        self.passes(MINUTE)
        if self.first_look:
            verdicts = tuple(
                Verdict.FIRST_LOOK if each is Verdict.IDLE else each for each in verdicts
            )
        self.first_look = False
        self.note(verdicts)
        mark = self.clock.mark()
        gap = passed(self.mark, mark)
        unseen = gap.unseen
        if gap.jump:
            self.memory, unseen = moved(self.memory, gap.jump, gap.unseen), NONE
        self.mark = mark
        if self.restarted_at is not None:
            run = replace(
                self.track, run_started_at=self.restarted_at, idle_checks=0, idle_since=None
            )
            self.memory, self.restarted_at = replace(self.memory, tracks=[run]), None
        findings = [Finding(*each) for each in zip(SIGNALS, verdicts, strict=True)]
        track = advanced(self.track, findings, self.policy.policies, mark.wall, unseen)
        self.memory = replace(self.memory, tracks=[track])
        decision = decide(self.subject(mark.wall), mark.wall)
        for due in decision.due:
            if due.deed in LEVELS:
                self.warn(due, mark.wall)
        self.finish(decision, mark.wall)

    def subject(self, now: datetime) -> Subject:
        return Subject(
            container=CONTAINER,
            track=self.track,
            timeouts=Timeouts(
                Bound(self.policy.idle_timeout, "idle_timeout"),
                Bound(self.policy.max_runtime, "max_runtime"),
                Bound(NONE, "gpu_hold_after_stop"),
                Bound(NONE, "container_hold_after_stop"),
            ),
            policies=self.policy.policies,
            warnings=tuple(self.memory.warnings),
            kept=next(iter(self.memory.keep_alives), None),
            exemptions={rule: each for rule, each in self.exemptions.items() if each.until > now},
            high_demand=self.high_demand,
            stopped_by_rule_at=next((each.decided_at for each in self.memory.rule_stops), None),
        )

    def warn(self, due: Due, now: datetime) -> None:
        countdown = due.countdown
        warning = SentWarning(
            CONTAINER.id, countdown.rule, LEVELS[due.deed], now, countdown.deadline
        )
        self.nobody_is_told_twice(warning)
        self.memory = replace(self.memory, warnings=[*self.memory.warnings, warning])
        self.truth.told.append((self.real, warning))

    def finish(self, decision: Decision, now: datetime) -> None:
        """Carry a stop out; its owner starts the container again at once."""
        if decision.stop is None:
            kept = [each for each in self.memory.rule_stops if each.done_at is not None]
            self.memory, self.stopping = replace(self.memory, rule_stops=kept), False
            return
        self.stop_is_right(decision.stop, decision.subject, now)
        stop = RuleStop(
            CONTAINER.id,
            CONTAINER.name,
            "alice",
            decision.stop.rule,
            *("", "", "", ""),
            decided_at=now,
        )
        self.memory, self.stopping = replace(self.memory, rule_stops=[stop]), True
        if self.failures:
            self.failures -= 1
        else:
            self.stops += 1
            self.restart()

    def note(self, verdicts: tuple[Verdict, ...]) -> None:
        truth = self.truth
        gap, self.looked_at = self.real - self.looked_at, self.real
        if gap > LONGEST_GAP:
            truth.seen_again = self.real
        if any(each in {Verdict.ACTIVE, Verdict.UNREADABLE} for each in verdicts):
            truth.quiet_began, truth.idle_seen = None, NONE
        elif truth.quiet_began is not None:
            truth.idle_seen += min(gap, LONGEST_GAP)
        elif all(each is Verdict.IDLE for each in verdicts):
            truth.quiet_began, truth.idle_seen = self.real, NONE
        truth.checks.append(verdicts)

    def nobody_is_told_twice(self, warning: SentWarning) -> None:
        """One warning of a level for one end; those of an earlier run of idleness aside.

        What was told before a time that nobody saw is told again: idleness goes on after it.
        """
        for (at, told), known in zip(
            self.truth.told, self.memory.warnings[self.warned_before :], strict=True
        ):
            if told.rule is not warning.rule or told.level is not warning.level:
                continue
            if warning.rule is Rule.IDLE and (
                not self.is_of_this_idleness(at) or at < self.truth.seen_again
            ):
                continue
            assert abs(known.deadline - warning.deadline) > BLINK, (known, warning)

    def is_of_this_idleness(self, at: timedelta) -> bool:
        return self.truth.quiet_began is not None and at >= self.truth.quiet_began

    def stop_is_right(self, countdown: Countdown, subject: Subject, now: datetime) -> None:
        policies, rule = self.policy.policies, countdown.rule
        told = {
            level: [
                at
                for at, each in self.truth.told
                if each.rule is rule
                and each.level is level
                and (rule is not Rule.IDLE or self.is_of_this_idleness(at))
            ]
            for level in Level
        }
        assert told[Level.FIRST], "the first warning"
        assert told[Level.FINAL], "the last warning"
        assert min(told[Level.FIRST]) < max(told[Level.FINAL]) < self.real, "in earlier passes"
        assert self.real - max(told[Level.FINAL]) >= policies.min_warning_lead - BLINK
        exemption = self.exemptions.get(rule)
        assert exemption is None or exemption.until <= now
        if rule is Rule.RUNTIME:
            assert self.policy.max_runtime is not None
            assert self.real - self.truth.work_began >= self.policy.max_runtime - BLINK
        else:
            self.nothing_works(subject, now)

    def nothing_works(self, subject: Subject, now: datetime) -> None:
        policies, truth, timeout = self.policy.policies, self.truth, self.policy.idle_timeout
        compared = [each for each in truth.checks if Verdict.FIRST_LOOK not in each]
        assert compared[-policies.idle_detection_window :] == (
            [QUIET] * policies.idle_detection_window
        )
        assert self.real - truth.run_began >= policies.startup_grace - BLINK
        assert timeout is not None
        assert truth.quiet_began is not None
        reduced = policies.high_demand_idle_reduction if self.high_demand else 0.0
        asked = timeout * (1 - reduced)
        assert truth.idle_seen >= asked - BLINK
        kept, longest = subject.kept, policies.keep_alive_max
        if kept is not None:
            quiet_at = now - (self.real - truth.quiet_began)
            most = kept.until if longest is None else quiet_at + asked + longest
            assert now >= min(kept.until, most) - BLINK


def minutes(*choices: float | None) -> st.SearchStrategy[timedelta]:
    return st.sampled_from([timedelta(minutes=each) for each in choices if each is not None])


edits = st.builds(
    Edited,
    idle_timeout=st.none() | minutes(0.5, 3, 10, 30, 120),
    max_runtime=st.none() | minutes(0.5, 10, 60, 240),
    policies=st.builds(
        LifecyclePolicy,
        idle_detection_window=st.sampled_from([1, 3, 5]),
        startup_grace=minutes(0, 2, 10),
        keep_alive_max=st.none() | minutes(0, 5, 30, 240),
        high_demand_idle_reduction=st.sampled_from([0.0, 0.5, 1.0]),
        min_warning_lead=minutes(0, 0.5, 5, 20),
    ),
)
quiet_passes = st.builds(Passes, st.integers(1, 30))
passes = st.builds(
    Passes,
    st.integers(1, 10),
    st.tuples(*(st.sampled_from(Verdict) for _ in SIGNALS)),
    touched=st.booleans(),
)
steps = st.one_of(
    quiet_passes,
    quiet_passes,
    st.builds(Passes, st.just(1), st.sampled_from([WORKING, UNSEEN])),
    passes,
    edits,
    st.builds(Away, minutes(1, 4, 7, 45, 300)),
    st.builds(ClockSet, minutes(-300, -60, -7, 7, 60, 300)),
    st.builds(ServiceRestarts),
    st.builds(ContainerRestarts),
    st.builds(MachineReboots),
    st.builds(EngineFails, st.integers(1, 3)),
    st.builds(Asked, minutes(1, 10, 90)),
    st.builds(Demand, st.booleans()),
    st.builds(
        Exempted, st.sampled_from([Rule.IDLE, Rule.RUNTIME]), st.none() | minutes(1, 30, 200)
    ),
)
PLAIN = Edited(10 * MINUTE, None, LifecyclePolicy(startup_grace=NONE, min_warning_lead=5 * MINUTE))
BRIEF = replace(PLAIN, idle_timeout=None, max_runtime=10 * MINUTE)
TOLD_EARLY = Edited(
    MINUTE / 2,
    None,
    LifecyclePolicy(
        idle_detection_window=1,
        startup_grace=NONE,
        keep_alive_max=30 * MINUTE,
        min_warning_lead=20 * MINUTE,
    ),
)
AT_ONCE = Edited(
    None,
    None,
    replace(TOLD_EARLY.policies, keep_alive_max=None, min_warning_lead=NONE),
)
histories = st.lists(steps, max_size=25)
thorough = settings(
    max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def lived(policy: Edited, history: list[Step]) -> Lab:
    lab = Lab(policy)
    for step in history:
        lab.live(step)
    return lab


def until_stopped(lab: Lab, step: Passes) -> Iterator[timedelta]:
    """How long it has gone on, pass by pass, until it is stopped."""
    began, stops = lab.real, lab.stops
    while lab.stops == stops:
        yield lab.real - began
        lab.live(step)


def settled(lab: Lab, policy: Edited) -> None:
    """From here on nothing changes any more."""
    lab.failures = 0
    lab.exemptions.clear()
    lab.live(policy)


def announced(lab: Lab, rule: Rule) -> timedelta:
    """How long the last warning still holds: whatever is edited, nobody is stopped before."""
    ends = [
        at + (each.deadline - each.sent_at)
        for at, each in lab.truth.told
        if each.rule is rule and each.level is Level.FINAL
    ]
    return max(ends, default=lab.real) - lab.real


@given(edits, histories)
@example(replace(PLAIN, idle_timeout=30 * MINUTE), [Passes(4), Away(300 * MINUTE), Passes(30)]).via(
    "time that nobody saw"
)
@example(PLAIN, [Passes(8), Passes(1, WORKING), Passes(8)]).via("work after both warnings")
@example(PLAIN, [Passes(8), Passes(1, UNSEEN), Passes(8)]).via("unreadable after both warnings")
@example(BRIEF, [EngineFails(1), Passes(15)]).via("the engine fails a stop")
@example(BRIEF, [Passes(15), ClockSet(-60 * MINUTE), Passes(15)]).via("set after a stop")
@example(
    BRIEF,
    [Passes(9), replace(BRIEF, policies=replace(BRIEF.policies, min_warning_lead=NONE)), Passes(9)],
).via("an edited lead")
@thorough
def test_whatever_happens_a_stop_is_announced_and_stops_nothing_that_works(
    policy: Edited, history: list[Step]
) -> None:
    lived(policy, history)


@given(edits, histories, edits, st.booleans())
@example(policy=PLAIN, history=[], last=PLAIN, touched=True).via("a keep-alive every minute")
@example(
    policy=TOLD_EARLY,
    history=[Passes(1), Asked(90 * MINUTE), Passes(11)],
    last=AT_ONCE,
    touched=False,
).via("told of a later end than the edited policy has")
@example(
    policy=AT_ONCE,
    history=[
        Passes(1, WORKING),
        Asked(30 * MINUTE),
        replace(TOLD_EARLY, policies=replace(TOLD_EARLY.policies, keep_alive_max=None)),
        Passes(9),
        Away(14 * MINUTE),
        Passes(1),
    ],
    last=TOLD_EARLY,
    touched=False,
).via("told again of a kept end after a time that nobody saw")
@thorough
def test_what_nobody_uses_is_stopped_in_the_end_however_often_it_is_kept(
    policy: Edited, history: list[Step], last: Edited, touched: bool
) -> None:
    lab = lived(policy, history)
    timeout = last.idle_timeout or 10 * MINUTE
    longest = last.policies.keep_alive_max or NONE
    kept = replace(last.policies, keep_alive_max=longest)
    settled(lab, replace(last, idle_timeout=timeout, policies=kept))
    span = kept.startup_grace + timeout + longest + kept.min_warning_lead
    span += kept.idle_detection_window * MINUTE
    patience = max(span, announced(lab, Rule.IDLE)) + 4 * MINUTE
    for gone_on in until_stopped(lab, Passes(1, touched=touched)):
        assert gone_on <= patience


@given(edits, histories, edits)
@example(
    policy=replace(TOLD_EARLY, max_runtime=60 * MINUTE),
    history=[Passes(42, WORKING)],
    last=replace(AT_ONCE, max_runtime=MINUTE / 2),
).via("told of a later end than the edited policy has")
@thorough
def test_what_runs_too_long_is_stopped_however_busy(
    policy: Edited, history: list[Step], last: Edited
) -> None:
    lab = lived(policy, history)
    longest = last.max_runtime or 60 * MINUTE
    settled(lab, replace(last, max_runtime=longest))
    span = longest + last.policies.min_warning_lead
    patience = max(span, announced(lab, Rule.RUNTIME)) + 4 * MINUTE
    for gone_on in until_stopped(lab, Passes(1, WORKING)):
        assert gone_on <= patience
