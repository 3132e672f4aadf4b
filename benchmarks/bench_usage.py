"""Books a year of 200 people and asks what was used; exit 1 when a target is missed.

`python benchmarks/bench_usage.py`. The ledger is the real one. People come back: each uses GPUs on
two of three days, in one of two projects, through one of two doors, on slots of two sizes; 28 slots
are held around the clock. The last five weeks are single intervals, as they are in service.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.gpu import CardPower, Gpu, Inventory, Slot, SlotActivity
from ds01_spawner.domain.occupancy import Snapshot
from ds01_spawner.domain.usage import (
    KEEP_HOURS,
    KEEP_INTERVALS,
    Amount,
    Booking,
    Grain,
    Holder,
    UsageMark,
)
from ds01_spawner.domain.usage_report import By, Period
from ds01_spawner.operations.usage.books import Books, put_old_together
from ds01_spawner.operations.usage.report import Question, Reports
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog
from fakes.facts import container
from fakes.probe import FakeProbe, card

PEOPLE = 200
DAYS = 365
SLOTS = 28
ROUNDS = 15
QUERY_TARGET_SECONDS = 0.1
PASS_TARGET_SECONDS = 0.05
NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHOLE = 3600 * 10**6


def holder(chance: random.Random, person: int) -> Holder:
    """Whom something of a person's is booked for."""
    full = chance.random() < 0.2
    return Holder(
        user=f"person-{person:03}",
        group=f"group-{person % 5}",
        project=f"project-{person:03}-{chance.randrange(2)}",
        interface=chance.choice(["hub", "docker"]),
        profile="full" if full else "1g.5gb",
        gpu_equivalents=1.0 if full else 0.1429,
    )


def amount(held: int) -> Amount:
    """Something in every column."""
    return Amount(held, held, held, held // 3, held, held // 36_000, held // 36_000, 5, 1, 1, 9, 9)


def year(chance: random.Random) -> Iterator[tuple[Grain, Booking]]:
    """Days, then hours, then what is measured in hours of the last weeks."""
    today = Grain.DAY.begin_of(NOW)
    first_hours = today - KEEP_HOURS
    for day in range(DAYS):
        begin = today - timedelta(days=DAYS - 1 - day)
        for person in range(PEOPLE):
            if begin < first_hours and chance.random() < 2 / 3:
                yield Grain.DAY, Booking(holder(chance, person), begin, amount(WHOLE))
        if begin < first_hours:
            continue
        for hour in range(24):
            for slot in range(SLOTS):
                person = (slot * 7 + day * 11 + hour // 6) % PEOPLE
                yield (
                    Grain.HOUR,
                    Booking(holder(chance, person), begin + hour * HOUR, amount(WHOLE)),
                )


def intervals(chance: random.Random) -> Iterator[UsageInterval]:
    """The last weeks: a container every six hours on each slot."""
    begin = Grain.DAY.begin_of(NOW) - KEEP_INTERVALS
    number = 0
    while begin < NOW:
        for slot in range(SLOTS):
            number += 1
            who = holder(chance, (slot * 7 + number) % PEOPLE)
            end = begin + 6 * HOUR
            yield UsageInterval(
                container_id=f"{number:064}",
                gpu_uuid=f"GPU-{slot}",
                user=who.user,
                gpu_equivalents=who.gpu_equivalents,
                started_at=begin,
                ended_at=end if end < NOW else None,
                group=who.group,
                project=who.project,
                interface=who.interface,
                profile=who.profile,
                seen_at=min(end, NOW),
            )
        begin += 6 * HOUR


def filled(path: Path) -> SqliteLedger:
    """A ledger with a year in it."""
    chance = random.Random(7)
    ledger = SqliteLedger(path)
    bookings: dict[Grain, list[Booking]] = {Grain.HOUR: [], Grain.DAY: []}
    for grain, each in year(chance):
        bookings[grain].append(each)
    with ledger.transaction() as transaction:
        for grain, some in bookings.items():
            transaction.book_usage(grain, some)
        transaction.put_usage(list(intervals(chance)))
    return ledger


def median_seconds(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The middle of several runs."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def one_pass(ledger: SqliteLedger) -> Callable[[], object]:
    """Keeping the books in a pass over 200 running containers, 28 of them on a slot."""
    cards: tuple[Gpu, ...] = tuple(card(index, *["1g.5gb"] * 7) for index in range(4))
    inventory = Inventory("nvml", cards)
    slots: list[Slot | None] = [*inventory.slots, *[None] * (PEOPLE - len(inventory.slots))]
    containers = tuple(
        container(f"person-{number:03}", [slot] if slot else [], name=f"run-{number}")
        for number, slot in enumerate(slots)
    )
    probe = FakeProbe(inventory)
    probe.watts = {gpu.uuid: CardPower(200.0) for gpu in cards}
    log = FakeEventLog()
    books = Books(ledger=ledger, events=log, probe=probe, instance="here")
    activity = {slot.uuid: SlotActivity(0.5) for slot in inventory.slots}
    moments = (NOW + timedelta(minutes=minute) for minute in range(10_000))
    return lambda: books.keep(Snapshot(next(moments), inventory, activity, containers))


def main() -> int:
    """Measure, print a table, and say whether the targets are met."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        ledger = filled(path)
        reports = Reports(clock=FakeClock(NOW), ledger=ledger)
        questions = {
            "a year of everybody, by person": Question(By.USER, Period.YEAR),
            "a year of everybody, by project": Question(By.PROJECT, Period.YEAR),
            "a month of everybody": Question(By.USER, Period.MONTH),
            "a week of everybody": Question(By.GROUP, Period.WEEK),
            "a year of one person": Question(By.PROJECT, Period.YEAR, "person-042"),
        }
        series = {
            "a year of everybody, week by week": Question(By.USER, Period.YEAR),
            "a month of everybody, day by day": Question(By.USER, Period.MONTH),
            "a year of one person, by week": Question(By.USER, Period.YEAR, "person-042"),
        }
        found = {
            name: median_seconds(partial(ask, asked))
            for ask, some in ((reports.report, questions), (reports.series, series))
            for name, asked in some.items()
        }
        with ledger.transaction() as transaction:
            transaction.put_usage_mark(UsageMark("", NOW))
        asked = series["a year of everybody, week by week"]
        found["… the second time on a day"] = median_seconds(partial(reports.series, asked))
        size = sum(each.stat().st_size for each in Path(folder).iterdir()) / 1e6
        step = one_pass(ledger)
        step()
        keeping = median_seconds(step)
        with ledger.transaction() as transaction:
            folding = median_seconds(
                lambda: put_old_together(transaction, UsageMark(""), NOW + timedelta(days=1)), 1
            )
        ledger.close()
    print(f"a year of {PEOPLE} people, {size:.0f} MB of ledger")
    for name, seconds in found.items():
        print(f"  {name:<34}{seconds * 1e3:>8.1f} ms   target {QUERY_TARGET_SECONDS * 1e3:.0f} ms")
    print(
        f"  {'the books of a pass, 200 containers':<34}{keeping * 1e3:>7.1f} ms"
        f"   target {PASS_TARGET_SECONDS * 1e3:.0f} ms"
    )
    print(f"  {'putting a day together, once a day':<34}{folding * 1e3:>8.1f} ms")
    met = max(found.values()) < QUERY_TARGET_SECONDS and keeping < PASS_TARGET_SECONDS
    print("  targets met" if met else "  TARGET MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
