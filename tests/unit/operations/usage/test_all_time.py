"""What is kept of days from one reading to the next is what a new reading finds."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.usage import (
    KEEP_HOURS,
    KEEP_INTERVALS,
    Amount,
    Booking,
    Grain,
    Holder,
    UsageMark,
)
from ds01_spawner.domain.usage_totals import TotalPart, UsageTotal
from ds01_spawner.operations.usage import books
from ds01_spawner.operations.usage.all_time import AllTime
from fakes.clock import FakeClock
from fakes.ledger import FakeLedger

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ALICE = Holder("alice", "student", "thesis", "hub", "full", 1.0)


class Watched(FakeLedger):
    """Counts how often days are read."""

    def __init__(self) -> None:
        super().__init__()
        self.days_read = 0

    def usage_totals(self, grain: Grain | None) -> Sequence[TotalPart]:
        self.days_read += grain is Grain.DAY
        return super().usage_totals(grain)


def told(all_time: AllTime, ledger: FakeLedger) -> Sequence[UsageTotal]:
    with ledger.reading() as reading:
        return sorted(all_time.totals(reading), key=str)


def fold(ledger: FakeLedger, clock: FakeClock) -> None:
    with ledger.transaction() as transaction:
        mark = transaction.usage_mark() or UsageMark("")
        transaction.put_usage_mark(books.put_old_together(transaction, mark, clock.now()))


def test_days_are_read_once_until_more_are_put_together() -> None:
    clock, ledger = FakeClock(), Watched()
    all_time = AllTime(clock)
    first = Grain.DAY.begin_of(clock.now()) - KEEP_HOURS
    for day in range(4):
        with ledger.transaction() as transaction:
            old = Booking(ALICE, first + day * DAY, Amount(held_microseconds=day + 1))
            transaction.book_usage(Grain.HOUR, [old])
        fold(ledger, clock)
        before = ledger.days_read
        for hour in range(3):
            with ledger.transaction() as transaction:
                new = Booking(ALICE, clock.now(), Amount(held_microseconds=100 + hour))
                transaction.book_usage(Grain.HOUR, [new])
            assert told(all_time, ledger) == told(AllTime(clock), ledger)
            clock.advance(HOUR)
        assert ledger.days_read - before == 3 + 1  # the new ones read each time, it did once
        clock.advance(DAY - 3 * HOUR)


def test_days_of_which_only_some_were_put_together_are_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(books, "FOLDED_AT_ONCE", 1)
    clock, ledger = FakeClock(), Watched()
    all_time = AllTime(clock)
    fold(ledger, clock)
    clock.advance(KEEP_INTERVALS + KEEP_HOURS + 3 * DAY)
    begun = clock.now() - KEEP_HOURS - KEEP_INTERVALS
    with ledger.transaction() as transaction:
        transaction.put_usage(
            [
                UsageInterval(f"c{number}", "GPU-0", "alice", 1.0, begun, begun + HOUR)
                for number in range(4)
            ]
        )
    for _ in range(6):
        assert told(all_time, ledger) == told(AllTime(clock), ledger)
        fold(ledger, clock)
    (alice,) = told(all_time, ledger)
    assert alice.held_microseconds == 4 * HOUR // timedelta(microseconds=1)


def test_days_are_read_again_where_the_books_were_never_put_together() -> None:
    clock, ledger = FakeClock(), Watched()
    all_time = AllTime(clock)
    for day in range(3):
        with ledger.transaction() as transaction:
            booked = Booking(ALICE, clock.now() - day * DAY, Amount(held_microseconds=7))
            transaction.book_usage(Grain.DAY, [booked])
        (alice,) = told(all_time, ledger)
        assert alice.held_microseconds == 7 * (day + 1)
