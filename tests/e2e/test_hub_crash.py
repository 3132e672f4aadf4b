"""A hub is killed while servers run, start and are being made; one crash, many consequences.

The hub is one of their own: what takes as long as a reservation lives is looked at when the
tests of the shared hub have run (`late`, see conftest).
"""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from ds01_spawner.operations.allocation.admission import RESERVATION_LIFETIME
from e2e.hub import Hub, Person, docker, eventually
from integration.engine_proxy import Mode

FORGOTTEN_SECONDS = RESERVATION_LIFETIME.total_seconds() + 20.0
"""A reservation's lifetime and a few passes of the culler."""


@dataclass(frozen=True)
class Crash:
    """What was when the hub was killed.

    Attributes:
        running: Had a server.
        busy: Had a server that could not answer.
        stopped: Had stopped a server; its holds, of seconds, had not ended.
        reserved: Had a slot reserved and no container yet.
        created: Had a container that had not been started.
        started: Had a container that ran, which the hub had not been told.
        before: Container id and slot of each person's server at that moment.
        busy_looks: How often the engine had been asked about the busy server.
    """

    hub: Hub
    running: Person
    busy: Person
    stopped: Person
    reserved: Person
    created: Person
    started: Person
    before: dict[str, tuple[str, str]]
    busy_looks: int

    @property
    def lost(self) -> tuple[Person, ...]:
        return self.stopped, self.reserved, self.created, self.started


def looks_at(hub: Hub, person: Person) -> int:
    return sum(f"/containers/{person.container()}/json" in asked for asked in hub.proxy.requests)


def signal_server(person: Person, number: signal.Signals) -> None:
    for pid in docker("top", person.container(), "-eo", "pid,comm").splitlines()[1:]:
        if "jupyter" in pid or "python" in pid:
            os.kill(int(pid.split()[0]), number)


@pytest.fixture(scope="session")
def crash(new_hub: Callable[..., Hub], living: dict[str, Hub]) -> Crash:
    hub = living["crash"] = new_hub()
    names = ("run", "busy", "brisk", "reserved", "created", "started")
    running, busy, stopped, reserved, created, started = map(hub.person, names)
    with ThreadPoolExecutor(3) as asking:
        for person in (running, busy, stopped):
            person.start(gpu="mig")
        stopped.stop()
        signal_server(busy, signal.SIGSTOP)
        hub.proxy.rule(f"POST /containers/create.*{reserved.name}", Mode.DELAY, 300)
        asking.submit(reserved.ask, gpu="mig")
        eventually(lambda: any(reserved.name in asked for asked in hub.proxy.requests))
        hub.proxy.rule("POST /containers/.*/start", Mode.LATE, 300)
        asking.submit(started.ask, gpu="mig")
        eventually(lambda: started.inspect().get("State", {}).get("Running"))
        hub.proxy.rule("POST /containers/.*/start", Mode.DELAY, 300)
        asking.submit(created.ask, gpu="mig")
        eventually(lambda: _start_is_held(hub, created))
        before = {
            person.name: (person.container_id(), person.slot())
            for person in (running, busy, created, started)
        }
        hub.kill()
    hub.proxy.clear()
    looks = looks_at(hub, busy)
    hub.start()
    return Crash(hub, running, busy, stopped, reserved, created, started, before, looks)


def _start_is_held(hub: Hub, person: Person) -> bool:
    inspected = person.inspect()
    return bool(inspected) and any(
        f"/containers/{inspected['Id']}/start" in asked for asked in hub.proxy.requests
    )


def test_running_server_is_adopted(crash: Crash) -> None:
    person = crash.running
    assert person.ready() == crash.before[person.name][0]
    assert person.slot() == crash.before[person.name][1]
    assert eventually(person.answers)


def test_server_too_busy_to_answer_is_not_stopped(crash: Crash) -> None:
    person = crash.busy
    eventually(
        lambda: looks_at(crash.hub, person) >= crash.busy_looks + 3,
        what="the new hub has looked at the busy server a few times",
    )
    assert person.server(), "the hub still has it"
    assert person.inspect()["State"]["Running"]
    signal_server(person, signal.SIGCONT)
    assert person.ready() == crash.before[person.name][0]
    assert eventually(person.answers)


def test_one_culler_is_left(crash: Crash) -> None:
    eventually(lambda: len(crash.hub.processes("ds01_spawner.culler")) == 1)


@pytest.mark.late
def test_no_slot_is_lost_and_no_container_is_orphaned(crash: Crash) -> None:
    alive = {crash.before[person.name][0] for person in (crash.running, crash.busy)}
    eventually(
        lambda: set(crash.hub.containers()) == alive,
        FORGOTTEN_SECONDS,
        what="only the two servers' containers are left",
    )
    taken = {crash.before[person.name][1] for person in (crash.running, crash.busy)}
    eventually(
        lambda: {slot for slot, use in crash.hub.look().items() if use["state"] != "free"} == taken,
        what="only the two servers' slots are taken",
    )
    for person in crash.lost:
        assert not person.server()
    assert crash.hub.events("cleanup.stale", crash.stopped.name)
    for person in (crash.created, crash.started):
        assert crash.hub.events("cleanup.orphan", person.name)


@pytest.mark.late
def test_who_was_interrupted_can_start_again(crash: Crash) -> None:
    crash.created.start(gpu="mig")
    assert eventually(crash.created.answers)
