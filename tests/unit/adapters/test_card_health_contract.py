from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.card_health import CardHealthContract
from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.domain.gpu import CardPower
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation
from fakes.probe import FakeProbe


class TestFakeProbe(CardHealthContract):
    @pytest.fixture
    def probe(self) -> FakeProbe:
        probe = FakeProbe()
        probe.watts["GPU-lab-0"] = CardPower(100.0, 5.0)
        return probe

    @pytest.fixture
    def lose(self, probe: FakeProbe) -> Callable[[str], None]:
        def lose(uuid: str) -> None:
            left = tuple(gpu for gpu in probe.present.gpus if gpu.uuid != uuid)
            probe.present = replace(probe.present, gpus=left)

        return lose

    @pytest.fixture
    def silence(self, probe: FakeProbe) -> Callable[[], None]:
        return lambda: setattr(probe, "stuck", True)


class TestNvmlProbe(CardHealthContract):
    @pytest.fixture
    def state(self, tmp_path: Path) -> Path:
        return tmp_path / "state.json"

    @pytest.fixture
    def probe(self, state: Path) -> NvmlProbe:
        cards = (SimulatedCard(), SimulatedCard(mig=("3g.20gb", "2g.10gb")), SimulatedCard())
        return NvmlProbe(SimulatedNvml(Simulation(gpus=cards), state), cache_seconds=0)

    @pytest.fixture
    def lose(self, state: Path) -> Callable[[str], None]:
        def lose(uuid: str) -> None:
            write_state(state, SimulatedState(devices={uuid: DeviceState(fault="gpu_is_lost")}))

        return lose

    @pytest.fixture
    def silence(self, state: Path) -> Callable[[], None]:
        return lambda: write_state(state, SimulatedState(driver_fault="driver_not_loaded"))
