from types import SimpleNamespace

import pynvml
import pytest

from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.domain.gpu import SlotActivity
from ds01_spawner.policy.gpu_config import SimulatedCard
from fakes.nvml import FaultyNvml

WHOLE = SimulatedCard()
SPLIT = SimulatedCard(mig=("2g.10gb",))


def activity(nvml: FaultyNvml) -> dict[str, SlotActivity]:
    gpus = NvmlProbe(nvml.as_nvml)
    by_uuid = gpus.activity()
    ids = {slot.uuid: slot.id for slot in gpus.inventory().slots}
    return {ids[uuid]: found for uuid, found in by_uuid.items()}


def processes(*pids: int) -> list[SimpleNamespace]:
    return [SimpleNamespace(pid=pid) for pid in pids]


def test_tells_load_memory_and_processes_of_a_whole_card() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.answer("nvmlDeviceGetUtilizationRates", lambda _: SimpleNamespace(gpu=93, memory=5))
    nvml.answer("nvmlDeviceGetMemoryInfo", lambda *_: SimpleNamespace(total=100, used=7))
    nvml.answer("nvmlDeviceGetComputeRunningProcesses", lambda _: processes(30, 20, 30))
    nvml.answer("nvmlDeviceGetGraphicsRunningProcesses", lambda _: processes(40))
    assert activity(nvml) == {
        "0": SlotActivity(0.93, 7, pids=(20, 30), graphics_pids=(40,)),
    }


def test_a_mig_instance_tells_no_load() -> None:
    assert activity(FaultyNvml(SPLIT)) == {"0:0": SlotActivity(None, 0)}


def test_a_card_in_mig_mode_is_no_slot_of_its_own() -> None:
    assert set(activity(FaultyNvml(SPLIT, WHOLE))) == {"0:0", "1"}


@pytest.mark.parametrize("error", ["not_supported", "no_permission", "unknown", "gpu_is_lost"])
def test_a_slot_whose_processes_cannot_be_read_is_left_out(error: str) -> None:
    nvml = FaultyNvml(WHOLE, WHOLE)
    nvml.fail("nvmlDeviceGetComputeRunningProcesses", error, on=lambda handle: handle.index == 0)
    assert set(activity(nvml)) == {"1"}


def test_asks_older_drivers_with_the_older_call_for_processes() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlDeviceGetComputeRunningProcesses", pynvml.NVMLLibraryMismatchError("old"))
    nvml.answer("nvmlDeviceGetComputeRunningProcesses_v2", lambda _: processes(7))
    assert activity(nvml)["0"].pids == (7,)


def test_a_driver_too_old_for_either_call_leaves_the_slot_out() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlDeviceGetComputeRunningProcesses", pynvml.NVMLLibraryMismatchError("old"))
    nvml.fail("nvmlDeviceGetComputeRunningProcesses_v2", "function_not_found")
    assert activity(nvml) == {}


def test_a_card_without_graphics_has_no_drawing_processes() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlDeviceGetGraphicsRunningProcesses", "not_supported")
    assert activity(nvml)["0"].graphics_pids == ()


def test_memory_in_use_is_read_in_the_older_way_where_the_newer_is_missing() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.answer("nvmlDeviceGetMemoryInfo", lambda *_: SimpleNamespace(total=100, used=9))
    nvml.fail("nvmlDeviceGetMemoryInfo", "function_not_found", on=lambda *found: len(found) == 2)
    assert activity(nvml)["0"].memory_used_bytes == 9
