"""Books while somebody sets the clock: no time is booked twice."""

from collections import defaultdict
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import CardPower, SlotActivity
from ds01_spawner.domain.occupancy import Snapshot
from ds01_spawner.domain.usage import Amount, Grain, UsageMark
from ds01_spawner.domain.usage_begun import start_details
from ds01_spawner.operations.usage.all_time import AllTime
from ds01_spawner.operations.usage.books import Books, put_old_together
from fakes.clock import EPOCH, FakeClock
from fakes.event_log import FakeEventLog
from fakes.ledger import FakeLedger
from fakes.probe import FakeProbe, small_lab

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
INVENTORY = small_lab()
WHOLE = next(slot for slot in INVENTORY.slots if slot.is_full)
BEFORE, AFTER = EPOCH - 2000 * DAY, EPOCH + 2000 * DAY
HOUR_LONG = 3600 * 10**6
STEPS = ("pass", "pass", "pass", "pass", "start", "stop", "crash", "set")

steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(5, 240)), min_size=5, max_size=50)
small = st.integers(-150, 150)
"""Minutes; eight of them stay below a day."""
YEAR = 365 * 24 * 60
large = st.one_of(small, st.sampled_from([-YEAR, YEAR]))


@dataclass
class Machine:
    """A card, somebody who starts and stops containers on it, and a clock that is set."""

    now: datetime = EPOCH
    running: dict[str, Container] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.ledger, self.log, self.probe = FakeLedger(), FakeEventLog(), FakeProbe(INVENTORY)
        self.probe.watts = {gpu.uuid: CardPower(100.0) for gpu in INVENTORY.gpus}
        self.books = Books(ledger=self.ledger, events=self.log, probe=self.probe, instance="here")

    def write(self, action: str, container_id: str, **details: object) -> None:
        said = {"id": container_id, **details}
        self.log.append(Event(self.now, "alice", action, "x", "hub", "hub", details=said))

    def start(self) -> None:
        self.count += 1
        marks = {
            labels.MANAGED: "true",
            labels.USER: "alice",
            labels.INTERFACE: "hub",
            labels.PROJECT: f"c{self.count}",
            labels.GPU_UUIDS: WHOLE.uuid,
            labels.GPU_EQUIVALENTS: "1",
            labels.GPU_ALLOCATED_AT: labels.format_timestamp(self.now),
        }
        key = f"c{self.count}"
        self.running[key] = Container(key, key, ContainerState.RUNNING, marks, self.now)
        self.write("container.start", key, slots=WHOLE.id, **start_details(marks))

    def stop(self, *, told: bool = True) -> None:
        for key in [*self.running][:1]:
            del self.running[key]
            if told:
                self.write("container.exit", key, ended_at=labels.format_timestamp(self.now))

    def look(self) -> None:
        busy = {WHOLE.uuid: SlotActivity(0.5)}
        self.books.keep(Snapshot(self.now, INVENTORY, busy, tuple(self.running.values())))

    def live(self, happens: list[tuple[str, int]], jumps: list[int]) -> None:
        self.look()
        sets = iter(jumps)
        for what, seconds in happens:
            self.now += timedelta(seconds=seconds)
            if what == "start":
                self.start()
            elif what in {"stop", "crash"}:
                self.stop(told=what == "stop")
            elif what == "set":
                self.now += next(sets, 0) * MINUTE
            self.look()
        while self.running:
            self.now += MINUTE
            self.stop()
            self.look()

    def totals(self) -> tuple[int, ...]:
        with self.ledger.reading() as reading:
            found = AllTime(FakeClock(self.now)).totals(reading)
        return astuple(found[0])[2:] if found else (0,) * 8

    def amounts(self) -> dict[str, Amount]:
        """Of each container."""
        found: dict[str, Amount] = defaultdict(Amount)
        with self.ledger.reading() as reading:
            parts = [*reading.usage_booked(BEFORE, AFTER), *reading.usage_held(BEFORE, AFTER)]
        for holder, amount in parts:
            found[holder.project] += amount
        return found


def check(machine: Machine) -> None:
    for later in (False, True):
        if later:
            with machine.ledger.transaction() as transaction:
                put_old_together(transaction, UsageMark(""), EPOCH + 1500 * DAY)
        for amount in machine.amounts().values():
            assert amount.busy_microseconds <= amount.measured_microseconds
            assert amount.measured_microseconds <= amount.seen_microseconds
            assert amount.metered_microseconds <= amount.seen_microseconds
            assert amount.seen_microseconds <= amount.held_microseconds


@settings(max_examples=60, deadline=None)
@given(happens=steps, jumps=st.lists(small, max_size=8))
@example([("start", 60), *[("pass", 60)] * 20, ("set", 60), ("stop", 5)], [-15])
@example([("start", 60), *[("pass", 60)] * 20, ("set", 60), ("crash", 5)], [-15])
@example([("start", 60), *[("pass", 60)] * 20, ("set", 60), *[("pass", 60)] * 30], [-15])
def test_nothing_is_booked_twice_and_no_total_falls_when_the_clock_is_set(
    happens: list[tuple[str, int]], jumps: list[int]
) -> None:
    machine = Machine()
    before = [machine.totals()]
    look = machine.look

    def watched() -> None:
        look()
        now = machine.totals()
        assert all(old <= new for old, new in zip(before[0], now, strict=True))
        before[0] = now

    machine.look = watched  # type: ignore[method-assign]
    machine.live(happens, jumps)
    with machine.ledger.reading() as reading:
        hours = reading.bookings_before(Grain.HOUR, AFTER)
    assert all(each.amount.seen_microseconds <= HOUR_LONG for each in hours)
    check(machine)


@settings(max_examples=40, deadline=None)
@given(happens=steps, jumps=st.lists(large, max_size=8))
@example([("start", 60), *[("pass", 60)] * 20, ("set", 60), *[("pass", 60)] * 30], [-YEAR])
@example([("start", 60), ("set", 60), *[("pass", 60)] * 9, ("set", 60), ("stop", 5)], [YEAR, -YEAR])
def test_what_was_seen_was_held_even_by_a_clock_that_was_years_wrong(
    happens: list[tuple[str, int]], jumps: list[int]
) -> None:
    machine = Machine()
    machine.live(happens, jumps)
    check(machine)
