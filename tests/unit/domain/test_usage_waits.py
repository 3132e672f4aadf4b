from datetime import timedelta

import pytest

from ds01_spawner.domain.event import Event
from ds01_spawner.domain.usage import Amount, Booking, Holder
from ds01_spawner.domain.usage_waits import waits
from fakes.clock import EPOCH
from fakes.probe import small_lab

HOUR = timedelta(hours=1)
SLOTS = small_lab().slots
SECOND = 1_000_000


def event(action: str, waited: object, **details: object) -> Event:
    said = {"waited_seconds": waited, **details}
    return Event(EPOCH, "alice", action, "0,1", "hub", "hub", details=said)


def allocated(waited: object, **details: object) -> Event:
    return event("gpu.allocate", waited, uuids=["a", "b"], equivalents=2.0, **details)


def counted(*events: Event) -> list[Booking]:
    """What is booked beside what was waited for."""
    return [each for each in waits(events, SLOTS) if not each.amount.queued_microseconds]


def queued(*events: Event) -> list[Booking]:
    return [each for each in waits(events, SLOTS) if each.amount.queued_microseconds]


def test_waits_are_counted_when_they_end() -> None:
    short, long, odd = counted(
        allocated(0.02), allocated(90.5, group="student", project="p"), allocated("nan")
    )
    assert short.amount == Amount(grants=1)
    assert (long.amount.waits, long.amount.waited_microseconds) == (1, 90_500_000)
    assert long.holder == Holder("alice", "student", "p", "hub", "", 1.0)
    assert odd.amount == Amount(grants=1)
    failed = Event(EPOCH, "a", "gpu.allocate", "0", "hub", "hub", "failed")
    assert list(waits([failed, event("gpu.queue", 5)], SLOTS)) == []


@pytest.mark.parametrize("action", ["gpu.unqueue", "cleanup.ticket"])
def test_who_gave_up_is_counted_apart(action: str) -> None:
    (found,) = counted(event(action, 60, size="full", count=2, group="student"))
    assert found.amount == Amount(gave_up=1, gave_up_microseconds=60 * SECOND)
    assert found.holder == Holder("alice", "student", "", "hub", "full", 1.0)
    assert counted(event(action, 0.5, size="full", count=1)) == []


def test_what_was_waited_for_is_in_all_hours_of_the_wait() -> None:
    found = queued(event("cleanup.ticket", 3 * 3600, size="full", count=2))
    assert [each.begin for each in found] == [EPOCH - hour * HOUR for hour in (3, 2, 1)]
    assert {each.amount.queued_microseconds for each in found} == {2 * 3600 * SECOND}
    given = queued(allocated(60))
    assert sum(each.amount.queued_microseconds for each in given) == 2 * 60 * SECOND


def test_of_several_sizes_that_would_do_the_smallest_was_waited_for() -> None:
    (found,) = queued(event("gpu.unqueue", 60, size="mig", count=1))
    least = min(slot.equivalents for slot in SLOTS)
    assert found.holder.gpu_equivalents == pytest.approx(least, abs=1e-4)
    assert found.holder.profile == "1g.5gb"


@pytest.mark.parametrize("size", ["", "huge", None, "99gb"])
def test_of_a_size_that_nobody_knows_only_the_wait_counts(size: object) -> None:
    found = event("gpu.unqueue", 60, size=size, count="x")
    assert counted(found)[0].amount.gave_up == 1
    assert queued(found)[0].holder.gpu_equivalents == 0


@pytest.mark.parametrize("waited", ["", None, -5, "inf", 10**9, True])
def test_a_wait_that_cannot_be_is_none(waited: object) -> None:
    assert queued(allocated(waited)) in ([], queued(allocated(1)))
    assert counted(allocated(waited))[0].amount.grants == 1
