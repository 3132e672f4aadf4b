from datetime import UTC, datetime, timedelta

import pytest

from ds01_spawner.domain.usage import Amount, Holder
from ds01_spawner.domain.usage_report import (
    By,
    Period,
    Row,
    begin_of,
    hints,
    notes,
    rows,
    total,
    whole_days,
)

NOW = datetime(2026, 3, 31, 15, 30, tzinfo=UTC)
TODAY = datetime(2026, 3, 31, tzinfo=UTC)
HOUR = 3600 * 10**6
ALICE = Holder("alice", "student", "thesis", "hub", "full", 1.0)
PART = Holder("alice", "student", "", "docker", "1g.5gb", 0.25)
BOB = Holder("bob", "", "", "hub", "full", 1.0)


@pytest.mark.parametrize(
    ("period", "days"), [(Period.WEEK, 6), (Period.MONTH, 29), (Period.YEAR, 364)]
)
def test_a_period_has_whole_days_and_today(period: Period, days: int) -> None:
    assert begin_of(period, NOW, None) == TODAY - timedelta(days=days)


def test_everything_begins_on_the_first_day_of_all() -> None:
    first = datetime(2024, 2, 29, 23, 59, tzinfo=UTC)
    assert begin_of(Period.ALL, NOW, first) == datetime(2024, 2, 29, tzinfo=UTC)
    assert begin_of(Period.ALL, NOW, None) == TODAY
    assert begin_of(Period.ALL, NOW, NOW + timedelta(days=9)) == TODAY


def test_days_that_are_named_count_as_a_whole_and_end_now_at_the_latest() -> None:
    march = datetime(2026, 3, 1, tzinfo=UTC)
    february = datetime(2026, 2, 1, tzinfo=UTC)
    assert whole_days(february, march, NOW) == (february, march)
    late = february + timedelta(hours=7)
    assert whole_days(late, late + timedelta(hours=1), NOW) == (
        february,
        february + timedelta(days=1),
    )
    assert whole_days(march, NOW + timedelta(days=1), NOW) == (march, NOW)


def test_rows_are_by_person_group_or_project_and_who_used_most_is_first() -> None:
    held = {
        ALICE: Amount(held_microseconds=HOUR),
        PART: Amount(held_microseconds=4 * HOUR, waits=1, waited_microseconds=30 * 10**6),
        BOB: Amount(held_microseconds=3 * HOUR),
    }
    assert [(row.name, row.gpu_hours, row.equivalent_hours) for row in rows(held, By.USER)] == [
        ("bob", 3, 3),
        ("alice", 5, 2),
    ]
    assert [row.name for row in rows(held, By.GROUP)] == ["", "student"]
    assert [row.name for row in rows(held, By.PROJECT)] == ["", "thesis"]
    everything = total(held)
    assert (everything.gpu_hours, everything.equivalent_hours) == (8, 5)
    assert everything.mean_wait_seconds == 30


def test_what_nobody_told_is_not_known() -> None:
    row = Row("alice", Amount(held_microseconds=HOUR, seen_microseconds=HOUR))
    assert row.busy_hours is None
    assert row.efficiency is None
    assert row.energy_kwh is None
    assert row.co2e_kg is None
    assert row.mean_wait_seconds is None
    assert row.longest_wait_seconds is None
    assert row.unseen_hours == 0
    assert list(notes(row, None)) == []


def test_efficiency_is_of_the_time_that_was_measured() -> None:
    amount = Amount(
        held_microseconds=10 * HOUR,
        seen_microseconds=8 * HOUR,
        measured_microseconds=4 * HOUR,
        busy_microseconds=HOUR,
        metered_microseconds=HOUR,
        energy_millijoules=3_600_000_000,
        rated_millijoules=1_800_000_000,
        co2e_micrograms=400 * 10**6,
    )
    row = Row("alice", amount)
    assert (row.busy_hours, row.efficiency, row.unseen_hours) == (1, 0.25, 2)
    assert (row.energy_kwh, row.co2e_kg) == (1.0, 0.4)
    gap, rated = notes(row, "the supplier")
    assert gap.startswith("Of 10 hours with a GPU, the platform did not look for 2 hours: ")
    assert rated == "For 50 % of the energy nobody said what it emits."


def test_what_is_known_of_almost_all_energy_needs_no_note() -> None:
    row = Row("", Amount(energy_millijoules=1000, metered_microseconds=1, rated_millijoules=996))
    assert list(notes(row, "the supplier")) == []


def test_what_the_next_look_will_see_is_no_gap_yet() -> None:
    row = Row("alice", Amount(held_microseconds=10 * HOUR, seen_microseconds=8 * HOUR))
    assert list(notes(row, None, 2.0)) == []
    (gap,) = notes(row, None, 0.5)
    assert gap.startswith("Of 10 hours with a GPU, the platform did not look for 1.5 hours: ")
    almost = Row("alice", Amount(held_microseconds=HOUR, seen_microseconds=HOUR - HOUR // 25))
    assert list(notes(almost, None)) == []


def test_where_nobody_says_what_electricity_emits_an_administrator_is_named_the_file() -> None:
    row = Row("", Amount(energy_millijoules=1, metered_microseconds=1))
    assert list(notes(row, None)) == []
    assert "carbon.yaml" in next(iter(hints(row, None)))
    assert list(hints(row, "the supplier")) == []
