import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.operations.allocation.observe import Observer
from fakes.clock import FakeClock
from fakes.engine import FakeEngine
from fakes.facts import foreign_container
from fakes.lab import TickingClock
from fakes.probe import FakeProbe

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> FakeClock:
    return TickingClock()


@pytest.fixture
def engine(clock: FakeClock) -> FakeEngine:
    return FakeEngine(clock)


@pytest.fixture
def observer(clock: FakeClock, engine: FakeEngine) -> Observer:
    return Observer(clock, engine, FakeProbe())


def readings(engine: FakeEngine) -> int:
    return [method for method, _ in engine.calls].count("containers")


def test_a_snapshot_holds_what_engine_and_driver_show(
    observer: Observer, engine: FakeEngine
) -> None:
    engine.put(foreign_container())
    snapshot = observer.snapshot()
    assert [one.name for one in snapshot.containers] == ["train"]
    assert len(snapshot.inventory.slots) == len(snapshot.activity) == 12


def test_a_decision_reads_anew(observer: Observer, engine: FakeEngine, clock: FakeClock) -> None:
    first = observer.snapshot()
    clock.advance(SECOND)
    engine.put(foreign_container())
    assert observer.snapshot().taken_at > first.taken_at
    assert readings(engine) == 2


def test_a_poll_is_content_with_a_recent_reading(
    observer: Observer, engine: FakeEngine, clock: FakeClock
) -> None:
    first = observer.snapshot()
    clock.advance(SECOND)
    assert observer.snapshot(2 * SECOND) is first
    clock.advance(SECOND)
    assert observer.snapshot(2 * SECOND) is not first
    assert readings(engine) == 2


def test_a_reading_from_the_future_is_not_believed(
    observer: Observer, engine: FakeEngine, clock: FakeClock
) -> None:
    observer.snapshot()
    clock.advance(-timedelta(hours=1))
    observer.snapshot(SECOND)
    assert readings(engine) == 2


def test_a_reading_that_fails_is_not_remembered(observer: Observer, engine: FakeEngine) -> None:
    observer.snapshot()
    engine.stuck = True
    with pytest.raises(Unavailable):
        observer.snapshot()
    engine.stuck = False
    assert observer.snapshot()


def test_those_who_ask_while_somebody_reads_share_the_next_reading(
    observer: Observer, engine: FakeEngine
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def wait(_method: str) -> None:
        reading.set()
        assert go_on.wait(10)

    engine.on_call = wait
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(observer.snapshot)
        assert reading.wait(10)
        others = [pool.submit(observer.snapshot, 10 * SECOND) for _ in range(8)]
        go_on.set()
        snapshots = {id(each.result(10)) for each in (first, *others)}
    assert len(snapshots) == 1
    assert readings(engine) == 1
