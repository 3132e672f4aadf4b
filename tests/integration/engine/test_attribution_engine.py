"""Real processes in real containers, on simulated cards."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.process_table import KernelProcessTable
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import WorkloadClass
from ds01_spawner.operations.attribution.scan import Attribution, Picture
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation

_PREFIX = f"ds01attr-{os.getpid()}"
Run = Callable[..., tuple[str, int]]


@pytest.fixture
def run(docker_engine: DockerEngine, tiny_image: str) -> Iterator[Run]:
    """Starts a container past the platform; its id and its first process."""
    made: list[str] = []

    def run(*options: str) -> tuple[str, int]:
        name = f"{_PREFIX}-{len(made)}"
        made.append(name)
        command = ["docker", "run", "-d", "--name", name, *options, tiny_image, "sleep", "600"]
        subprocess.run(command, capture_output=True, check=True)
        found = docker_engine.container(name)
        assert found is not None
        assert found.pid is not None
        return found.id, found.pid

    yield run
    for name in made:
        docker_engine.remove(name)


@pytest.fixture
def picture_of(docker_engine: DockerEngine, tmp_path: Path) -> Callable[..., Picture]:
    def picture_of(*pids: int) -> Picture:
        state = tmp_path / "gpus.json"
        write_state(state, SimulatedState(devices={"0": DeviceState(pids=pids)}))
        simulation = Simulation(seed="attribution", gpus=(SimulatedCard(),))
        return Attribution(
            clock=SystemClock(),
            probe=NvmlProbe(SimulatedNvml(simulation, state), source="simulated"),
            table=KernelProcessTable(),
            engine=docker_engine,
            accounts=UnixAccounts(),
        ).picture()

    return picture_of


def test_processes_of_this_machine_are_attributed(
    run: Run, picture_of: Callable[..., Picture]
) -> None:
    marks = {labels.MANAGED: "true", labels.USER: "alice", labels.INTERFACE: "cli"}
    managed, managed_pid = run(*[f"--label={key}={value}" for key, value in marks.items()])
    raw, raw_pid = run()
    aime, aime_pid = run("--label=aime.mlc.USER=carol")
    picture = picture_of(managed_pid, raw_pid, aime_pid, os.getpid())
    owners = {each.process.pid: each.owner for each in picture.processes}
    assert (owners[managed_pid].container_id, owners[managed_pid].user) == (managed, "alice")
    assert (owners[raw_pid].container_id, owners[raw_pid].kind) == (raw, WorkloadClass.DOCKER)
    assert (owners[aime_pid].container_id, owners[aime_pid].user) == (aime, "carol")
    works = {each.id: each for each in picture.workloads}
    assert works[managed].slots == works[raw].slots == works[aime].slots == ("0",)
    assert not {raw, aime} - {each.id for each in picture.unmanaged}


def test_a_process_of_the_server_is_its_accounts(picture_of: Callable[..., Picture]) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        found = {each.process.pid: each for each in picture_of(child.pid).processes}[child.pid]
        child.kill()
    inside = found.owner.container_id is not None  # this test may itself run in a container
    assert inside or found.owner.user == UnixAccounts().name_of(os.getuid())


def test_one_that_has_ended_is_left_out(picture_of: Callable[..., Picture]) -> None:
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    assert picture_of(child.pid).processes == ()


def test_a_start_past_the_platform_is_told_at_once(run: Run, docker_engine: DockerEngine) -> None:
    starts = docker_engine.starts()
    assert not starts.wait(0.2)
    with ThreadPoolExecutor(1) as executor:
        begin = time.monotonic()
        told = executor.submit(starts.wait, 30.0)
        run()
        assert told.result(timeout=30)
    assert time.monotonic() - begin < 15
    run()
    assert starts.wait(30), "what started between two calls is told too"
