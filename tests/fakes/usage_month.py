"""A month of a lab as its event log tells it: people come and go, services crash."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from ds01_spawner.domain import labels
from ds01_spawner.domain.carbon import Rates
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import CardPower, Inventory, Slot, SlotActivity
from ds01_spawner.domain.occupancy import Snapshot
from ds01_spawner.domain.usage_begun import start_details
from ds01_spawner.operations.usage.books import Books
from ds01_spawner.ports import EventLog, EventReader, Ledger, LedgerTransaction
from fakes.clock import EPOCH
from fakes.event_log import FakeEventLog
from fakes.ledger import FakeLedger
from fakes.probe import FakeProbe, small_lab

MONTH = timedelta(days=30)
PASS = timedelta(minutes=4)
WATTS = 100.0
BUSY = 0.25
PEOPLE = ("alice", "bob", "carol", "dave")


@dataclass(frozen=True)
class Run:
    """A container ran from `begin` to `end`, as the log tells."""

    user: str
    slot: Slot
    begin: datetime
    end: datetime


@dataclass
class _Stay:
    """A container with its runs; it is removed at `gone`."""

    container_id: str
    user: str
    slot: Slot
    labels: dict[str, str]
    runs: list[tuple[datetime, datetime]]
    gone: datetime

    def shown(self, now: datetime) -> Container | None:
        first = self.runs[0][0]
        if now < first or now >= self.gone:
            return None
        live = any(begin <= now < end for begin, end in self.runs)
        ended = [end for _, end in self.runs if end <= now]
        return Container(
            self.container_id,
            f"{self.container_id}._.{self.user}",
            ContainerState.RUNNING if live else ContainerState.EXITED,
            self.labels,
            first,
            finished_at=None if live or not ended else ended[-1],
        )


@dataclass
class Month:
    """What happened, made of a number.

    Attributes:
        runs: What the log tells of who held what.
        events: The log, with the moments at which its lines were written.
        passes: When the service looked, with whether the pass came to its end.
    """

    seed: int
    inventory: Inventory = field(default_factory=small_lab)
    runs: list[Run] = field(default_factory=list)
    events: list[tuple[datetime, Event]] = field(default_factory=list)
    passes: list[tuple[datetime, bool]] = field(default_factory=list)
    stays: list[_Stay] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        for slot in self.inventory.slots:
            now = EPOCH + self._within(timedelta(days=3))
            while now < EPOCH + MONTH:
                now = self._stay(slot, now) + self._within(timedelta(days=6))
        self.events.sort(key=lambda each: each[0])
        self._look()

    def _within(self, longest: timedelta) -> timedelta:
        return timedelta(
            microseconds=self.random.randrange(1, longest // timedelta(microseconds=1))
        )

    def _stay(self, slot: Slot, begin: datetime) -> datetime:
        user = self.random.choice(PEOPLE)
        number = len(self.stays)
        marks = {
            labels.MANAGED: "true",
            labels.USER: user,
            labels.INTERFACE: "docker",
            labels.GROUP: "student",
            labels.PROJECT: f"project-{number}",
            labels.GPU_UUIDS: slot.uuid,
            labels.GPU_SLOTS: slot.id,
            labels.GPU_EQUIVALENTS: f"{slot.equivalents:.4g}",
            labels.GPU_ALLOCATED_AT: labels.format_timestamp(begin),
        }
        stay = _Stay(f"c{number}", user, slot, marks, [], begin)
        waited = self.random.choice([0.0, 0.0, 300.0])
        details = {
            "uuids": [slot.uuid],
            "equivalents": round(slot.equivalents, 4),
            "waited_seconds": waited,
            "project": marks[labels.PROJECT],
        }
        self._write(begin, "gpu.allocate", stay, details)
        for run in range(self.random.choice([1, 1, 2, 3])):
            longest = self.random.choice([timedelta(minutes=2), timedelta(hours=5), MONTH / 5])
            end = begin + timedelta(seconds=5) + self._within(longest)
            started = begin + timedelta(seconds=3) if run == 0 else begin
            said = {"slots": slot.id, "again": True, **start_details(marks)}
            self._write(started, "container.start", stay, said)
            late = self.random.choice([timedelta(0), timedelta(seconds=1), timedelta(hours=3)])
            ended = {"ended_at": labels.format_timestamp(end)}
            self._write(end + late, "container.exit", stay, ended)
            stay.runs.append((begin, end))
            self.runs.append(Run(user, slot, begin, end))
            begin = end + timedelta(seconds=1) + self._within(timedelta(hours=8))
        stay.gone = stay.runs[-1][1]
        if self.random.random() < 0.5:  # the other half is removed as it ends
            stay.gone += self._within(timedelta(hours=1))
        self.stays.append(stay)
        return max(stay.gone, stay.runs[-1][1])

    def _write(self, at: datetime, action: str, stay: _Stay, details: Mapping[str, object]) -> None:
        name = f"{stay.container_id}._.{stay.user}"
        said = details if action == "gpu.allocate" else {"id": stay.container_id, **details}
        self.events.append((at, Event(at, stay.user, action, name, "hub", "docker", details=said)))

    def _look(self) -> None:
        """The service runs for hours, is down for days, and some passes break off."""
        self.passes.append((EPOCH - PASS, True))
        now = EPOCH
        while now < EPOCH + MONTH:
            for _ in range(self.random.randrange(1, 20)):
                self.passes.append((now, self.random.random() < 0.9))
                now += PASS
            now += self._within(timedelta(days=6))
        self.passes.append((max(now, self.events[-1][0]) + PASS, True))

    def looks_in(self, run: Run) -> Iterator[tuple[datetime, datetime, bool]]:
        """What lies between a run's begin, the passes that saw it, and its end.

        Each with whether a pass ended it.
        """
        last = run.begin
        for at, works in self.passes:
            if works and run.begin < at < run.end:
                yield last, at, True
                last = at
        yield last, run.end, False


@dataclass
class Service:
    """Keeps the books of a month; each pass may be another process.

    Attributes:
        ledger: Where they are.
        log: Where the month's events are written.
        reader: Where they are read; by default the same.
        after_pass: Called after each pass.
    """

    month: Month
    ledger: Ledger = field(default_factory=FakeLedger)
    log: EventLog = field(default_factory=FakeEventLog)
    reader: EventReader | None = None
    after_pass: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._read = self.reader or cast("EventReader", self.log)
        self.probe = FakeProbe(self.month.inventory)
        self._books = self._process()

    def _process(self) -> Books:
        return Books(
            ledger=self.ledger,
            events=self._read,
            probe=self.probe,
            instance="here",
            rates=lambda: Rates(lambda _moment: 400.0),
        )

    def run(self) -> None:
        """Every pass of the month, each with what happened before it."""
        written = list(self.month.events)
        slots = self.month.inventory.slots
        whole = {slot.uuid: SlotActivity(BUSY if slot.is_full else None) for slot in slots}
        for at, works in self.month.passes:
            while written and written[0][0] <= at:
                self.log.append(written.pop(0)[1])
            told = self.month.random.random() < 0.7
            self.probe.watts = {
                gpu.uuid: CardPower(WATTS if told else None) for gpu in self.month.inventory.gpus
            }
            shown = (stay.shown(at) for stay in self.month.stays)
            snapshot = Snapshot(
                at, self.month.inventory, whole, tuple(each for each in shown if each)
            )
            if works:
                self._books.keep(snapshot)
            else:
                self._break_off(snapshot)
                self._books = self._process()
            self.after_pass()

    def _break_off(self, snapshot: Snapshot) -> None:
        broken = Books(
            ledger=_Breaking(self.ledger), events=self._read, probe=self.probe, instance="here"
        )
        try:
            broken.keep(snapshot)
        except Unavailable:
            return
        raise AssertionError("the pass should have broken off")


class _Breaking:
    """A ledger whose disk is full at the end of each transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @contextmanager
    def transaction(self) -> Iterator[LedgerTransaction]:
        with self._ledger.transaction() as transaction:
            yield transaction
            raise Unavailable("The ledger cannot be used: disk is full.")

    def reading(self) -> AbstractContextManager[LedgerTransaction]:
        return self._ledger.reading()

    def row_counts(self) -> Mapping[str, int]:
        return self._ledger.row_counts()


def clipped(runs: Sequence[Run], user: str, begin: datetime, end: datetime) -> int:
    """Microseconds that a person held slots in a period, by the log."""
    micro = timedelta(microseconds=1)
    return sum(
        max((min(run.end, end) - max(run.begin, begin)) // micro, 0)
        for run in runs
        if run.user == user
    )
