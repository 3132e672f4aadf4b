from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.expected_wait import coarse, expected_wait, typical_hold
from fakes.clock import EPOCH

HOUR = timedelta(hours=1)


def held(hours: float, *, ended: bool = True) -> UsageInterval:
    return UsageInterval("c", "u", "amy", 0.1, EPOCH - hours * HOUR, EPOCH if ended else None)


def test_a_slot_is_held_as_long_as_it_was_held_on_average() -> None:
    assert typical_hold([held(hours) for hours in (1, 1, 2, 3, 3)], EPOCH) == 2 * HOUR


def test_what_is_held_still_makes_it_longer() -> None:
    ended = [held(1) for _ in range(5)]
    assert typical_hold([*ended, held(5, ended=False)], EPOCH) == 2 * HOUR


@pytest.mark.parametrize("intervals", [[], [held(1)] * 4, [held(9, ended=False)] * 9], ids=len)
def test_too_little_tells_nothing(intervals: list[UsageInterval]) -> None:
    assert typical_hold(intervals, EPOCH) is None


def test_times_of_a_clock_that_went_back_are_none() -> None:
    assert typical_hold([held(-1)] * 9, EPOCH) is None


@pytest.mark.parametrize(
    ("place", "slots", "hold", "known", "wait"),
    [
        (1, 4, 2 * HOUR, [], 0.5 * HOUR),
        (3, 4, 2 * HOUR, [], 1.5 * HOUR),
        (1, 4, 2 * HOUR, [3 * HOUR, 0.1 * HOUR], 0.1 * HOUR),
        (2, 4, None, [3 * HOUR, HOUR], 3 * HOUR),
        (3, 4, None, [3 * HOUR, HOUR], None),
        (1, 0, 2 * HOUR, [], None),
        (1, 1, None, [-HOUR], timedelta(0)),
    ],
)
def test_the_wait_is_what_comes_first(
    place: int,
    slots: int,
    hold: timedelta | None,
    known: list[timedelta],
    wait: timedelta | None,
) -> None:
    assert expected_wait([1] * place, slots, 0, hold, known) == wait


@pytest.mark.parametrize(
    ("counts", "free", "known", "wait"),
    [
        pytest.param([2], 0, [3 * HOUR, HOUR], 3 * HOUR, id="the second that ends"),
        pytest.param([2], 0, [HOUR], None, id="one of them has no end"),
        pytest.param([2], 1, [3 * HOUR, HOUR], HOUR, id="one is free"),
        pytest.param([2, 1], 1, [3 * HOUR, HOUR], 3 * HOUR, id="which is for who is before"),
        pytest.param([1], 2, [HOUR], HOUR, id="enough are free, and kept for somebody"),
        pytest.param([5], 0, [HOUR] * 5, None, id="more than there are"),
        pytest.param([9, 1], 0, [HOUR] * 4, None, id="after all of them one that has no end"),
    ],
)
def test_so_many_slots_are_free_when_so_many_have_ended(
    counts: list[int], free: int, known: list[timedelta], wait: timedelta | None
) -> None:
    assert expected_wait(counts, 4, free, None, known) == wait


def test_slots_that_are_waited_for_together_take_longer_one_after_the_other() -> None:
    assert expected_wait([2], 4, 0, 12 * HOUR, []) == 3 * HOUR + 4 * HOUR
    assert expected_wait([2], 4, 1, 12 * HOUR, []) == 4 * HOUR
    assert expected_wait([4], 4, 0, 12 * HOUR, []) == (3 + 4 + 6 + 12) * HOUR
    assert expected_wait([2, 1], 4, 0, 12 * HOUR, []) == (3 + 4 + 3) * HOUR


WAITING = {
    "before": st.lists(st.integers(1, 6), max_size=5),
    "slots": st.integers(1, 8),
    "free": st.integers(0, 8),
    "hold": st.none() | st.timedeltas(timedelta(minutes=1), timedelta(days=3)),
    "known": st.lists(st.timedeltas(timedelta(0), timedelta(days=1)), max_size=8),
}


def no_shorter(wait: timedelta | None, than: timedelta | None) -> bool:
    """What is not known may be for ever; floats are as exact as they are."""
    if wait is None or than is None:
        return wait is None
    return wait >= than - timedelta(milliseconds=1)


@given(**WAITING)
def test_more_slots_are_never_had_sooner(
    before: list[int], slots: int, free: int, hold: timedelta | None, known: list[timedelta]
) -> None:
    free, known = min(free, slots), known[: max(slots - free, 0)]
    waits = [expected_wait([*before, count], slots, free, hold, known) for count in range(1, 10)]
    assert all(no_shorter(later, sooner) for sooner, later in pairwise(waits)), waits


@given(**WAITING, count=st.integers(1, 6), more=st.integers(1, 6))
def test_who_comes_later_is_not_served_sooner(  # noqa: PLR0917 - what is drawn
    before: list[int],
    slots: int,
    free: int,
    hold: timedelta | None,
    known: list[timedelta],
    count: int,
    more: int,
) -> None:
    assume(max(count, more) <= slots)
    free = min(free, slots, count - 1)
    own = expected_wait([*before, count], slots, free, hold, known)
    behind = expected_wait([*before, count, more], slots, free, hold, known)
    assert no_shorter(behind, own)


@pytest.mark.parametrize(
    ("minutes", "told"), [(None, None), (0, 5), (2, 5), (7.4, 5), (7.6, 10), (121, 120)]
)
def test_what_is_told_again_and_again_is_told_to_five_minutes(
    minutes: float | None, told: int | None
) -> None:
    wait = None if minutes is None else timedelta(minutes=minutes)
    assert coarse(wait) == (None if told is None else told * 60)
