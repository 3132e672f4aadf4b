from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.gpu import CardPower, SlotActivity
from ds01_spawner.domain.usage import Amount
from ds01_spawner.domain.usage_look import Look, Sight, ending, no_intensity, sight
from fakes.clock import EPOCH
from fakes.probe import small_lab

SLOTS = {slot.uuid: slot for slot in small_lab().slots}
WHOLE = next(slot for slot in SLOTS.values() if slot.id == "2")
PART = next(slot for slot in SLOTS.values() if slot.id == "0:0")
MINUTE = timedelta(minutes=1)
MICRO = 1_000_000


def held(uuid: str = WHOLE.uuid, seen_at: datetime | None = EPOCH) -> UsageInterval:
    return UsageInterval("c", uuid, "alice", 1.0, EPOCH - MINUTE, seen_at=seen_at)


def look(
    after: timedelta = MINUTE,
    utilisation: float | None = None,
    watts: float | None = None,
    joules: float | None = None,
) -> Look:
    power = CardPower(watts, joules)
    return Look(
        EPOCH + after,
        SLOTS,
        {uuid: SlotActivity(utilisation) for uuid in SLOTS},
        {slot.gpu_uuid: power for slot in SLOTS.values()},
    )


def amount(found: Sight) -> Amount:
    return sum((each.amount for each in found.bookings), Amount())


def test_a_busy_minute_is_booked_to_whom_holds_the_slot() -> None:
    found = sight([held()], look(utilisation=0.25), None, no_intensity)
    assert amount(found) == Amount(
        seen_microseconds=60 * MICRO,
        measured_microseconds=60 * MICRO,
        busy_microseconds=15 * MICRO,
    )
    (interval,) = found.intervals
    assert (interval.seen_at, interval.busy_microseconds) == (EPOCH + MINUTE, 15 * MICRO)


def test_a_slot_that_does_not_tell_is_seen_and_not_measured() -> None:
    assert amount(sight([held()], look(), None, no_intensity)) == Amount(
        seen_microseconds=60 * MICRO
    )


def test_a_time_in_which_nobody_looked_is_a_gap() -> None:
    late = look(timedelta(minutes=6), utilisation=1.0, watts=100)
    found = sight([held()], late, None, no_intensity)
    assert found.bookings == ()
    assert found.intervals == (replace(held(), seen_at=late.taken_at),)


def test_energy_is_the_counters_difference() -> None:
    before = look(timedelta(0), joules=1000.0)
    found = amount(sight([held()], look(joules=7000.0, watts=1), before, lambda _: 360.0))
    assert (found.metered_microseconds, found.energy_millijoules) == (60 * MICRO, 6_000_000)
    assert (found.rated_millijoules, found.co2e_micrograms) == (6_000_000, 600_000)


@pytest.mark.parametrize(
    "before",
    [
        None,
        look(timedelta(0), joules=9000.0),
        look(timedelta(0)),
        look(-timedelta(hours=1), joules=0.0),
        look(timedelta(0), joules=-1e9),
    ],
    ids=["no look before", "set back", "not told", "long ago", "more than a card takes"],
)
def test_where_the_counter_tells_nothing_the_power_does(before: Look | None) -> None:
    found = amount(sight([held()], look(watts=100.0, joules=7000.0), before, no_intensity))
    assert found.energy_millijoules == 6_000_000
    assert found.rated_millijoules == 0


@pytest.mark.parametrize("watts", [None, -5.0, 1e6, float("nan")])
def test_a_card_that_does_not_tell_is_not_metered(watts: float | None) -> None:
    found = amount(sight([held()], look(watts=watts), None, no_intensity))
    assert (found.metered_microseconds, found.energy_millijoules) == (0, 0)


def test_a_part_of_a_card_has_its_share_of_the_energy() -> None:
    found = amount(sight([held(PART.uuid)], look(watts=70.0), None, no_intensity))
    assert found.energy_millijoules == round(70 * 60 * PART.equivalents * 1000)


def test_a_lost_card_is_not_metered() -> None:
    found = amount(sight([held("GPU-gone")], look(watts=70.0), None, no_intensity))
    assert found == Amount(seen_microseconds=60 * MICRO)


def test_when_the_clock_was_set_back_no_time_is_seen_twice() -> None:
    ahead = held(seen_at=EPOCH + timedelta(hours=5))
    assert sight([ahead], look(utilisation=1.0), None, no_intensity) == Sight((), ())
    beyond = look(timedelta(hours=5, seconds=30), utilisation=1.0)
    assert amount(sight([ahead], beyond, None, no_intensity)).seen_microseconds == 30 * MICRO


def test_a_look_that_was_a_year_ahead_is_not_waited_for() -> None:
    ahead = replace(held(seen_at=EPOCH + timedelta(days=365)), seen_microseconds=30 * MICRO)
    found = sight([ahead], look(utilisation=1.0), None, no_intensity)
    assert (found.intervals[0].seen_at, found.bookings) == (EPOCH + MINUTE, ())


def test_who_share_a_slot_have_their_part_each_of_what_the_card_tells() -> None:
    both = [held(), replace(held(), container_id="d", user="bob"), held(PART.uuid)]
    found = sight(both, look(utilisation=0.5, watts=100.0), None, lambda _: 360.0)
    first, second, alone = (
        replace(each, started_at=EPOCH, seen_at=None) for each in found.intervals
    )
    assert first.seen_microseconds == 60 * MICRO
    assert (first.measured_microseconds, first.busy_microseconds) == (30 * MICRO, 15 * MICRO)
    assert (first.metered_microseconds, first.energy_millijoules) == (30 * MICRO, 3_000_000)
    assert replace(second, container_id="c", user="alice") == first
    assert alone.measured_microseconds == 60 * MICRO
    whole = amount(found)
    assert whole.energy_millijoules == 6_000_000 + alone.energy_millijoules
    assert whole.rated_millijoules == whole.energy_millijoules


def test_the_time_between_the_last_look_and_the_end_was_seen() -> None:
    ended = replace(held(), ended_at=EPOCH + MINUTE)
    interval, bookings = ending(ended)
    assert interval.seen_microseconds == 60 * MICRO
    assert [each.amount for each in bookings] == [Amount(seen_microseconds=60 * MICRO)]
    assert ending(interval) == (interval, ())
    for other in (
        replace(ended, ended_at=EPOCH + timedelta(minutes=6)),
        replace(ended, end_known=False),
        held(),
    ):
        assert ending(other) == (other, ())
