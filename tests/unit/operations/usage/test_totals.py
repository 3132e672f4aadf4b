"""Totals of all time are told as counters: exact, the same however they are kept, and they grow."""

from collections.abc import Mapping
from dataclasses import astuple, replace
from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder, UsageMark
from ds01_spawner.domain.usage_totals import UsageTotal
from ds01_spawner.operations.usage.all_time import AllTime
from ds01_spawner.operations.usage.books import put_old_together
from ds01_spawner.ports import Ledger
from fakes.clock import EPOCH, FakeClock
from fakes.ledger import FakeLedger
from fakes.usage_month import MONTH, Month, Service

DAY = timedelta(days=1)
MICRO = timedelta(microseconds=1)
SHARES = (0.1429, 0.2857, 0.4286, 1 / 7, 2 / 7, 3 / 7, 1.0)

intervals = st.builds(
    lambda number, who, share, begin, length: UsageInterval(
        f"c{number}",
        "MIG-1",
        who[0],
        share,
        EPOCH + begin * MICRO,
        EPOCH + (begin + length) * MICRO,
        group=who[1],
        project=f"p{number % 3}",
        profile="full" if share == 1.0 else "part",
    ),
    st.integers(0, 10**6),
    st.sampled_from([("alice", "student"), ("alice", ""), ("bob", "student")]),
    st.sampled_from(SHARES),
    st.integers(0, 30 * DAY // MICRO),
    st.integers(1, 5 * DAY // MICRO),
)


def totals(ledger: Ledger) -> Mapping[tuple[str, str], UsageTotal]:
    with ledger.reading() as reading:
        return {(each.user, each.group): each for each in AllTime(FakeClock()).totals(reading)}


def fallen(
    before: Mapping[tuple[str, str], UsageTotal], after: Mapping[tuple[str, str], UsageTotal]
) -> list[UsageTotal]:
    return [
        total
        for who, total in before.items()
        if who not in after
        or any(
            now < then
            for then, now in zip(astuple(total)[2:], astuple(after[who])[2:], strict=True)
        )
    ]


def put_together_until(ledger: Ledger, now: datetime) -> None:
    with ledger.transaction() as transaction:
        put_old_together(transaction, UsageMark(""), now)


@settings(max_examples=25, deadline=None)
@given(kept=st.lists(intervals, max_size=40, unique_by=lambda each: each.container_id))
def test_totals_are_exact_and_no_day_on_which_they_are_put_together_changes_them(
    kept: list[UsageInterval], tmp_path_factory: pytest.TempPathFactory
) -> None:
    real = SqliteLedger(tmp_path_factory.mktemp("ledger") / "ledger.sqlite")
    fake = FakeLedger()
    for ledger in (real, fake):
        with ledger.transaction() as transaction:
            transaction.put_usage(kept)
    before = totals(real)
    assert before == totals(fake)
    for (user, group), total in before.items():
        held: dict[float, int] = {}
        for each in kept:
            if (each.user, each.group) == (user, group) and each.ended_at is not None:
                length = (each.ended_at - each.started_at) // MICRO
                held[each.gpu_equivalents] = held.get(each.gpu_equivalents, 0) + length
        assert total.held_microseconds == sum(held.values())
        weighed = [round(length * Fraction(share)) for share, length in held.items()]
        assert total.equivalent_microseconds == sum(weighed)
    for day in range(30, 90, 3):
        put_together_until(real, EPOCH + day * DAY)
        assert totals(real) == before
    real.close()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
@example(3)  # an end is told that was earlier than the pass that missed it
@example(9)
def test_totals_of_a_month_never_fall_from_one_pass_to_the_next(seed: int) -> None:
    before: dict[str, Mapping[tuple[str, str], UsageTotal]] = {"": {}}

    class Watched(FakeLedger):
        def check(self) -> None:
            now = totals(self)
            assert fallen(before[""], now) == []
            before[""] = now

    ledger = Watched()
    service = Service(Month(seed), ledger, after_pass=ledger.check)
    service.run()
    for later in range(1, 13):
        put_together_until(ledger, EPOCH + later * MONTH)
        ledger.check()


def test_energy_of_a_busy_hour_is_of_slots_that_tell_both() -> None:
    ledger = FakeLedger()
    whole = Holder("alice", "student", profile="full", gpu_equivalents=1.0)
    part = replace(whole, profile="7g.40gb")
    told = Amount(held_microseconds=9, measured_microseconds=8, energy_millijoules=50)
    with ledger.transaction() as transaction:
        transaction.book_usage(Grain.HOUR, [Booking(whole, EPOCH, told)])
        untold = Amount(held_microseconds=9, energy_millijoules=70)
        transaction.book_usage(Grain.HOUR, [Booking(part, EPOCH, untold)])
    (alice,) = totals(ledger).values()
    assert (alice.energy_millijoules, alice.measured_millijoules) == (120, 50)
    assert (alice.held_microseconds, alice.equivalent_microseconds) == (18, 18)
