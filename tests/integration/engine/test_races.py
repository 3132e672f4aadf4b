"""Twenty processes race for twelve slots: no slot is given twice, and none is lost."""

import multiprocessing
import secrets
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Protocol

import pytest

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET, DockerEngine
from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import NoCapacity
from ds01_spawner.domain.gpu import Inventory
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import container_name, network_name
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.operations.allocation.admission import Grant
from ds01_spawner.operations.containers.launch import Progress
from ds01_spawner.ports import Engine
from fakes.clock import FakeClock
from fakes.lab import POLICY, Lab
from fakes.policy import FakePolicy
from fakes.probe import FakeProbe, card, machine
from fakes.shared_engine import SharedEngine

RACERS = 20
SLOTS = 12
ROUNDS = 1000
ROUNDS_ON_DOCKER = 50
PATIENCE_SECONDS = 120
A_LONG_TIME = timedelta(minutes=20)
FORK = multiprocessing.get_context("fork")


class SharedClock(FakeClock):
    """The real time, moved on by as much as the test says, for all processes alike."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = FORK.Value("d", 0.0)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._seconds.value)

    def advance(self, span: timedelta) -> None:
        self._seconds.value += span.total_seconds()


class OpenedEngine(Engine, Protocol):
    """An engine that a process has opened for itself."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Course:
    """Where a race is run.

    Attributes:
        open_engine: Opens the engine, in each process anew.
        ledger: The shared ledger.
        inventory: The GPUs.
        image: What runs.
        prefix: Begins the names of the people, so that two races share nothing.
        clock: The shared clock.
    """

    open_engine: Callable[[], OpenedEngine]
    ledger: Path
    inventory: Inventory
    image: str
    prefix: str
    clock: SharedClock

    def person(self, number: int) -> str:
        return f"{self.prefix}{number:02}"

    def open(self) -> tuple[Lab, OpenedEngine]:
        """The platform of one process."""
        engine = self.open_engine()
        lab = Lab(
            policy=FakePolicy(POLICY.replace("15m", "5m")),
            probe=FakeProbe(self.inventory),
            ledger=SqliteLedger(self.ledger, lock_timeout_seconds=60),
            clock=self.clock,
        )
        lab.resolve_image = lambda _user, _group, _text: self.image
        lab.engine = engine  # type: ignore[assignment]
        lab.restart()
        return lab, engine

    def present(self, engine: Engine) -> list[Container]:
        """The containers of this race."""
        return [
            one
            for one in engine.containers()
            if one.labels.get(labels.USER, "").startswith(self.prefix)
        ]


Plan = Callable[[int, int], str]
"""What a racer (second) does in a round (first): `remove`, `stop`, `stay` or `die`."""


@dataclass(frozen=True)
class Outcome:
    """How one racer fared in one round: `got` slots, or none."""

    racer: int
    got: tuple[str, ...]
    launched: bool = False
    fault: str = ""


def race(  # noqa: PLR0917 - what a process is given
    course: Course,
    racer: int,
    plans: Sequence[str],
    begin: Barrier,
    end: Barrier,
    outcomes: Any,
) -> None:
    """One process: in each round it asks once, launches what it was granted, and gives it back."""
    lab, engine = course.open()
    user = course.person(racer)
    request = LaunchRequest(user, "race", Interface.HUB, course.image, GpuRequest.parse("mig"))
    name = container_name("race", user)
    for number, plan in enumerate(plans):
        begin.wait(PATIENCE_SECONDS)
        try:
            outcome = _one_round(lab, request, racer, dies=plan == "die")
        except Exception:  # noqa: BLE001 - told to the test
            outcome = Outcome(racer, (), fault=traceback.format_exc())
        outcomes.put((number, outcome))
        end.wait(PATIENCE_SECONDS)
        begin.wait(PATIENCE_SECONDS)
        if outcome.launched and plan != "stay":
            if plan == "stop":
                lab.servers.stop(name, interface="hub")
            else:
                engine.remove(name)
        end.wait(PATIENCE_SECONDS)
    engine.close()


def _one_round(lab: Lab, request: LaunchRequest, racer: int, *, dies: bool) -> Outcome:
    found = lab.engine.container(container_name(request.name, request.user))
    if found is not None and found.state.is_live:
        return Outcome(racer, labels.gpu_uuids_of(found.labels), launched=True)
    try:
        grant = lab.admission.admit(request)
    except NoCapacity:
        return Outcome(racer, ())
    assert isinstance(grant, Grant)
    if dies:
        return Outcome(racer, grant.reservation.gpu_uuids)
    spec = replace(grant.spec, command=("sleep", "900"), cgroup_parent="", mounts=())
    progress = Progress(lambda _step: None, threading.Event())
    lab.launcher.launch(request, grant, spec, progress)
    return Outcome(racer, grant.reservation.gpu_uuids, launched=True)


class Pack:
    """Twenty processes that go from one half of a round to the next together."""

    def __init__(self, course: Course, plan: Plan, rounds: int) -> None:
        self._begin, self._end = FORK.Barrier(RACERS + 1), FORK.Barrier(RACERS + 1)
        self._outcomes: Any = FORK.Queue()
        plans = [[plan(number, racer) for number in range(rounds)] for racer in range(RACERS)]
        self._processes = [
            FORK.Process(
                target=race,
                args=(course, racer, plans[racer], self._begin, self._end, self._outcomes),
            )
            for racer in range(RACERS)
        ]
        for process in self._processes:
            process.start()

    def ask(self, number: int) -> list[Outcome]:
        """How everybody fared who asked at once."""
        self._begin.wait(PATIENCE_SECONDS)
        found = [self._outcomes.get(timeout=PATIENCE_SECONDS) for _ in self._processes]
        self._end.wait(PATIENCE_SECONDS)
        assert {entry[0] for entry in found} == {number}
        return [entry[1] for entry in found]

    def give_back(self) -> None:
        """Everybody does with their slot as planned."""
        self._begin.wait(PATIENCE_SECONDS)
        self._end.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        """No process is left."""
        for process in self._processes:
            process.kill()
            process.join()


def forget_expired(lab: Lab) -> None:
    """What the culler does in each of its passes."""
    with lab.ledger.transaction() as transaction:
        found = transaction.reservations()
        transaction.remove_reservations(
            [each.id for each in found if each.expires_at < lab.clock.now()]
        )


def run_rounds(course: Course, plan: Plan, rounds: int) -> None:
    """Race, and look after each round who has what."""
    lab, engine = course.open()
    every = sorted(slot.uuid for slot in course.inventory.slots)
    pack = Pack(course, plan, rounds)
    try:
        for number in range(rounds):
            found = pack.ask(number)
            assert [outcome.fault for outcome in found if outcome.fault] == []
            assert sorted(uuid for outcome in found for uuid in outcome.got) == every
            held = [
                uuid
                for one in course.present(engine)
                if one.state.is_live
                for uuid in labels.gpu_uuids_of(one.labels)
            ]
            assert len(held) == len(set(held)) == sum(outcome.launched for outcome in found)
            assert lab.admission.current().occupancy.conflicts == ()
            pack.give_back()
            course.clock.advance(A_LONG_TIME)
            forget_expired(lab)
    finally:
        pack.end()
    for one in course.present(engine):
        engine.remove(one.id)
    course.clock.advance(A_LONG_TIME)
    assert {slot.uuid for slot in lab.admission.current().occupancy.free()} == set(every)
    engine.close()


@pytest.mark.timeout(600)
def test_a_thousand_rounds_on_a_shared_fake_engine(tmp_path: Path) -> None:
    clock = SharedClock()
    profiles = ["1g.5gb"] * 6
    course = Course(
        open_engine=lambda: SharedEngine(tmp_path / "engine.sqlite", clock),
        ledger=tmp_path / "ledger.sqlite",
        inventory=machine(card(0, *profiles), card(1, *profiles)),
        image="image",
        prefix="racer",
        clock=clock,
    )
    SharedEngine(tmp_path / "engine.sqlite", clock).close()

    def plan(number: int, racer: int) -> str:
        if (number + racer) % 7 == 0:
            return "die"
        return "stop" if number % 2 else "remove"

    run_rounds(course, plan, ROUNDS)


@pytest.fixture
def docker_course(tmp_path: Path, tiny_image: str) -> Iterator[Course]:
    clock = SharedClock()
    profiles = ["1g.5gb"] * 6
    name = f"races-{secrets.token_hex(3)}"
    course = Course(
        open_engine=lambda: DockerEngine(DEFAULT_SOCKET),
        ledger=tmp_path / "ledger.sqlite",
        inventory=machine(
            card(0, *profiles, name=name), card(1, *profiles, name=name), source="simulated"
        ),
        image=tiny_image,
        prefix=f"{name}-",
        clock=clock,
    )
    yield course
    engine = DockerEngine(DEFAULT_SOCKET)
    for one in course.present(engine):  # one by one: Docker 20.10 deadlocks when many go at once
        engine.remove(one.id)
    engine.close()
    networks = [network_name(course.person(number)) for number in range(RACERS)]
    subprocess.run(["docker", "network", "rm", *networks], capture_output=True, check=False)


@pytest.mark.timeout(900)
def test_fifty_rounds_on_the_real_engine(docker_course: Course) -> None:
    def plan(number: int, racer: int) -> str:
        if (number + racer) % RACERS == 0:
            return "die"
        return "remove" if (number + racer) % 5 == 0 else "stay"

    run_rounds(docker_course, plan, ROUNDS_ON_DOCKER)
