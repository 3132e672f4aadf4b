"""What a real engine tells of a monitor that was given every GPU, on simulated cards."""

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.process_table import KernelProcessTable
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.domain.monitors import counted
from ds01_spawner.domain.occupancy import SlotState, occupancy
from ds01_spawner.operations.allocation.observe import Observer
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation

NAME = f"ds01monitor-{os.getpid()}"
Start = Callable[..., int]


@pytest.fixture
def start(docker_engine: DockerEngine, tiny_image: str) -> Iterator[Start]:
    """Starts a container with every GPU; its first process."""

    def start(*options: str) -> int:
        command = ["docker", "run", "-d", "--gpus", "all", "--name", NAME, *options, tiny_image]
        subprocess.run([*command, "sleep", "600"], capture_output=True, check=True)
        found = docker_engine.container(NAME)
        assert found is not None
        assert found.pid is not None
        return found.pid

    yield start
    docker_engine.remove(NAME)


@pytest.fixture
def taken(docker_engine: DockerEngine, tmp_path: Path) -> Callable[..., dict[str, str | None]]:
    """Containers on the simulated slots, where these processes compute on the first."""

    def taken(*pids: int) -> dict[str, str | None]:
        state = tmp_path / "gpus.json"
        write_state(state, SimulatedState(devices={"0": DeviceState(pids=pids)}))
        simulation = Simulation(seed="monitors", gpus=(SimulatedCard(count=2),))
        probe = NvmlProbe(SimulatedNvml(simulation, state), source="simulated")
        clock = SystemClock()
        observer = Observer(clock, docker_engine, probe, table=KernelProcessTable())
        snapshot = counted(observer.snapshot(), (NAME,))
        found = occupancy(snapshot, (), lambda *_: timedelta(0), clock.now())
        return {
            use.slot.id: use.container
            for use in found.uses
            if use.state is not SlotState.FREE and use.container in {NAME, None}
        }

    return taken


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="plain"),
        pytest.param(("--user", "0", "--cap-add", "SYS_ADMIN", "-v", "/etc:/x:ro"), id="as-dcgm"),
    ],
)
def test_a_monitor_has_the_slots_on_which_it_computes(
    options: tuple[str, ...], start: Start, taken: Callable[..., dict[str, str | None]]
) -> None:
    pid = start(*options)
    assert taken() == {}
    assert taken(pid) == {"0": NAME}


def test_what_computes_beside_a_monitor_is_not_the_monitors(
    start: Start, taken: Callable[..., dict[str, str | None]]
) -> None:
    start()
    assert taken(os.getpid()) == {"0": None}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--user", "1234"), id="runs-as-a-person"),
        pytest.param(("--label", "aime.mlc.USER=bob"), id="label"),
        pytest.param(("-v", "/home:/x:ro"), id="homes"),
        pytest.param(("-v", "/:/x"), id="everything-to-write"),
        pytest.param(("-v", "/etc/../home:/x"), id="homes-by-detour"),
        pytest.param(("-v", "ds01-home-bob-of-a-test:/x"), id="volume"),
    ],
)
def test_a_persons_that_is_called_like_it_has_every_slot(
    options: tuple[str, ...], start: Start, taken: Callable[..., dict[str, str | None]]
) -> None:
    start(*options)
    assert taken() == {"0": NAME, "1": NAME}
    subprocess.run(["docker", "rm", "-f", "-v", NAME], capture_output=True, check=True)
    subprocess.run(
        ["docker", "volume", "rm", "ds01-home-bob-of-a-test"], capture_output=True, check=False
    )
