"""The books of a generated month, with crashes in it, against what its event log tells."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ds01_spawner.adapters.event_file import EventFile
from ds01_spawner.adapters.event_tail import EventTail
from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.domain.usage import Amount, Grain, UsageMark
from ds01_spawner.domain.usage_report import By, Period
from ds01_spawner.domain.usage_series import Step
from ds01_spawner.domain.work import LONGEST_GAP
from ds01_spawner.operations.usage.books import put_old_together
from ds01_spawner.operations.usage.report import Question, Reports
from ds01_spawner.ports import Ledger
from fakes.clock import EPOCH, FakeClock
from fakes.ledger import FakeLedger
from fakes.usage_month import BUSY, MONTH, PEOPLE, WATTS, Month, Service, clipped

MICRO = timedelta(microseconds=1)
BEGIN, END = EPOCH - timedelta(days=1), EPOCH + timedelta(days=400)
FIRST = Grain.DAY.begin_of(EPOCH)


def booked(
    ledger: Ledger, user: str, begin: datetime = BEGIN, end: datetime = END
) -> dict[tuple[str, float], Amount]:
    """Amounts of a person by the shape of the slot."""
    with ledger.transaction() as transaction:
        parts = [
            *transaction.usage_booked(begin, end, user),
            *transaction.usage_held(begin, end, user),
        ]
    found: dict[tuple[str, float], Amount] = {}
    for holder, amount in parts:
        key = holder.profile, holder.gpu_equivalents
        found[key] = found.get(key, Amount()) + amount
    return found


def total(ledger: Ledger, user: str, begin: datetime = BEGIN, end: datetime = END) -> Amount:
    return sum(booked(ledger, user, begin, end).values(), Amount())


def fold_at(ledger: Ledger, now: datetime) -> None:
    with ledger.transaction() as transaction:
        put_old_together(transaction, UsageMark(""), now)


def seen(month: Month, user: str, *, whole: bool = False) -> int:
    """Microseconds that the passes saw; with `whole`, what a pass ended and on whole cards."""
    return sum(
        (end - begin) // MICRO
        for run in month.runs
        if run.user == user and (run.slot.is_full or not whole)
        for begin, end, by_pass in month.looks_in(run)
        if end - begin <= LONGEST_GAP and (by_pass or not whole)
    )


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
@example(4872)  # a restart within seconds of the grant
@example(10434)  # an end that is told a week after the guess
def test_totals_are_those_of_the_event_log_before_and_after_they_are_put_together(
    seed: int,
) -> None:
    month = Month(seed)
    ledger = FakeLedger()
    Service(month, ledger).run()
    hold_totals_to_the_log(month, ledger)


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10**6))
@example(1)  # the log was rotated between the first pass and the second
@example(3)
@example(10434)
def test_so_they_are_with_the_ledger_and_the_log_of_the_platform(seed: int) -> None:
    month = Month(seed)
    with TemporaryDirectory() as folder:
        ledger, log = SqliteLedger(Path(folder, "ledger.sqlite")), EventFile(Path(folder, "log"))
        Service(month, ledger, log, EventTail(log.path)).run()
        hold_totals_to_the_log(month, ledger)
        ledger.close()


def hold_totals_to_the_log(month: Month, ledger: Ledger) -> None:
    days = [FIRST + timedelta(days=day) for day in (0, 1, 7, 12, 30)]
    for months_later in (0, 1, 2, 4, 12):
        if months_later:
            fold_at(ledger, EPOCH + 2 * MONTH + months_later * MONTH)
        for user in PEOPLE:
            assert total(ledger, user).held_microseconds == clipped(month.runs, user, BEGIN, END)
            for begin, end in pairwise(days):
                held = total(ledger, user, begin, end).held_microseconds
                assert held == clipped(month.runs, user, begin, end)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_gaps_are_known_as_gaps_and_nothing_is_said_of_them(seed: int) -> None:
    month = Month(seed)
    ledger = FakeLedger()
    Service(month, ledger).run()
    for later in (timedelta(0), MONTH, 12 * MONTH):
        if later:
            fold_at(ledger, EPOCH + 2 * MONTH + later)
        for user in PEOPLE:
            found = total(ledger, user)
            gap = found.held_microseconds - found.seen_microseconds
            expected = clipped(month.runs, user, BEGIN, END) - seen(month, user)
            assert gap == expected
            assert 0 <= found.measured_microseconds <= found.seen_microseconds
            assert found.metered_microseconds <= found.seen_microseconds


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_what_cards_do_not_tell_is_not_made_up(seed: int) -> None:
    month = Month(seed)
    ledger = FakeLedger()
    Service(month, ledger).run()
    fold_at(ledger, EPOCH + 5 * MONTH)
    for user in PEOPLE:
        whole = seen(month, user, whole=True)
        for (profile, equivalents), found in booked(ledger, user).items():
            if profile == "full":
                assert found.measured_microseconds == whole
                assert found.busy_microseconds == pytest.approx(BUSY * whole, abs=10_000)
            elif profile:
                assert (found.measured_microseconds, found.busy_microseconds) == (0, 0)
            metered = found.metered_microseconds
            expected = WATTS * equivalents * metered / 1000
            assert found.energy_millijoules == pytest.approx(expected, rel=1e-3, abs=2000)
            assert found.rated_millijoules == found.energy_millijoules


def test_each_day_of_a_series_is_that_of_the_log_before_and_after_it_is_put_together(
    tmp_path: Path,
) -> None:
    month = Month(11)
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    Service(month, ledger).run()
    clock = FakeClock(EPOCH + 2 * MONTH)
    since, until = FIRST - timedelta(days=1), FIRST + MONTH + timedelta(days=5)
    for months_later in (0, 1, 2, 12):
        clock.advance(months_later * MONTH)
        if months_later:
            with ledger.transaction() as transaction:
                mark = put_old_together(transaction, UsageMark(""), clock.now())
                transaction.put_usage_mark(mark)
        reports = Reports(clock=clock, ledger=ledger)
        for user in (*PEOPLE, None, None):  # everybody's is remembered the second time
            asked = Question(By.USER, Period.ALL, user, since, until)
            found = reports.series(asked, Step.DAY)
            for day in found.parts:
                users = [user] if user else PEOPLE
                held = sum(clipped(month.runs, each, day.begin, day.end) for each in users)
                assert day.used.amount.held_microseconds == held
            assert found.total.amount == reports.report(asked).total.amount
    ledger.close()


def test_the_real_ledger_and_the_real_log_say_the_same(tmp_path: Path) -> None:
    month, again = Month(7), Month(7)
    real, fake = SqliteLedger(tmp_path / "ledger.sqlite"), FakeLedger()
    log = EventFile(tmp_path / "events.jsonl")
    Service(month, real, log, EventTail(log.path)).run()
    assert log.path.with_name("events.jsonl.4").exists(), "it was rotated meanwhile"
    Service(again, fake).run()
    for later in (0, 1, 2, 12):
        if later:
            fold_at(real, EPOCH + (2 + later) * MONTH)
            fold_at(fake, EPOCH + (2 + later) * MONTH)
        for user in PEOPLE:
            assert booked(real, user) == booked(fake, user)
            span = FIRST + timedelta(days=3), FIRST + timedelta(days=17)
            assert booked(real, user, *span) == booked(fake, user, *span)
    with real.transaction() as transaction:
        assert transaction.usage_since(EPOCH) == []
        assert transaction.bookings_before(Grain.HOUR, END) == []
        assert transaction.bookings_before(Grain.DAY, END) != []
    real.close()
