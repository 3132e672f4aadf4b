"""`kill -9` of the gateway: nothing that runs notices, and nothing is lost."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ds01_spawner.operations.allocation.admission import RESERVATION_LIFETIME
from integration.gateway.gateway_process import Gateway, engine_docker, eventually, running_gateway
from integration.gateway.people import Person
from integration.unix_people import ALICE, own_folder, unix_person

TICKS = "n=0; while :; do n=$((n + 1)); echo $n > /work/ticks; echo tick-$n; sleep 0.1; done"
STREAMS = 20
MOMENTS = (0.04, 0.08, 0.12, 0.18, 0.25, 0.35)
"""Seconds after the command: while it is asked, decided, staged, created, started."""


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory, tiny_image: str) -> Iterator[Gateway]:
    """A gateway of one's own, to be killed."""
    state: Path = tmp_path_factory.mktemp("doomed")
    with running_gateway(state, tiny_image) as gateway:
        yield gateway
        assert "Traceback" not in gateway.log, gateway.log


@pytest.fixture(scope="module")
def person(doomed: Gateway) -> Person:
    return Person(unix_person(ALICE), doomed.socket)


@pytest.fixture
def folder(person: Person) -> Iterator[Path]:
    with own_folder(person.account) as made:
        yield made


@pytest.fixture
def worker(doomed: Gateway, person: Person, folder: Path, tiny_image: str) -> Iterator[str]:
    """A container with a GPU and a folder, at work."""
    name = person.named("worker")
    wish = ("--gpus", "1", "-v", f"{folder}:/work")
    person.docker("run", "-d", "-i", "--name", name, *wish, tiny_image, "sh", "-c", TICKS)
    yield name
    doomed.remove_containers()


def ticks(folder: Path) -> int:
    """How often the worker has ticked; the file is empty while it is written."""
    return int(eventually((folder / "ticks").read_text))


def slots(gateway: Gateway) -> list[str]:
    """What is alice's, promised or held."""
    return sorted(use.slot.uuid for use in gateway.platform.admission.current().occupancy.of(ALICE))


def stages(gateway: Gateway) -> set[str]:
    base = gateway.run / "binds"
    return {each.name for each in base.iterdir()} if base.exists() else set()


def claimed(gateway: Gateway) -> set[str]:
    """The stages that containers are made with."""
    return {
        each.binds_key
        for each in gateway.platform.engine.containers()
        if each.labels.get("ds01.instance") == gateway.instance and each.binds_key
    }


@contextmanager
def many_streams(person: Person, name: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Attaches, commands, logs and events of one container, each of which has said something."""
    kinds = (
        ("attach", "--no-stdin", name),
        ("exec", "-i", name, "sh", "-c", "echo here; cat"),
        ("logs", "-f", name),
        ("events", "--since", "1m", "--filter", f"container={name}"),
    )
    opened = [person.popen(*kinds[number % len(kinds)]) for number in range(STREAMS)]
    try:
        for each in opened:
            assert each.stdout is not None
            assert each.stdout.readline()
        yield opened
    finally:
        for each in opened:
            each.kill()
            each.communicate()


def test_what_runs_lives_on_and_clients_come_back_to_a_correct_view(
    doomed: Gateway, person: Person, folder: Path, worker: str
) -> None:
    before, held, staged = person.inspect(worker), slots(doomed), stages(doomed)
    with many_streams(person, worker) as streams:
        doomed.kill()

        for each in streams:
            each.wait(10)
    assert "docker.sock" in person.refused("ps")
    told = ticks(folder)
    eventually(lambda: ticks(folder) > told + 3, what="it works on")

    doomed.start()

    after = person.inspect(worker)
    assert (after["Id"], after["State"]) == (before["Id"], before["State"])
    assert person.docker("ps", "--format", "{{.Names}}") == worker
    assert (slots(doomed), stages(doomed)) == (held, staged)
    assert len(held) == 1
    with many_streams(person, worker):
        # For a moment of each tick the file is empty.
        eventually(lambda: person.docker("exec", worker, "cat", "/work/ticks"))
    person.docker("restart", "-t", "0", worker)
    person.docker("rm", "-f", worker)
    eventually(lambda: (slots(doomed), stages(doomed)) == ([], set()), what="all is given back")


def test_a_slot_whose_container_ended_meanwhile_is_free(
    doomed: Gateway, person: Person, tiny_image: str
) -> None:
    name = person.named("brief")
    person.docker("run", "-d", "--rm", "--name", name, "--gpus", "1", tiny_image, "sleep", "600")
    assert slots(doomed)
    doomed.kill()

    engine_docker("kill", f"{name}._.{ALICE}")
    doomed.start()

    eventually(lambda: slots(doomed) == [], what="the slot is free")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_start_in_flight_ends_whole_or_not_at_all(
    doomed: Gateway, person: Person, folder: Path, tiny_image: str, moment: float
) -> None:
    name = person.named("flight")
    wish = ("--gpus", "1", "-v", f"{folder}:/work")
    begun = person.popen("run", "-d", "--name", name, *wish, tiny_image, "sh", "-c", TICKS)
    time.sleep(moment)
    doomed.kill()
    out, _ = begun.communicate(timeout=20)
    age_stages(doomed)

    doomed.start()

    found = person.try_docker("container", "inspect", "--format", "{{.State.Status}}", name)
    if begun.returncode == 0:
        assert found.out == "running\n", out
    is_whole = found.code == 0 and found.out in {"created\n", "running\n"}
    assert is_whole or "No such container" in found.err
    eventually(lambda: stages(doomed) == claimed(doomed), what="no stage is left over")
    assert promises_end_soon(doomed)
    assert len(slots(doomed)) <= 1
    if is_whole:
        person.docker("start", name)
        eventually((folder / "ticks").exists, what="it works")
        person.docker("rm", "-f", name)
    person.docker("run", "--rm", "--name", name, *wish, tiny_image, "true")
    eventually(lambda: stages(doomed) == set(), what="nothing is staged")


def age_stages(gateway: Gateway) -> None:
    """As if they had been there for long: young ones may belong to a container to be."""
    for key in stages(gateway):
        os.utime(gateway.run / "binds" / key, (0, 0))


def promises_end_soon(gateway: Gateway) -> bool:
    with gateway.platform.ledger.transaction() as transaction:
        left = [each.expires_at - datetime.now(UTC) for each in transaction.reservations()]
    return all(each <= RESERVATION_LIFETIME for each in left)
