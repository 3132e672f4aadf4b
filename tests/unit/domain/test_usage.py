from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.usage import (
    Amount,
    Booking,
    Grain,
    Holder,
    fold,
    held_in,
    merged,
    microseconds,
    put_together,
    spread,
)

DAY = datetime(2026, 3, 29, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALICE = Holder("alice", "student", "thesis", "hub", "full", 1.0)


def interval(begin: float, end: float | None, folded: float | None = None) -> UsageInterval:
    """Hours from the begin of the day."""
    return UsageInterval(
        "c",
        "GPU-1",
        "alice",
        1.0,
        DAY + begin * HOUR,
        None if end is None else DAY + end * HOUR,
        group="student",
        project="thesis",
        interface="hub",
        profile="full",
        folded_until=None if folded is None else DAY + folded * HOUR,
    )


def hours(count: float) -> int:
    return microseconds(count * HOUR)


@given(
    amount=st.builds(
        Amount, held_microseconds=st.integers(0, 10**12), energy_millijoules=st.integers(0, 10**9)
    ),
    begin=st.timedeltas(timedelta(0), timedelta(days=2)),
    length=st.timedeltas(timedelta(0), timedelta(days=2)),
)
def test_nothing_is_lost_where_an_amount_is_spread_over_hours(
    amount: Amount, begin: timedelta, length: timedelta
) -> None:
    parts = list(spread(amount, DAY + begin, DAY + begin + length))
    assert sum((part for _, part in parts), Amount()) == amount
    assert len({hour for hour, _ in parts}) == len(parts)
    assert all(hour == Grain.HOUR.begin_of(hour) for hour, _ in parts)


def test_each_hour_gets_its_time() -> None:
    held = Amount(held_microseconds=hours(2))
    parts = list(spread(held, DAY + 0.5 * HOUR, DAY + 2.5 * HOUR))
    assert [(begin - DAY, part.held_microseconds) for begin, part in parts] == [
        (0 * HOUR, hours(0.5)),
        (1 * HOUR, hours(1)),
        (2 * HOUR, hours(0.5)),
    ]


@pytest.mark.parametrize(
    ("kept", "held"),
    [
        (interval(1, 3), 2),
        (interval(-5, 3), 3),
        (interval(-5, None), 24),
        (interval(-5, None, folded=20), 4),
        (interval(-5, -1), 0),
        (interval(25, None), 0),
        (interval(3, 3), 0),
    ],
)
def test_of_an_interval_what_lies_in_a_period_and_in_no_hour_counts(
    kept: UsageInterval, held: float
) -> None:
    assert held_in(kept, DAY, DAY + 24 * HOUR) == hours(held)


def test_an_interval_that_is_over_becomes_hours_as_a_whole() -> None:
    bookings, left = fold(interval(-0.5, 1), DAY + 2 * HOUR)
    assert left is None
    assert [(each.holder, each.begin - DAY) for each in bookings] == [
        (ALICE, -HOUR),
        (ALICE, 0 * HOUR),
    ]


def test_of_an_interval_that_lasts_the_rest_is_left() -> None:
    bookings, left = fold(interval(-2, None), DAY)
    assert sum(each.amount.held_microseconds for each in bookings) == hours(2)
    assert left == interval(-2, None, folded=0)
    again, same = fold(left, DAY)
    assert (again, same) == ((), left)


def test_hours_become_days_and_nothing_is_lost() -> None:
    parts = spread(
        Amount(held_microseconds=hours(30), grants=3, longest_wait_microseconds=0),
        DAY + 22 * HOUR,
        DAY + 52 * HOUR,
    )
    booked = [Booking(ALICE, begin, part) for begin, part in parts]
    days = put_together(booked, Grain.DAY)
    assert [each.amount.held_microseconds for each in days] == [hours(2), hours(24), hours(4)]
    assert sum(each.amount.grants for each in days) == 3


def test_waits_add_up_and_the_longest_stays() -> None:
    one = Amount(waits=1, waited_microseconds=5, longest_wait_microseconds=5)
    both = one + Amount(waits=1, waited_microseconds=3, longest_wait_microseconds=3)
    assert both == Amount(waits=2, waited_microseconds=8, longest_wait_microseconds=5)


def test_amounts_of_one_holder_are_one() -> None:
    parts = [(ALICE, Amount(grants=1)), (Holder("bob"), Amount()), (ALICE, Amount(grants=2))]
    assert merged(parts) == {ALICE: Amount(grants=3), Holder("bob"): Amount()}
