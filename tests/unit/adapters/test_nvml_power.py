from pathlib import Path

import pytest

from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.gpu import CardPower
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation
from fakes.nvml import FaultyNvml

WHOLE = SimulatedCard()
SPLIT = SimulatedCard(mig=("3g.20gb",))


def power(nvml: FaultyNvml) -> dict[int, CardPower]:
    probe = NvmlProbe(nvml.as_nvml)
    index = {gpu.uuid: gpu.index for gpu in probe.inventory().gpus}
    return {index[uuid]: found for uuid, found in probe.power().items()}


def test_a_card_tells_its_power_and_its_energy() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.answer("nvmlDeviceGetPowerUsage", lambda _: 251_500)
    nvml.answer("nvmlDeviceGetTotalEnergyConsumption", lambda _: 7_200_500)
    assert power(nvml) == {0: CardPower(251.5, 7200.5)}


@pytest.mark.parametrize("error", ["not_supported", "function_not_found", "no_permission"])
def test_a_card_that_does_not_tell_says_none(error: str) -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlDeviceGetPowerUsage", error)
    nvml.fail("nvmlDeviceGetTotalEnergyConsumption", error)
    assert power(nvml) == {0: CardPower(None, None)}


def test_a_lost_card_takes_no_others_with_it() -> None:
    nvml = FaultyNvml(WHOLE, WHOLE)
    lost = nvml.inner.nvmlDeviceGetUUID
    nvml.inner.nvmlInit()
    uuid = lost(nvml.inner.nvmlDeviceGetHandleByIndex(0))
    nvml.fail("nvmlDeviceGetHandleByUUID", "gpu_is_lost", on=lambda asked: asked == uuid)
    assert set(power(nvml)) == {1}


def test_a_driver_that_is_gone_is_unavailable() -> None:
    nvml = FaultyNvml(WHOLE)
    probe = NvmlProbe(nvml.as_nvml)
    probe.inventory()
    nvml.fail("nvmlDeviceGetPowerUsage", "driver_not_loaded")
    with pytest.raises(Unavailable, match="cannot be read"):
        probe.power()


def test_simulated_cards_take_what_their_load_makes_likely(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    nvml = SimulatedNvml(Simulation(gpus=(WHOLE, SPLIT, WHOLE, WHOLE)), path)
    probe = NvmlProbe(nvml, cache_seconds=0)
    write_state(
        path,
        SimulatedState(
            devices={
                "0": DeviceState(utilisation=0.5),
                "1:0": DeviceState(utilisation=1.0),
                "2": DeviceState(power_watts=300.0, energy_joules=5000.0),
                "3": DeviceState(tells_power=False, energy_joules=1.0),
            }
        ),
    )
    cards = {gpu.index: gpu.uuid for gpu in probe.inventory().gpus}
    found = probe.power()
    assert found[cards[0]] == CardPower(150.0, None)
    assert found[cards[1]].power_watts == pytest.approx(50 + 200 * 3 / 7, abs=0.001)
    assert found[cards[2]] == CardPower(300.0, 5000.0)
    assert found[cards[3]] == CardPower(None, None)
