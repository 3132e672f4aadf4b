from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.activity import Finding, Signal, Verdict
from ds01_spawner.domain.limits import LifecyclePolicy
from ds01_spawner.domain.work import Passed, PassMark, Track, advanced, passed, shifted
from fakes.clock import EPOCH

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
POLICIES = LifecyclePolicy(startup_grace=30 * MINUTE, idle_detection_window=3)
STARTED = Track("c1", "jupyter._.alice", "alice", EPOCH, EPOCH)
IDLE = (Finding(Signal.CPU, Verdict.IDLE),)
ACTIVE = (*IDLE, Finding(Signal.GPU, Verdict.ACTIVE))
UNREADABLE = (*IDLE, Finding(Signal.GPU, Verdict.UNREADABLE))
FIRST_LOOK = (*IDLE, Finding(Signal.NETWORK, Verdict.FIRST_LOOK))


def mark(minutes: float, wall: timedelta = timedelta(0), boot: str = "one") -> PassMark:
    return PassMark(boot, EPOCH + minutes * MINUTE + wall, minutes * 60)


def test_idle_since_the_first_of_the_idle_checks() -> None:
    track = STARTED
    for minute in (31, 32, 33, 34):
        track = advanced(track, IDLE, POLICIES, EPOCH + minute * MINUTE)
    assert track.idle_since == EPOCH + 31 * MINUTE
    assert track.idle_checks == 3, "counted up to the window"


@pytest.mark.parametrize("found", [ACTIVE, UNREADABLE], ids=["active", "unreadable"])
def test_work_ends_idleness(found: tuple[Finding, ...]) -> None:
    idle = replace(STARTED, idle_checks=3, idle_since=EPOCH + HOUR)
    track = advanced(idle, found, POLICIES, EPOCH + 2 * HOUR)
    assert (track.idle_checks, track.idle_since) == (0, None)


def test_nothing_is_idle_while_it_starts() -> None:
    track = advanced(STARTED, IDLE, POLICIES, EPOCH + 29 * MINUTE)
    assert track.idle_since is None


def test_the_grace_counts_from_the_present_run() -> None:
    again = replace(STARTED, run_started_at=EPOCH + 5 * HOUR)
    assert advanced(again, IDLE, POLICIES, EPOCH + 5 * HOUR + 29 * MINUTE).idle_since is None
    assert advanced(again, IDLE, POLICIES, EPOCH + 5 * HOUR + 30 * MINUTE).idle_since


def test_a_first_look_says_neither() -> None:
    idle = replace(STARTED, idle_checks=2, idle_since=EPOCH + HOUR)
    assert advanced(idle, FIRST_LOOK, POLICIES, EPOCH + 2 * HOUR) == idle


def test_time_that_nobody_saw_is_not_idle_time() -> None:
    idle = replace(STARTED, idle_checks=3, idle_since=EPOCH + HOUR)
    track = advanced(idle, IDLE, POLICIES, EPOCH + 5 * HOUR, unseen=3 * HOUR)
    assert track.idle_since == EPOCH + 4 * HOUR


def test_between_two_passes_nothing_but_time() -> None:
    assert passed(None, mark(1)) == Passed()
    assert passed(mark(1), mark(2)) == Passed()
    assert passed(mark(0), mark(5)) == Passed()


def test_a_long_gap_is_unseen_but_for_five_minutes() -> None:
    assert passed(mark(0), mark(65)) == Passed(unseen=HOUR)


@pytest.mark.parametrize("by", [HOUR, -HOUR, timedelta(days=365)])
def test_a_clock_that_was_set_is_noticed(by: timedelta) -> None:
    assert passed(mark(0), mark(1, wall=by)) == Passed(jump=by)


@pytest.mark.parametrize("drift", [timedelta(seconds=29), timedelta(seconds=-29)])
def test_a_clock_that_is_corrected_did_not_jump(drift: timedelta) -> None:
    assert passed(mark(0), mark(1, wall=drift)).jump == timedelta(0)
    day = 24 * 60
    assert passed(mark(0), mark(day, wall=2 * drift)).jump == timedelta(0)


def test_after_a_reboot_the_wall_clock_is_believed() -> None:
    before = PassMark("one", EPOCH, 1e6)
    after = PassMark("two", EPOCH + 10 * MINUTE, 30.0)
    assert passed(before, after) == Passed(unseen=5 * MINUTE)


def test_all_times_move_with_the_clock() -> None:
    track = replace(
        STARTED, idle_since=EPOCH + HOUR, conflict_since=EPOCH, ended_at=EPOCH + 2 * HOUR
    )
    moved = shifted(track, HOUR)
    assert moved == replace(
        track,
        started_at=EPOCH + HOUR,
        run_started_at=EPOCH + HOUR,
        idle_since=EPOCH + 2 * HOUR,
        conflict_since=EPOCH + HOUR,
        ended_at=EPOCH + 3 * HOUR,
    )
    assert shifted(moved, -HOUR) == track
