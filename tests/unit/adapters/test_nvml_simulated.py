import re
from pathlib import Path

import pynvml
import pytest

from ds01_spawner.adapters.gpu_source import driver_traces, open_probe
from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.policy.gpu_config import GpuConfig, GpuSource, Simulation
from fakes.nvml import nvml_error

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SIMULATED = GpuConfig(source=GpuSource.SIMULATED)


def probe(state: Path, simulation: Simulation | None = None) -> NvmlProbe:
    nvml = SimulatedNvml(simulation or Simulation(), state)
    return NvmlProbe(nvml, source="simulated", cache_seconds=0)


def test_the_default_machine_has_four_cards_two_of_them_split(tmp_path: Path) -> None:
    inventory = open_probe(SIMULATED, tmp_path / "state.json").inventory()
    assert inventory.source == "simulated"
    assert [gpu.mig_enabled for gpu in inventory.gpus] == [True, True, False, False]
    assert len(inventory.slots) == 12
    assert inventory.problems == ()


def test_devices_have_the_form_of_real_ones_and_stay_the_same() -> None:
    slots = open_probe(SIMULATED).inventory().slots
    assert slots == open_probe(SIMULATED).inventory().slots
    for slot in slots:
        kind = "GPU" if slot.is_full else "MIG"
        assert re.fullmatch(f"{kind}-{UUID}", slot.uuid)


def test_another_seed_shares_no_device() -> None:
    def uuids(seed: str) -> set[str]:
        config = GpuConfig(source=GpuSource.SIMULATED, simulated=Simulation(seed=seed))
        inventory = open_probe(config).inventory()
        return {slot.uuid for slot in inventory.slots} | {gpu.uuid for gpu in inventory.gpus}

    assert uuids("one").isdisjoint(uuids("two"))


def test_what_a_device_does_can_be_written_while_it_runs(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    gpus = probe(state)
    slots = {slot.id: slot.uuid for slot in gpus.inventory().slots}
    busy = DeviceState(utilisation=0.9, memory_used_bytes=5, pids=(42,))
    write_state(state, SimulatedState(devices={"0:1": busy, slots["2"]: busy}))
    found = gpus.activity()
    for slot in ("0:1", "2"):
        assert found[slots[slot]].utilisation == 0.9
        assert found[slots[slot]].memory_used_bytes == 5
        assert found[slots[slot]].pids == (42,)
    assert found[slots["0:0"]].utilisation is None
    assert found[slots["3"]].utilisation == 0.0
    write_state(state, SimulatedState())
    assert gpus.activity()[slots["2"]].pids == ()


def test_a_lost_card_takes_its_instances_along_and_comes_back(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    gpus = probe(state)
    before = gpus.inventory()
    write_state(state, SimulatedState(devices={"0": DeviceState(fault="gpu_is_lost")}))
    during = gpus.inventory()
    assert [gpu.index for gpu in during.gpus] == [1, 2, 3]
    assert during.unavailable == before.slots[:5]
    state.unlink()
    assert gpus.inventory() == before


def test_a_card_lost_between_two_calls_takes_its_instances_along(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    nvml = SimulatedNvml(Simulation(), state)
    nvml.nvmlInit()
    instance = nvml.nvmlDeviceGetMigDeviceHandleByIndex(nvml.nvmlDeviceGetHandleByIndex(0), 0)
    write_state(state, SimulatedState(devices={"0": DeviceState(fault="gpu_is_lost")}))
    with pytest.raises(type(nvml_error("gpu_is_lost"))):
        nvml.nvmlDeviceGetComputeRunningProcesses(instance)


def test_a_driver_fault_makes_everything_unavailable(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    write_state(state, SimulatedState(driver_fault="driver_not_loaded"))
    with pytest.raises(Unavailable, match="Driver Not Loaded"):
        probe(state).inventory()


@pytest.mark.parametrize("text", ["{", '{"devices": {"0": {"utilisation": 7}}}', '{"cards": 1}'])
def test_a_broken_state_file_is_a_driver_that_fails(tmp_path: Path, text: str) -> None:
    state = tmp_path / "state.json"
    state.write_text(text)
    with pytest.raises(Unavailable):
        probe(state).inventory()


def test_calls_before_init_fail_as_the_real_ones_do() -> None:
    nvml = SimulatedNvml(Simulation())
    with pytest.raises(type(nvml_error("uninitialized"))):
        nvml.nvmlDeviceGetCount()
    with pytest.raises(type(nvml_error("uninitialized"))):
        nvml.nvmlShutdown()
    nvml.nvmlInit()
    assert nvml.nvmlDeviceGetCount() == 4
    nvml.nvmlShutdown()
    with pytest.raises(type(nvml_error("uninitialized"))):
        nvml.nvmlDeviceGetCount()


def test_devices_are_found_by_uuid_with_their_instance_ids() -> None:
    nvml = SimulatedNvml(Simulation())
    nvml.nvmlInit()
    instance = nvml.nvmlDeviceGetMigDeviceHandleByIndex(nvml.nvmlDeviceGetHandleByIndex(1), 2)
    assert nvml.nvmlDeviceGetHandleByUUID(nvml.nvmlDeviceGetUUID(instance)) is instance
    assert nvml.nvmlDeviceGetGpuInstanceId(instance) == 3
    assert nvml.nvmlDeviceGetComputeInstanceId(instance) == 0
    with pytest.raises(type(nvml_error("not_found"))):
        nvml.nvmlDeviceGetHandleByUUID("MIG-none")


LIBRARY = "libds01-no-such-driver.so.1"


@pytest.mark.parametrize("trace", ["dev/nvidia0", "dev/nvidiactl", "proc/driver/nvidia/version"])
def test_any_trace_of_a_driver_is_found(tmp_path: Path, trace: str) -> None:
    assert driver_traces(tmp_path, LIBRARY) == ()
    (tmp_path / trace).parent.mkdir(parents=True)
    (tmp_path / trace).touch()
    assert len(driver_traces(tmp_path, LIBRARY)) == 1


def test_a_library_that_cannot_be_loaded_is_a_trace(tmp_path: Path) -> None:
    library = tmp_path / "libbroken.so.1"
    library.write_text("not a library")
    assert driver_traces(tmp_path, str(library)) == (str(library),)


def test_auto_does_not_simulate_where_there_is_a_trace_of_a_driver(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").touch()
    gpus = open_probe(GpuConfig(), root=tmp_path)
    assert isinstance(gpus, NvmlProbe)
    assert gpus._nvml is pynvml


def test_nvml_never_simulates(tmp_path: Path) -> None:
    gpus = open_probe(GpuConfig(source=GpuSource.NVML), root=tmp_path)
    assert isinstance(gpus, NvmlProbe)
    assert gpus._nvml is pynvml


def test_simulated_never_looks_at_the_driver(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").touch()
    assert open_probe(SIMULATED, root=tmp_path).inventory().source == "simulated"
