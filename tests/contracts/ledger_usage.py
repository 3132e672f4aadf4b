"""What every `Ledger` does with usage, the fake and the real one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.usage import (
    Amount,
    Booking,
    Grain,
    Holder,
    UsageMark,
    added,
    merged,
)
from ds01_spawner.domain.usage_totals import UsageTotal, totals
from ds01_spawner.ports import Ledger, LedgerReader, LedgerTransaction
from fakes.clock import EPOCH

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = Grain.DAY.begin_of(EPOCH)
ALICE = Holder("alice", "student", "thesis", "hub", "2g.10gb", 0.2857)
BOB = Holder("bob")
FULL = UsageInterval(
    "c1",
    "MIG-1",
    "alice",
    0.2857,
    MIDNIGHT,
    MIDNIGHT + 3 * HOUR,
    group="student",
    project="thesis",
    interface="hub",
    container_name="run._.alice",
    slot_id="0:1",
    profile="2g.10gb",
    seen_at=MIDNIGHT + 2 * HOUR,
    begin_told=True,
    end_known=False,
    folded_until=MIDNIGHT + HOUR,
    seen_microseconds=5,
    measured_microseconds=4,
    busy_microseconds=3,
    metered_microseconds=2,
    energy_millijoules=1,
)
LASTING = UsageInterval("c2", "GPU-2", "bob", 1.0, MIDNIGHT + HOUR)
HOURS = 3600 * 10**6


def reader(ledger: Ledger) -> LedgerReader:
    """The same, for those who only look."""
    return cast("LedgerReader", ledger)


def everything(reading: LedgerTransaction) -> Sequence[UsageTotal]:
    """What everybody used, wherever it is kept."""
    return totals(each for grain in (None, *Grain) for each in reading.usage_totals(grain))


class LedgerUsageContract:
    """Inherit, and give the fixture `ledger`."""

    def test_an_interval_is_read_back_exactly(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_usage([FULL, LASTING])
        with ledger.transaction() as transaction:
            assert sorted(transaction.usage_since(MIDNIGHT), key=str) == [FULL, LASTING]
            assert list(transaction.usage_of(["c1", "other"])) == [FULL]
            assert list(transaction.usage_of([])) == []
            assert transaction.usage_begin() == MIDNIGHT
            transaction.remove_usage([FULL, replace(FULL, container_id="unknown")])
            assert list(transaction.usage_since(MIDNIGHT)) == [LASTING]

    def test_what_is_held_and_in_no_hour_is_told_by_holder(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_usage([FULL, LASTING])
            held = dict(transaction.usage_held(MIDNIGHT, MIDNIGHT + 2 * HOUR))
            assert held == {
                ALICE: Amount(held_microseconds=HOURS),
                replace(BOB, gpu_equivalents=1.0): Amount(held_microseconds=HOURS),
            }
            assert dict(transaction.usage_held(MIDNIGHT, MIDNIGHT + 9 * HOUR, "alice")) == {
                ALICE: Amount(held_microseconds=2 * HOURS)
            }
            assert list(transaction.usage_held(MIDNIGHT - DAY, MIDNIGHT)) == []
            by_group = transaction.usage_held(MIDNIGHT, MIDNIGHT + 2 * HOUR, by=("group",))
            assert dict(by_group) == {
                Holder(group="student"): Amount(held_microseconds=HOURS),
                Holder(): Amount(held_microseconds=HOURS),
            }

    def test_what_began_before_a_moment_and_is_in_no_hour_is_found(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            transaction.put_usage([FULL, LASTING])
            assert list(transaction.usage_begun_before(MIDNIGHT + HOUR)) == []
            found = transaction.usage_begun_before(MIDNIGHT + 2 * HOUR)
            assert sorted(found, key=str) == [FULL, LASTING]

    def test_amounts_of_an_hour_add_up(self, ledger: Ledger) -> None:
        one = Amount(held_microseconds=1, longest_wait_microseconds=5, energy_millijoules=2)
        two = Amount(held_microseconds=10, longest_wait_microseconds=3, grants=1)
        with ledger.transaction() as transaction:
            transaction.book_usage(Grain.HOUR, [Booking(ALICE, MIDNIGHT, one)])
        with ledger.transaction() as transaction:
            later = MIDNIGHT + timedelta(minutes=59)
            transaction.book_usage(
                Grain.HOUR, [Booking(ALICE, later, two), Booking(BOB, later, one)]
            )
            transaction.book_usage(Grain.HOUR, [])
        with ledger.transaction() as transaction:
            found = transaction.bookings_before(Grain.HOUR, MIDNIGHT + HOUR)
            assert sorted(found, key=str) == [
                Booking(ALICE, MIDNIGHT, one + two),
                Booking(BOB, MIDNIGHT, one),
            ]

    def test_a_period_is_the_sum_of_its_hours_and_days(self, ledger: Ledger) -> None:
        amount = Amount(held_microseconds=1, waits=1, waited_microseconds=2, grants=1)
        with ledger.transaction() as transaction:
            transaction.book_usage(Grain.DAY, [Booking(ALICE, MIDNIGHT - DAY, amount)])
            transaction.book_usage(
                Grain.HOUR,
                [Booking(ALICE, MIDNIGHT + hour * HOUR, amount) for hour in range(3)],
            )
            transaction.book_usage(Grain.HOUR, [Booking(BOB, MIDNIGHT, amount)])

            def total(begin: timedelta, end: timedelta, user: str | None = None) -> int:
                found = transaction.usage_booked(MIDNIGHT + begin, MIDNIGHT + end, user)
                return sum(each.held_microseconds for _, each in found)

            assert total(-DAY, DAY) == 5
            by_user = transaction.usage_booked(
                MIDNIGHT, MIDNIGHT + DAY, by=("user", "gpu_equivalents")
            )
            assert merged(by_user) == {
                Holder("alice", gpu_equivalents=0.2857): added([amount] * 3),
                BOB: amount,
            }
            assert total(-DAY, DAY, "alice") == 4
            assert total(HOUR, 2 * HOUR) == 1
            assert total(-DAY, timedelta(0)) == 1
            assert total(-DAY, DAY, "nobody") == 0
            assert transaction.usage_begin() == MIDNIGHT - DAY

    def test_a_period_is_told_day_by_day(self, ledger: Ledger) -> None:
        amount = Amount(energy_millijoules=3, waits=1, longest_wait_microseconds=4)
        with ledger.transaction() as transaction:
            transaction.put_usage([FULL, LASTING])
            for day in (-2, -1):
                transaction.book_usage(Grain.DAY, [Booking(ALICE, MIDNIGHT + day * DAY, amount)])
            for hour in (0, 1, 23, 24):
                begin = MIDNIGHT + hour * HOUR
                transaction.book_usage(Grain.HOUR, [Booking(BOB, begin, amount)])

            def days(end: timedelta, user: str | None = None) -> dict[tuple[int, float], Amount]:
                found: dict[tuple[int, float], list[Amount]] = {}
                span = MIDNIGHT - DAY, MIDNIGHT + end
                told = [
                    *transaction.booked_by_day(Grain.DAY, *span, user),
                    *transaction.booked_by_day(Grain.HOUR, *span, user),
                    *transaction.held_by_day(*span, user),
                ]
                for day, holder, each in told:
                    assert holder == Holder(gpu_equivalents=holder.gpu_equivalents)
                    key = (day - MIDNIGHT) // DAY, holder.gpu_equivalents
                    found.setdefault(key, []).append(each)
                return {key: added(amounts) for key, amounts in found.items()}

            assert days(2 * DAY) == {
                (-1, 0.2857): amount,
                (0, 0.2857): Amount(held_microseconds=2 * HOURS),
                (0, 0.0): added([amount] * 3),
                (0, 1.0): Amount(held_microseconds=23 * HOURS),
                (1, 0.0): amount,
                (1, 1.0): Amount(held_microseconds=24 * HOURS),
            }
            assert days(2 * HOUR, "alice") == {
                (-1, 0.2857): amount,
                (0, 0.2857): Amount(held_microseconds=HOURS),
            }
            assert days(DAY, "nobody") == {}

    def test_old_hours_are_forgotten(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            for grain in Grain:
                bookings = [
                    Booking(ALICE, MIDNIGHT + day * DAY, Amount(grants=1)) for day in (0, 1)
                ]
                transaction.book_usage(grain, bookings)
            transaction.remove_bookings_before(Grain.HOUR, MIDNIGHT + DAY)
            left = transaction.bookings_before(Grain.HOUR, MIDNIGHT + 9 * DAY)
            assert [each.begin for each in left] == [MIDNIGHT + DAY]
            assert len(transaction.bookings_before(Grain.DAY, MIDNIGHT + 9 * DAY)) == 2

    def test_how_far_the_books_are_kept_is_remembered(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            assert transaction.usage_mark() is None
            assert transaction.usage_begin() is None
            transaction.put_usage_mark(UsageMark("1-2"))
            transaction.put_usage_mark(UsageMark("1-3", MIDNIGHT))
        with ledger.transaction() as transaction:
            assert transaction.usage_mark() == UsageMark("1-3", MIDNIGHT)

    def test_totals_are_what_is_in_hours_days_and_neither(self, ledger: Ledger) -> None:
        booked = Amount(
            held_microseconds=HOURS,
            measured_microseconds=8,
            busy_microseconds=7,
            energy_millijoules=9,
            rated_millijoules=6,
            co2e_micrograms=5,
        )
        untold = Amount(held_microseconds=HOURS, energy_millijoules=100)
        part = replace(ALICE, profile="1g.5gb", gpu_equivalents=0.1429)
        with ledger.transaction() as transaction:
            transaction.put_usage([FULL, LASTING])
            transaction.book_usage(Grain.HOUR, [Booking(ALICE, MIDNIGHT, booked)])
            transaction.book_usage(Grain.DAY, [Booking(ALICE, MIDNIGHT - DAY, booked)])
            transaction.book_usage(Grain.DAY, [Booking(part, MIDNIGHT - DAY, untold)])
        with reader(ledger).reading() as reading:
            found = {(each.user, each.group): each for each in everything(reading)}
        assert found.pop(("bob", "")) == UsageTotal("bob", "")
        (alice,) = found.values()
        # Of three hours that she held one is folded: it is in the books.
        assert alice == UsageTotal(
            "alice",
            "student",
            held_microseconds=5 * HOURS,
            equivalent_microseconds=round(4 * HOURS * 0.2857) + round(HOURS * 0.1429),
            measured_microseconds=16,
            busy_microseconds=14,
            energy_millijoules=118,
            measured_millijoules=18,
            rated_millijoules=12,
            co2e_micrograms=10,
        )

    def test_what_lasts_counts_up_to_the_last_look(self, ledger: Ledger) -> None:
        seen = replace(LASTING, seen_at=LASTING.started_at + HOUR)
        with ledger.transaction() as transaction:
            transaction.put_usage([seen])
        with reader(ledger).reading() as reading:
            (bob,) = everything(reading)
        assert bob == UsageTotal("bob", "", HOURS, HOURS)

    def test_totals_are_told_apart_by_how_they_are_kept(self, ledger: Ledger) -> None:
        amounts = {None: HOURS, Grain.HOUR: 7, Grain.DAY: 5}
        seen = replace(LASTING, seen_at=LASTING.started_at + HOUR)
        with ledger.transaction() as transaction:
            transaction.put_usage([seen])
            for grain in Grain:
                amount = Amount(held_microseconds=amounts[grain])
                transaction.book_usage(grain, [Booking(BOB, MIDNIGHT, amount)])
        with reader(ledger).reading() as reading:
            for kept, held in amounts.items():
                ((holder, (first, *others)),) = reading.usage_totals(kept)
                assert (holder.user, first, any(others)) == ("bob", held, False)

    def test_what_lasts_through_midnights_is_held_on_each_day(self, ledger: Ledger) -> None:
        begin, end = MIDNIGHT - HOUR, MIDNIGHT + 2 * DAY + 3 * HOUR
        long = replace(LASTING, started_at=begin, ended_at=end)
        another = replace(long, container_id="c3", started_at=MIDNIGHT, ended_at=MIDNIGHT + DAY)
        with ledger.transaction() as transaction:
            transaction.put_usage([long, another])
        with reader(ledger).reading() as reading:
            told = reading.held_by_day(begin - DAY, end + DAY, "bob")
        held: dict[datetime, int] = {}
        for day, _, amount in told:
            held[day] = held.get(day, 0) + amount.held_microseconds
        hours = {MIDNIGHT - DAY: 1, MIDNIGHT: 48, MIDNIGHT + DAY: 24, MIDNIGHT + 2 * DAY: 3}
        assert held == {day: count * HOURS for day, count in hours.items()}

    def test_books_begin_with_the_earliest_of_anything(self, ledger: Ledger) -> None:
        with ledger.transaction() as transaction:
            assert transaction.usage_begin() is None
            transaction.put_usage([LASTING])
            assert transaction.usage_begin() == LASTING.started_at
            for begin in (MIDNIGHT - 2 * DAY, MIDNIGHT - 5 * DAY):
                transaction.book_usage(Grain.HOUR, [Booking(BOB, begin, Amount(1))])
                assert transaction.usage_begin() == begin
            transaction.book_usage(Grain.DAY, [Booking(ALICE, MIDNIGHT - 9 * DAY, Amount(1))])
            assert transaction.usage_begin() == MIDNIGHT - 9 * DAY

    def test_who_reads_waits_for_nobody_and_changes_nothing(self, ledger: Ledger) -> None:
        with reader(ledger).reading() as reading:
            reading.put_usage([LASTING])
        with reader(ledger).reading() as reading:
            assert list(reading.usage_since(MIDNIGHT)) == []
        assert reader(ledger).row_counts()["usage"] == 0
