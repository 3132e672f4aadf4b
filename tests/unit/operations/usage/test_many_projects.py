"""Somebody who calls every container's project something else, in the books."""

import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder, UsageMark
from ds01_spawner.domain.usage_projects import MOST_PROJECTS, OTHER, month_of
from ds01_spawner.domain.usage_report import By, Period
from ds01_spawner.operations.usage.books import put_old_together
from ds01_spawner.operations.usage.report import Question, Reports
from ds01_spawner.ports import Ledger
from fakes.clock import EPOCH, FakeClock
from fakes.ledger import FakeLedger

DAY = timedelta(days=1)
SPAN = 70
PEOPLE = ("alice", "bob")
BEGIN, END = EPOCH - 400 * DAY, EPOCH + 800 * DAY
Months = dict[tuple[str, str, datetime], int]


@dataclass
class Lab:
    """Two people and hundreds of names; what they did, and their books.

    Attributes:
        ledger: The books.
        seed: What it is made of.
        names: How many names there are.
    """

    ledger: Ledger
    seed: int
    names: int = 400

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.intervals = tuple(self._interval(number) for number in range(500))
        with self.ledger.transaction() as transaction:
            transaction.put_usage(self.intervals)
            transaction.book_usage(Grain.HOUR, map(self._grant, self.intervals))

    def _interval(self, number: int) -> UsageInterval:
        begin = EPOCH + SPAN * DAY * self.random.random()
        end = begin + self.random.choice([2, 300, 3000]) * timedelta(minutes=self.random.random())
        project = f"p{self.random.randrange(self.names)}" if self.random.random() < 0.95 else ""
        user = self.random.choice(PEOPLE)
        weight, profile = self.random.choice([(1.0, "full"), (2 / 7, "2g.10gb")])
        return UsageInterval(
            str(number), "GPU", user, weight, begin, end, project=project, profile=profile
        )

    @staticmethod
    def _grant(of: UsageInterval) -> Booking:
        holder = Holder(of.user, project=of.project, profile=of.profile, gpu_equivalents=1.0)
        return Booking(holder, of.started_at, Amount(grants=1, seen_microseconds=7))

    def totals(self) -> dict[tuple[str, str, float], Amount]:
        """By everything but the project."""
        with self.ledger.transaction() as transaction:
            parts = [
                *transaction.usage_booked(BEGIN, END),
                *transaction.usage_held(BEGIN, END),
            ]
        found: dict[tuple[str, str, float], Amount] = {}
        for holder, amount in parts:
            key = holder.user, holder.profile, holder.gpu_equivalents
            found[key] = found.get(key, Amount()) + amount
        return found

    def put_together(self) -> Iterator[datetime]:
        """Day after day, with days on which the service was down, until everything is days."""
        now = EPOCH
        while now < EPOCH + (SPAN + 60) * DAY:
            now += self.random.choice([1, 1, 2, 9]) * DAY
            with self.ledger.transaction() as transaction:
                put_old_together(transaction, UsageMark(""), now)
            yield now

    def days(self) -> Months:
        """Microseconds by person, project and month, of what is kept as days."""
        found: Months = defaultdict(int)
        with self.ledger.transaction() as transaction:
            for each in transaction.bookings_before(Grain.DAY, END):
                place = each.holder.user, each.holder.project, month_of(each.begin)
                found[place] += each.amount.held_microseconds
        return dict(found)

    def truth(self) -> Months:
        """The same of what they did."""
        found: Months = defaultdict(int)
        for each in self.intervals:
            assert each.ended_at is not None
            begin = each.started_at
            while begin < each.ended_at:
                end = min(each.ended_at, month_of(month_of(begin) + 32 * DAY))
                place = each.user, each.project, month_of(begin)
                found[place] += (end - begin) // timedelta(microseconds=1)
                begin = end
        return dict(found)


def check_names(lab: Lab) -> None:
    """Of each person's month few names are kept, each with all that it had."""
    kept, truth = lab.days(), lab.truth()
    assert any(project == OTHER for _, project, _ in kept)
    for user, month in {(user, month) for user, _, month in truth}:
        names = {project for who, project, when in kept if (who, when) == (user, month)}
        assert len(names - {"", OTHER}) <= MOST_PROJECTS
        for project in names - {OTHER}:
            assert kept[user, project, month] == truth[user, project, month]
    for user in PEOPLE:
        assert sum(held for (who, *_), held in kept.items() if who == user) == sum(
            held for (who, *_), held in truth.items() if who == user
        )


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_hundreds_of_names_become_few_and_no_total_changes(seed: int) -> None:
    lab = Lab(FakeLedger(), seed)
    before = lab.totals()
    for _ in lab.put_together():
        assert lab.totals() == before
    check_names(lab)


def test_the_real_ledger_says_the_same_and_keeps_no_name_that_nothing_is_booked_of(
    tmp_path: Path,
) -> None:
    lab, fake = Lab(SqliteLedger(tmp_path / "ledger.sqlite"), 5), Lab(FakeLedger(), 5)
    before = lab.totals()
    for _ in zip(lab.put_together(), fake.put_together(), strict=True):
        assert lab.totals() == before
    check_names(lab)
    assert lab.days() == fake.days()
    lab.ledger.close()  # type: ignore[attr-defined]
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as file:
        known = {name for (name,) in file.execute("SELECT project FROM usage_holders")}
    assert known == {project for _, project, _ in fake.days()}


@pytest.mark.parametrize("names", [1, MOST_PROJECTS])
def test_who_has_few_projects_keeps_all_of_them(names: int) -> None:
    lab = Lab(FakeLedger(), 3, names)
    for _ in lab.put_together():
        pass
    assert {key: held for key, held in lab.days().items() if held} == lab.truth()


def test_a_report_says_what_is_together() -> None:
    lab = Lab(FakeLedger(), 1)
    reports = Reports(clock=FakeClock(EPOCH + (SPAN + 60) * DAY), ledger=lab.ledger)
    asked = Question(By.PROJECT, Period.ALL)
    before = reports.report(asked)
    assert OTHER not in {row.name for row in before.rows}
    assert not any(OTHER in note for note in before.notes)
    for _ in lab.put_together():
        pass
    found = reports.report(asked)
    assert OTHER in {row.name for row in found.rows}
    assert found.total.amount == before.total.amount
    (note,) = (note for note in found.notes if OTHER in note)
    assert str(MOST_PROJECTS) in note
    people = reports.report(Question(By.USER, Period.ALL))
    assert not any(OTHER in note for note in people.notes)
