from datetime import timedelta

import pytest

from ds01_spawner.domain.allocator import NothingFree
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, NoCapacity, QuotaExceeded, Refused
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.queue import Standing
from ds01_spawner.operations.audit.lines import Audit
from fakes.clock import EPOCH, FakeClock
from fakes.event_log import FakeEventLog
from fakes.facts import ticket
from fakes.lab import Lab
from fakes.probe import small_lab

SLOTS = {slot.id: slot for slot in small_lab().slots}
REQUEST = Lab().request("alice", count=2)
QUOTA = QuotaExceeded("2 of 2 in use.", "Stop one.", limit="max", used=2, asked=1, allowed=2)


@pytest.fixture
def log() -> FakeEventLog:
    return FakeEventLog()


@pytest.fixture
def audit(log: FakeEventLog) -> Audit:
    return Audit(FakeClock(), log, "hub")


def test_an_allocation_tells_slots_devices_share_and_waiting(
    audit: Audit, log: FakeEventLog
) -> None:
    audit.granted(REQUEST, [SLOTS["0:1"], SLOTS["2"]], timedelta(seconds=1.23456), "student")
    assert log.events == [
        Event(
            ts=EPOCH,
            user="alice",
            action="gpu.allocate",
            resource="0:1,2",
            actor="hub",
            interface="hub",
            outcome="ok",
            reason="",
            details={
                "container": "jupyter._.alice",
                "uuids": ["MIG-lab-0-1", "GPU-lab-2"],
                "equivalents": 1.2857,
                "profile": "2g.10gb",
                "group": "student",
                "project": "",
                "waited_seconds": 1.235,
            },
        )
    ]


def test_a_launch_without_a_gpu_is_no_allocation(audit: Audit, log: FakeEventLog) -> None:
    audit.granted(REQUEST, [], timedelta(0))
    assert log.events == []


def test_a_place_in_the_queue_tells_for_what_and_which(audit: Audit, log: FakeEventLog) -> None:
    audit.queued(REQUEST, Standing(ticket("alice"), NothingFree("Nothing."), 2, 3))
    (event,) = log.events
    assert (event.action, event.resource) == ("gpu.queue", "jupyter._.alice")
    assert event.details == {"request": "2 MIG slots", "place": 2, "length": 3}


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (QUOTA, "quota.reject"),
        (NoCapacity("Nothing is free."), "gpu.reject"),
        (Forbidden("Not for you."), "request.reject"),
        (InvalidRequest("No such thing."), "request.reject"),
    ],
)
def test_a_refusal_tells_why(audit: Audit, log: FakeEventLog, error: Refused, action: str) -> None:
    audit.refusal(REQUEST, error)
    (event,) = log.events
    assert (event.action, event.outcome, event.reason) == (action, "refused", str(error))
    figures = {"limit": "max", "used": 2, "asked": 1, "allowed": 2} if error is QUOTA else {}
    assert event.details == {"request": "2 MIG slots", "image": "image", **figures}
