from datetime import timedelta

import pytest

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
    assert expected_wait(place, slots, hold, known) == wait


@pytest.mark.parametrize(
    ("minutes", "told"), [(None, None), (0, 5), (2, 5), (7.4, 5), (7.6, 10), (121, 120)]
)
def test_what_is_told_again_and_again_is_told_to_five_minutes(
    minutes: float | None, told: int | None
) -> None:
    wait = None if minutes is None else timedelta(minutes=minutes)
    assert coarse(wait) == (None if told is None else told * 60)
