from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.usage import DAY, Amount, Holder
from ds01_spawner.domain.usage_series import Step, missing_hours, parts, step_for

MONDAY = datetime(2026, 3, 30, tzinfo=UTC)
NOW = MONDAY + timedelta(days=1, hours=15)
HOUR = timedelta(hours=1)
WHOLE, PART = Holder(gpu_equivalents=1.0), Holder(gpu_equivalents=0.25)


def held(hours: int) -> Amount:
    return Amount(held_microseconds=hours * 3600 * 10**6)


@pytest.mark.parametrize(
    ("days", "step"),
    [(7, Step.DAY), (92, Step.DAY), (365, Step.WEEK), (840, Step.WEEK), (841, Step.MONTH)],
)
def test_a_graph_has_as_many_steps_as_it_can_show(days: int, step: Step) -> None:
    assert step_for(MONDAY, MONDAY + days * DAY) is step


def test_steps_begin_where_people_expect_them() -> None:
    wednesday = MONDAY + timedelta(days=2, hours=5)
    assert Step.DAY.begin_of(wednesday) == MONDAY + 2 * DAY
    assert Step.WEEK.begin_of(wednesday) == MONDAY
    assert Step.MONTH.begin_of(wednesday) == datetime(2026, 4, 1, tzinfo=UTC)
    assert Step.MONTH.after(datetime(2026, 2, 1, tzinfo=UTC)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert Step.WEEK.after(MONDAY) == MONDAY + 7 * DAY


def test_a_day_without_use_is_there_and_a_whole_gpu_counts_more() -> None:
    days = [(MONDAY, WHOLE, held(2)), (MONDAY, PART, held(4)), (MONDAY, WHOLE, held(1))]
    first, second = parts(days, (MONDAY, NOW), Step.DAY, (MONDAY - DAY, None))
    assert (first.used.gpu_hours, first.used.equivalent_hours) == (7.0, 4.0)
    assert first.used.name == "2026-03-30"
    assert (second.used.gpu_hours, second.is_known) == (0.0, True)
    assert (second.begin, second.end) == (MONDAY + DAY, NOW)


def test_what_is_outside_of_the_books_is_not_known() -> None:
    span = MONDAY - 2 * DAY, MONDAY + 3 * DAY
    found = parts([], span, Step.DAY, (MONDAY - 12 * HOUR, MONDAY + 30 * HOUR))
    assert [each.missing / HOUR for each in found] == [24, 12, 0, 18, 24]
    assert [each.is_known for each in found] == [False, True, True, True, False]
    assert missing_hours(found) == 78
    empty = parts([], span, Step.WEEK, (None, None))
    assert [each.is_known for each in empty] == [False, False]


def test_books_may_be_some_minutes_behind() -> None:
    (found,) = parts([], (MONDAY, MONDAY + HOUR), Step.DAY, (MONDAY, MONDAY + 52 * HOUR / 60))
    assert not found.missing


@given(
    st.lists(st.tuples(st.integers(0, 399), st.integers(0, 24)), max_size=30),
    st.sampled_from(Step),
    st.integers(1, 400),
)
def test_steps_add_up_to_the_days(days: list[tuple[int, int]], step: Step, long: int) -> None:
    end = MONDAY + long * DAY
    told = [(MONDAY + day * DAY, WHOLE, held(hours)) for day, hours in days if day < long]
    found = parts(told, (MONDAY, end), step, (MONDAY, None))
    assert sum(each.used.gpu_hours for each in found) == pytest.approx(
        sum(hours for day, hours in days if day < long)
    )
    assert found[0].begin == MONDAY
    assert found[-1].end == end
    for before, after in pairwise(found):
        assert before.end == after.begin
