"""What a raw `docker run --gpus` holds is in the books, as the engine tells of it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.adapters.event_tail import EventTail
from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import SimulatedState, write_state
from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.operations.allocation.observe import AT_ONCE, Observer
from ds01_spawner.operations.attribution.owners import ContainerOwners
from ds01_spawner.operations.usage.books import Books
from ds01_spawner.operations.usage.unmanaged_use import UnmanagedUse
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation

NAME = f"ds01use-{os.getpid()}"


def docker(*words: str) -> None:
    subprocess.run(["docker", *words], capture_output=True, check=True)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    found = SqliteLedger(tmp_path / "ledger.sqlite")
    yield found
    found.close()


def test_begin_and_end_of_a_raw_container_are_those_that_the_engine_tells(
    docker_engine: DockerEngine, tiny_image: str, ledger: SqliteLedger, tmp_path: Path
) -> None:
    state = tmp_path / "gpus.json"
    write_state(state, SimulatedState())
    simulation = Simulation(seed="usage", gpus=(SimulatedCard(), SimulatedCard()))
    probe = NvmlProbe(SimulatedNvml(simulation, state), source="simulated")
    observer = Observer(SystemClock(), docker_engine, probe)
    books = Books(
        ledger=ledger,
        events=EventTail(tmp_path / "events.jsonl"),
        probe=probe,
        instance="usage-test",
        unmanaged=UnmanagedUse(ContainerOwners(UnixAccounts()), docker_engine.container),
    )
    books.keep(observer.snapshot(AT_ONCE))
    options = ("--gpus", '"device=0"', "--label", "aime.mlc.USER=carol")
    docker("run", "-d", "--name", NAME, *options, tiny_image, "sleep", "600")
    try:
        books.keep(observer.snapshot(AT_ONCE))
        begun = docker_engine.container(NAME)
        docker("kill", NAME)
        docker("wait", NAME)
        books.keep(observer.snapshot(AT_ONCE))
        ended = docker_engine.container(NAME)
    finally:
        docker("rm", "-f", NAME)
    assert begun is not None
    assert ended is not None
    with ledger.reading() as transaction:
        (found,) = transaction.usage_of([begun.id])
    assert (found.user, found.interface, found.slot_id) == ("carol", "unmanaged-aime", "0")
    assert (found.started_at, found.ended_at) == (begun.started_at, ended.finished_at)
    assert found.end_known
