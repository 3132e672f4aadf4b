from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.lifecycle import (
    LEVELS,
    TRANSITIONS,
    Countdown,
    Decision,
    Deed,
    Phase,
    Subject,
    Transition,
    countdowns,
    decide,
    next_deed,
    phase_of,
    stops_at,
)
from ds01_spawner.domain.limits import LifecyclePolicy, SlotConflict
from ds01_spawner.domain.timeouts import Bound, Timeouts
from ds01_spawner.domain.work import KeepAlive, Level, Rule, SentWarning, Track
from fakes.clock import EPOCH
from fakes.facts import container

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LEAD = 5 * MINUTE
POLICIES = LifecyclePolicy(
    min_warning_lead=LEAD, keep_alive_max=24 * HOUR, high_demand_idle_reduction=0.5
)
WARN, AGAIN, STOP = Deed.WARN_FIRST, Deed.WARN_FINAL, Deed.STOP


def at(minutes: float) -> datetime:
    return EPOCH + minutes * MINUTE


def limits(
    idle: timedelta | None = None,
    runtime: timedelta | None = None,
    hold: timedelta | None = 30 * MINUTE,
) -> Timeouts:
    return Timeouts(
        idle_timeout=Bound(idle, "idle_timeout"),
        max_runtime=Bound(runtime, "max_runtime"),
        gpu_hold_after_stop=Bound(timedelta(0), "gpu_hold_after_stop"),
        container_hold_after_stop=Bound(hold, "container_hold_after_stop"),
    )


def idle(timeout: timedelta | None = 100 * MINUTE, since: float = 0) -> Subject:
    """Idle since `since`, as long as need be to count."""
    made = container("alice")
    track = Track(made.id, made.name, "alice", EPOCH, EPOCH, idle_checks=3, idle_since=at(since))
    return Subject(made, track, limits(idle=timeout), POLICIES)


def busy(runtime: timedelta | None = 100 * MINUTE) -> Subject:
    """Started at `EPOCH`, and at work."""
    made = container("alice")
    track = Track(made.id, made.name, "alice", EPOCH, EPOCH)
    return Subject(made, track, limits(runtime=runtime), POLICIES)


def led(subject: Subject, lead: timedelta) -> Subject:
    return replace(subject, policies=replace(subject.policies, min_warning_lead=lead))


def stopped(ended_at: float = 0, hold: timedelta | None = 30 * MINUTE) -> Subject:
    made = container("alice", state=ContainerState.EXITED)
    track = Track(made.id, made.name, "alice", at(-60), at(-60), ended_at=at(ended_at))
    return Subject(made, track, limits(hold=hold), POLICIES)


def kept(granted: float, until: float) -> KeepAlive:
    return KeepAlive("alice-jupyter", at(granted), at(until), "page", "alice")


def exempt(rule: Rule, until: float) -> dict[Rule, Exemption]:
    return {rule: Exemption("alice", None, frozenset({rule}), at(until), "thesis", "x.yaml:1")}


def told(level: Level, minute: float, deadline: float, rule: Rule = Rule.IDLE) -> SentWarning:
    return SentWarning("alice-jupyter", rule, level, at(minute), at(deadline))


def given(subject: Subject, decision: Decision, now: datetime) -> Subject:
    """`subject` once the warnings of a decision are written down."""
    sent = tuple(
        SentWarning(
            subject.container.id,
            due.countdown.rule,
            LEVELS[due.deed],
            now,
            due.countdown.deadline,
        )
        for due in decision.due
        if due.deed in LEVELS
    )
    return replace(subject, warnings=subject.warnings + sent)


def lived(subject: Subject, begin: float, end: float) -> tuple[Subject, list[tuple[float, Deed]]]:
    """What passes a minute apart do, by minute, until one of them stops it."""
    deeds: list[tuple[float, Deed]] = []
    minute = begin
    while minute <= end:
        decision = decide(subject, at(minute))
        deeds += [(minute, due.deed) for due in decision.due]
        if decision.stop is not None:
            break
        subject = given(subject, decision, at(minute))
        minute += 1
    return subject, deeds


def only(subject: Subject, now: float = 100) -> Countdown:
    (found,) = countdowns(subject, at(now))
    return found


def deed(subject: Subject, minute: float) -> Deed | None:
    return next((due.deed for due in decide(subject, at(minute)).due), None)


BOTH = (told(Level.FIRST, 80, 100), told(Level.FINAL, 95, 100))


@pytest.mark.parametrize(
    ("phase", "transition"),
    [
        (Phase.COUNTING, Transition(Level.FIRST, WARN, Phase.WARNED)),
        (Phase.WARNED, Transition(Level.FINAL, AGAIN, Phase.ANNOUNCED)),
        (Phase.ANNOUNCED, Transition(None, STOP, None)),
    ],
    ids=str,
)
def test_each_phase_waits_for_one_thing(phase: Phase, transition: Transition) -> None:
    assert TRANSITIONS[phase] == transition


def test_the_table_has_a_line_for_every_phase_and_leads_to_the_stop() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert [each.then for each in TRANSITIONS.values()] == [Phase.WARNED, Phase.ANNOUNCED, None]


@pytest.mark.parametrize(
    ("warnings", "phase", "due_at", "what"),
    [
        ((), Phase.COUNTING, 80, WARN),
        (BOTH[:1], Phase.WARNED, 95, AGAIN),
        (BOTH, Phase.ANNOUNCED, 100, STOP),
    ],
    ids=["nothing said", "warned", "warned twice"],
)
def test_a_deed_is_due_at_its_moment_and_not_before(
    warnings: tuple[SentWarning, ...], phase: Phase, due_at: float, what: Deed
) -> None:
    countdown = only(idle())
    assert phase_of(countdown, warnings) is phase
    assert next_deed(countdown, warnings, at(due_at) - timedelta(microseconds=1)) is None
    assert next_deed(countdown, warnings, at(due_at)) is what


@pytest.mark.parametrize("subject", [idle(), busy()], ids=["idle", "runtime"])
def test_warns_at_80_and_95_percent_and_stops_at_the_end(subject: Subject) -> None:
    assert lived(subject, 0, 120)[1] == [(80, WARN), (95, AGAIN), (100, STOP)]


@pytest.mark.parametrize(
    ("limit", "lead", "deeds"),
    [
        (100, 10, [(80, WARN), (90, AGAIN), (100, STOP)]),
        (100, 30, [(70, WARN), (71, AGAIN), (101, STOP)]),
        (20, 5, [(15, WARN), (16, AGAIN), (21, STOP)]),
        (10, 5, [(5, WARN), (6, AGAIN), (11, STOP)]),
        (1, 5, [(0, WARN), (1, AGAIN), (6, STOP)]),
        (100, 0, [(80, WARN), (95, AGAIN), (100, STOP)]),
        (1, 0, [(1, WARN), (2, AGAIN), (3, STOP)]),
    ],
    ids=["10 of 100", "30 of 100", "5 of 20", "half", "5 of 1", "none", "none of 1"],
)
def test_the_last_warning_is_the_lead_before_the_stop_however_short_the_limit(
    limit: float, lead: float, deeds: list[tuple[float, Deed]]
) -> None:
    subject = led(idle(limit * MINUTE), lead * MINUTE)
    assert lived(subject, 0, 120)[1] == deeds


def test_a_lead_longer_than_the_limit_is_due_before_it_began() -> None:
    countdown = only(led(idle(MINUTE), LEAD))
    assert countdown.warns_at(Level.FIRST) == countdown.warns_at(Level.FINAL) == at(-4)


@pytest.mark.parametrize("subject", [idle(), busy()], ids=["idle", "runtime"])
def test_a_service_that_was_down_over_the_end_warns_twice_before_it_stops(
    subject: Subject,
) -> None:
    _, deeds = lived(subject, 500, 600)
    assert deeds == [(500, WARN), (501, AGAIN), (506, STOP)]


def test_a_service_that_was_down_over_both_warnings_gives_them_and_stops_late() -> None:
    assert lived(idle(), 98, 120)[1] == [(98, WARN), (99, AGAIN), (104, STOP)]


def test_the_stop_waits_for_the_lead_even_where_the_end_has_passed() -> None:
    late = replace(idle(), warnings=(BOTH[0], told(Level.FINAL, 99, 100)))
    assert deed(late, 103) is None
    assert deed(late, 104) is STOP


@pytest.mark.parametrize(
    ("warnings", "now", "end"),
    [
        ((), 10, 100),
        ((), 98, 103),
        (BOTH, 97, 100),
        ((BOTH[0], told(Level.FINAL, 99, 100)), 101, 104),
        ((), 500, 505),
    ],
    ids=["in time", "late", "announced", "announced late", "over"],
)
def test_people_are_told_the_earliest_stop(
    warnings: tuple[SentWarning, ...], now: float, end: float
) -> None:
    assert stops_at(only(idle()), warnings, at(now)) == at(end)


def test_a_warning_counts_for_its_own_limit_only() -> None:
    countdown = only(idle())
    assert countdown.counts(told(Level.FIRST, 80, 100))
    assert not countdown.counts(told(Level.FIRST, 80, 100, Rule.RUNTIME))


def test_a_warning_of_an_earlier_idleness_does_not_count() -> None:
    countdown = only(idle(since=200), now=300)
    assert not countdown.counts(told(Level.FINAL, 199, 300))


@pytest.mark.parametrize(
    ("minute", "deadline", "counts"),
    [(79, 90, False), (79, 100, True), (80, 90, True)],
    ids=["early, of another end", "early, of this end", "late enough, of another end"],
)
def test_a_warning_counts_if_it_announced_this_end_or_came_late_enough(
    minute: float, deadline: float, counts: bool
) -> None:
    assert only(idle()).counts(told(Level.FIRST, minute, deadline)) is counts


def test_what_is_not_idle_for_enough_checks_has_no_idle_end() -> None:
    subject = idle()
    fewer = replace(subject.track, idle_checks=POLICIES.idle_detection_window - 1)
    works = replace(subject.track, idle_since=None)
    assert countdowns(replace(subject, track=fewer), at(500)) == ()
    assert countdowns(replace(subject, track=works), at(500)) == ()


def test_what_has_no_limit_is_never_stopped() -> None:
    assert decide(idle(timeout=None), at(10**6)) == Decision(idle(timeout=None))


def test_two_limits_are_warned_of_each_on_its_own_and_the_nearer_stops() -> None:
    both = replace(idle(), timeouts=limits(idle=100 * MINUTE, runtime=110 * MINUTE))
    assert lived(both, 0, 200)[1] == [(80, WARN), (88, WARN), (95, AGAIN), (100, STOP)]


def test_both_limits_may_warn_in_one_pass_and_the_nearest_end_is_first() -> None:
    both = replace(idle(), timeouts=limits(idle=100 * MINUTE, runtime=90 * MINUTE))
    decision = decide(both, at(80))
    assert [(due.deed, due.countdown.rule) for due in decision.due] == [
        (WARN, Rule.RUNTIME),
        (WARN, Rule.IDLE),
    ]
    assert [each.rule for each in decision.countdowns] == [Rule.RUNTIME, Rule.IDLE]


def test_what_is_stopped_is_not_warned_of_something_else_and_stopped_once() -> None:
    both = replace(idle(), timeouts=limits(idle=100 * MINUTE, runtime=100 * MINUTE), warnings=BOTH)
    decision = decide(both, at(100))
    assert [(due.deed, due.countdown.rule) for due in decision.due] == [(STOP, Rule.IDLE)]
    twice = replace(both, warnings=BOTH + tuple(replace(w, rule=Rule.RUNTIME) for w in BOTH))
    assert len(decide(twice, at(100)).due) == 1


def test_a_keep_alive_postpones_the_end_and_is_warned_of_anew() -> None:
    subject, before = lived(idle(), 0, 96)
    assert before == [(80, WARN), (95, AGAIN)]
    asked = replace(subject, kept=kept(97, 297))
    assert only(asked).deadline == at(297)
    assert lived(asked, 97, 400)[1] == [(257, WARN), (287, AGAIN), (297, STOP)]


def test_a_keep_alive_lasts_no_longer_than_its_maximum_after_the_idle_end() -> None:
    assert only(replace(idle(), kept=kept(97, 10**5))).deadline == at(100) + 24 * HOUR


@pytest.mark.parametrize(("longest", "end"), [(timedelta(0), 100), (None, 10**5)])
def test_how_long_a_keep_alive_may_be(longest: timedelta | None, end: float) -> None:
    subject = replace(idle(), kept=kept(97, 10**5))
    found = only(replace(subject, policies=replace(POLICIES, keep_alive_max=longest)))
    assert found.deadline == at(end)
    assert (found.kept is None) == (end == 100)


def test_a_keep_alive_from_before_the_idleness_counts_from_its_begin() -> None:
    found = only(replace(idle(), kept=kept(-50, 200)))
    assert (found.began_at, found.deadline) == (at(0), at(200))


@pytest.mark.parametrize("until", [50, 100], ids=["before the idle end", "with it"])
def test_a_keep_alive_that_ends_first_changes_nothing(until: float) -> None:
    assert only(replace(idle(), kept=kept(10, until))) == only(idle())


def test_a_keep_alive_of_tomorrow_is_none_yet() -> None:
    assert only(replace(idle(), kept=kept(101, 300)), now=100) == only(idle())


def test_a_keep_alive_whose_file_is_gone_ends_at_once_but_with_warning() -> None:
    subject, _ = lived(replace(idle(), kept=kept(97, 297)), 97, 199)
    withdrawn = replace(subject, kept=kept(97, 200))
    assert lived(withdrawn, 200, 300)[1] == [(200, WARN), (201, AGAIN), (206, STOP)]


def test_asking_again_moves_the_end_again() -> None:
    subject, first = lived(replace(idle(), kept=kept(97, 197)), 97, 195)
    assert first == [(177, WARN), (192, AGAIN)]
    again = replace(subject, kept=kept(196, 296))
    assert lived(again, 196, 400)[1] == [(276, WARN), (291, AGAIN), (296, STOP)]


def test_asking_again_in_vain_neither_postpones_nor_warns_anew() -> None:
    end = 100 + 24 * 60
    subject, _ = lived(replace(idle(), kept=kept(97, 10**4)), 97, end - 1)
    assert len(subject.warnings) == 2
    again = replace(subject, kept=kept(end - 1, 10**5))
    assert lived(again, end - 1, end + 60)[1] == [(end, STOP)]


def test_asking_every_minute_does_not_keep_it_for_ever() -> None:
    end = 100 + 24 * 60
    subject = idle()
    deeds: list[Deed] = []
    for minute in range(end + 7):
        subject = replace(subject, kept=kept(minute, minute + 24 * 60))
        subject, found = lived(subject, minute, minute)
        deeds += [what for _, what in found]
        if STOP in deeds:
            break
    assert deeds == [WARN, AGAIN, STOP]


def test_a_keep_alive_does_not_move_the_end_of_the_runtime() -> None:
    assert only(replace(busy(), kept=kept(10, 10**4))).deadline == at(100)


@pytest.mark.parametrize("subject", [idle(), busy()], ids=["idle", "runtime"])
def test_an_exemption_lifts_the_end_to_its_own_and_is_warned_of(subject: Subject) -> None:
    rule = only(subject).rule
    exempted = replace(subject, exemptions=exempt(rule, 1000))
    assert only(exempted).deadline == at(1000)
    told = lived(exempted, 0, 1200)[1]
    assert told == [(980, WARN), (995, AGAIN), (1000, STOP)], "the limit's own shares before it"


def test_what_was_said_of_an_exemptions_end_holds_when_it_is_over() -> None:
    subject, _ = lived(replace(busy(), exemptions=exempt(Rule.RUNTIME, 1000)), 0, 999)
    assert deed(replace(subject, exemptions={}), 1000) is STOP


def test_an_exemption_that_comes_after_the_warnings_is_warned_of_anew() -> None:
    subject, _ = lived(busy(), 0, 96)
    exempted = replace(subject, exemptions=exempt(Rule.RUNTIME, 1000))
    assert lived(exempted, 97, 1200)[1] == [(980, WARN), (995, AGAIN), (1000, STOP)]


def test_an_exemption_is_for_its_limit_alone_and_shortens_nothing() -> None:
    assert only(replace(busy(), exemptions=exempt(Rule.IDLE, 1000))).exemption is None
    assert only(replace(busy(), exemptions=exempt(Rule.RUNTIME, 50))) == only(busy())


def test_high_demand_halves_the_idle_time_and_says_so() -> None:
    short = replace(idle(), high_demand=True)
    assert (only(short).deadline, only(short).high_demand) == (at(50), True)
    assert lived(short, 0, 100)[1] == [(40, WARN), (45, AGAIN), (50, STOP)]
    assert only(replace(busy(), high_demand=True)).deadline == at(100)


def test_demand_that_flips_warns_nobody_twice_of_one_end() -> None:
    subject = idle()
    sent: list[tuple[float, Deed]] = []
    for minute in range(100):
        subject = replace(subject, high_demand=minute % 2 == 0 and minute < 45)
        subject, deeds = lived(subject, minute, minute)
        sent += deeds
    assert sent == [(40, WARN), (80, WARN), (95, AGAIN)]
    ends = [(each.level, each.deadline) for each in subject.warnings]
    assert len(ends) == len(set(ends))


def test_what_was_said_in_high_demand_counts_when_it_comes_again() -> None:
    subject, _ = lived(replace(idle(), high_demand=True), 0, 41)
    subject, meanwhile = lived(replace(subject, high_demand=False), 42, 44)
    assert meanwhile == []
    assert lived(replace(subject, high_demand=True), 45, 60)[1] == [(45, AGAIN), (50, STOP)]


def test_nobody_is_stopped_before_the_end_that_the_last_warning_announced() -> None:
    subject, _ = lived(idle(), 0, 95)
    assert lived(replace(subject, high_demand=True), 96, 200)[1] == [(100, STOP)]
    shorter = replace(subject, timeouts=limits(idle=30 * MINUTE))
    assert lived(shorter, 96, 200)[1] == [(100, STOP)]


def test_a_shorter_limit_after_the_first_warning_still_gives_the_last_one() -> None:
    subject, _ = lived(idle(), 0, 85)
    shorter = replace(subject, timeouts=limits(idle=30 * MINUTE))
    assert lived(shorter, 86, 120)[1] == [(86, AGAIN), (91, STOP)]


def test_a_longer_limit_after_the_warnings_is_warned_of_anew() -> None:
    subject, _ = lived(idle(), 0, 99)
    longer = replace(subject, timeouts=limits(idle=200 * MINUTE))
    assert lived(longer, 100, 300)[1] == [(160, WARN), (190, AGAIN), (200, STOP)]


def test_a_limit_that_was_longer_for_a_while_is_not_warned_of_twice() -> None:
    subject, _ = lived(idle(), 0, 96)
    subject, meanwhile = lived(replace(subject, timeouts=limits(idle=200 * MINUTE)), 97, 98)
    assert meanwhile == []
    assert lived(replace(subject, timeouts=limits(idle=100 * MINUTE)), 99, 200)[1] == [(100, STOP)]


@pytest.mark.parametrize("lead", [timedelta(0), MINUTE, 30 * MINUTE], ids=["none", "short", "long"])
def test_an_edited_lead_warns_nobody_again_and_is_kept(lead: timedelta) -> None:
    subject, _ = lived(led(idle(), 20 * MINUTE), 0, 85)
    assert [each.level for each in subject.warnings] == [Level.FIRST, Level.FINAL]
    last = subject.warnings[-1].sent_at
    _, deeds = lived(led(subject, lead), 86, 200)
    assert [what for _, what in deeds] == [STOP]
    assert at(deeds[0][0]) >= max(last + lead, at(100))


def test_what_is_started_again_after_its_time_is_warned_anew_before_the_next_stop() -> None:
    subject, deeds = lived(busy(), 0, 200)
    assert deeds[-1] == (100, STOP)
    again = replace(
        subject,
        track=replace(subject.track, run_started_at=at(103)),
        stopped_by_rule_at=at(100),
    )
    assert lived(again, 104, 200)[1] == [(104, WARN), (105, AGAIN), (110, STOP)]


def test_a_stop_that_is_not_done_yet_makes_no_warning_worth_less() -> None:
    subject, _ = lived(busy(), 0, 99)
    assert deed(replace(subject, stopped_by_rule_at=at(100)), 101) is STOP


def test_a_restart_of_the_same_work_does_not_reset_its_runtime() -> None:
    subject = busy()
    again = replace(subject, track=replace(subject.track, run_started_at=at(50)))
    assert only(again).deadline == at(100)


def test_a_slot_conflict_is_reported_by_default_and_stops_nothing() -> None:
    subject = busy(runtime=None)
    late = replace(subject, track=replace(subject.track, conflict_since=at(10)))
    assert late.policies.slot_conflict is SlotConflict.REPORT
    assert decide(late, at(500)).due == ()


def test_a_slot_conflict_stops_the_later_container_by_policy_after_both_warnings() -> None:
    subject = busy(runtime=None)
    late = replace(
        subject,
        track=replace(subject.track, conflict_since=at(10)),
        policies=replace(POLICIES, slot_conflict=SlotConflict.STOP),
    )
    assert only(late).bound == Bound(None, "policies.slot_conflict")
    assert lived(late, 10, 60)[1] == [(10, WARN), (11, AGAIN), (16, STOP)]


@pytest.mark.parametrize(
    "state", [ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING]
)
def test_what_lives_is_never_removed(state: ContainerState) -> None:
    live = replace(idle(), container=container("alice", state=state))
    decision = decide(live, at(10**5))
    assert (decision.removal, decision.removed_at) == (None, None)
    assert decision.due


@pytest.mark.parametrize(
    ("hold", "end"), [(30 * MINUTE, 30), (timedelta(0), 0), (None, None)], ids=str
)
def test_a_stopped_container_is_removed_after_its_hold(
    hold: timedelta | None, end: float | None
) -> None:
    subject = stopped(hold=hold)
    removed_at = None if end is None else at(end)
    assert decide(subject, at(-1)).removal is None
    assert decide(subject, at(10)).removed_at == removed_at
    if removed_at is None:
        assert decide(subject, at(10**6)).removal is None
        return
    removal = decide(subject, removed_at).removal
    assert removal is not None
    assert (removal.action, removal.reason) == (
        "cleanup.stale",
        "It stopped longer ago than container_hold_after_stop allows.",
    )


def test_a_stopped_container_whose_end_is_unknown_stays() -> None:
    subject = stopped()
    unknown = replace(subject, track=replace(subject.track, ended_at=None))
    assert decide(unknown, at(10**6)).removal is None


@pytest.mark.parametrize("hold", [30 * MINUTE, None], ids=["with a hold", "held for ever"])
def test_a_container_that_was_never_started_is_removed_after_half_an_hour(
    hold: timedelta | None,
) -> None:
    subject = stopped(hold=hold)
    created = replace(
        subject,
        container=container("alice", state=ContainerState.CREATED),
        track=replace(subject.track, run_started_at=at(0), ended_at=None),
    )
    assert decide(created, at(29)).removal is None
    removal = decide(created, at(30)).removal
    assert removal is not None
    assert removal.reason == "It was created and never started."


PROTECTED = container("alice", state=ContainerState.EXITED, extra={labels.PROTECTED: "true"})
BEING_REMOVED = container("alice", state=ContainerState.REMOVING)


@pytest.mark.parametrize(
    "subject",
    [
        replace(stopped(), mine=False),
        replace(stopped(), container=PROTECTED),
        replace(stopped(), container=BEING_REMOVED),
    ],
    ids=["somebody else's", "protected", "being removed"],
)
def test_some_stopped_containers_are_left_alone(subject: Subject) -> None:
    decision = decide(subject, at(10**6))
    assert (decision.removal, decision.removed_at) == (None, None)


def test_what_is_stopped_has_no_way_to_a_limit() -> None:
    over = replace(stopped(), timeouts=limits(idle=MINUTE, runtime=MINUTE))
    assert (decide(over, at(10)).countdowns, decide(over, at(10)).due) == ((), ())
