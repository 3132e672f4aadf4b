from datetime import timedelta

import pytest

from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder, UsageMark
from ds01_spawner.domain.usage_report import By, Period
from ds01_spawner.domain.usage_series import Step
from ds01_spawner.domain.work import PassMark
from ds01_spawner.operations.usage.report import Question, Reports
from fakes.clock import FakeClock
from fakes.ledger import FakeLedger

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WEEK = Question(By.USER, Period.WEEK)
ALICE, BOB = Holder("alice", gpu_equivalents=1.0), Holder("bob", gpu_equivalents=0.5)


def held(hours: float) -> Amount:
    return Amount(held_microseconds=round(hours * 3600 * 10**6))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(clock: FakeClock) -> FakeLedger:
    """Four days of Alice's as a day, as hours, and as what still lasts; Bob's in between."""
    ledger = FakeLedger()
    today = Grain.DAY.begin_of(clock.now())
    with ledger.transaction() as transaction:
        transaction.book_usage(Grain.DAY, [Booking(ALICE, today - 3 * DAY, held(10))])
        transaction.book_usage(
            Grain.HOUR,
            [Booking(ALICE, today - 2 * DAY + 5 * HOUR, held(1)), Booking(BOB, today, held(0.5))],
        )
        begun = today - 12 * HOUR
        transaction.put_usage([UsageInterval("c", "GPU-0", "alice", 1.0, begun)])
        transaction.put_pass_mark(PassMark("boot", clock.now(), 5.0))
    return ledger


def reports(clock: FakeClock, ledger: FakeLedger) -> Reports:
    return Reports(clock=clock, ledger=ledger, source=lambda: "the supplier")


def test_days_hours_and_what_lasts_make_one_series(clock: FakeClock, ledger: FakeLedger) -> None:
    found = reports(clock, ledger).series(WEEK)
    today = (clock.now() - Grain.DAY.begin_of(clock.now())) / HOUR
    hours = [each.used.gpu_hours for each in found.parts]
    assert hours == pytest.approx([0, 0, 0, 10, 1, 12, today + 0.5])
    assert [each.is_known for each in found.parts] == [False] * 3 + [True] * 4
    assert found.total.gpu_hours == pytest.approx(sum(hours))
    assert (found.step, found.source) == (Step.DAY, "the supplier")
    assert found.notes[0].startswith("The books begin on ")
    bob = reports(clock, ledger).series(Question(By.USER, Period.WEEK, "bob"), Step.WEEK)
    assert sum(each.used.equivalent_hours for each in bob.parts) == pytest.approx(0.25)


def test_a_series_and_a_report_have_the_same_total(clock: FakeClock, ledger: FakeLedger) -> None:
    asked = reports(clock, ledger)
    for period in Period:
        question = Question(By.USER, period)
        assert asked.series(question).total.amount == asked.report(question).total.amount


def test_since_the_service_stopped_nothing_is_known(clock: FakeClock, ledger: FakeLedger) -> None:
    clock.advance(3 * DAY)
    found = reports(clock, ledger).series(WEEK)
    assert [each.is_known for each in found.parts][-2:] == [False, False]


def test_the_time_since_the_last_look_is_no_gap_until_the_next_look_is_late(
    clock: FakeClock,
) -> None:
    ledger, asked, minute = FakeLedger(), Question(By.USER, Period.ALL), timedelta(minutes=1)
    with ledger.transaction() as transaction:
        slots = [UsageInterval("c", f"GPU-{n}", "alice", 1.0, clock.now()) for n in range(9)]
        transaction.put_usage(slots)
        transaction.put_pass_mark(PassMark("boot", clock.now(), 5.0))
    clock.advance(4 * minute)
    assert reports(clock, ledger).report(asked).notes == ()
    assert "looked" not in " ".join(reports(clock, ledger).series(asked).notes)
    clock.advance(2 * minute)
    (gap,) = reports(clock, ledger).report(asked).notes
    assert gap.startswith("Of 54 minutes with a GPU, the platform did not look for 54 minutes")


def test_empty_books_say_so(clock: FakeClock) -> None:
    found = reports(clock, FakeLedger()).series(Question(By.USER, Period.ALL))
    assert found.kept_from is None
    assert "The books are empty" in found.notes[0]


def test_days_are_read_again_when_the_books_were_put_together(
    clock: FakeClock, ledger: FakeLedger
) -> None:
    asked = reports(clock, ledger)
    today = Grain.DAY.begin_of(clock.now())

    def book(folded: timedelta) -> None:
        with ledger.transaction() as transaction:
            transaction.book_usage(Grain.DAY, [Booking(ALICE, today - 2 * DAY, held(1))])
            transaction.put_usage_mark(UsageMark("", today + folded))

    total = asked.series(WEEK).total.gpu_hours
    for days in range(3):
        book(days * DAY)
        total += 1
        assert asked.series(WEEK).total.gpu_hours == pytest.approx(total)
        assert asked.series(WEEK).total.gpu_hours == pytest.approx(total)
        clock.advance(DAY)
        total += 24  # alice's lasts
