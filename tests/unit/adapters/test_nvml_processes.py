from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.policy.gpu_config import SimulatedCard
from fakes.nvml import FaultyNvml

WHOLE = SimulatedCard()
SPLIT = SimulatedCard(mig=("2g.10gb",))


def processes(nvml: FaultyNvml) -> dict[str, tuple[GpuProcess, ...]]:
    gpus = NvmlProbe(nvml.as_nvml)
    ids = {slot.uuid: slot.id for slot in gpus.inventory().slots}
    return {ids[uuid]: found for uuid, found in gpus.gpu_processes().items()}


def listed(**memory: int | None) -> list[Any]:
    return [SimpleNamespace(pid=int(pid[1:]), usedGpuMemory=used) for pid, used in memory.items()]


def test_tells_each_process_with_its_share() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.answer("nvmlDeviceGetComputeRunningProcesses", lambda _: listed(p7=100, p8=None))
    nvml.answer("nvmlDeviceGetGraphicsRunningProcesses", lambda _: listed(p8=9, p9=5))
    nvml.answer(
        "nvmlDeviceGetProcessUtilization",
        lambda *_: [
            SimpleNamespace(pid=7, timeStamp=2, smUtil=40),
            SimpleNamespace(pid=7, timeStamp=1, smUtil=90),
            SimpleNamespace(pid=99, timeStamp=1, smUtil=90),
        ],
    )
    found = processes(nvml)["0"]
    assert [(each.pid, each.memory_bytes, each.sm_share, each.computes) for each in found] == [
        (7, 100, 0.4, True),
        (8, None, None, True),
        (9, 5, None, False),
    ]


def test_a_part_of_a_card_tells_its_own_processes_without_shares() -> None:
    nvml = FaultyNvml(SPLIT, WHOLE)
    nvml.answer(
        "nvmlDeviceGetComputeRunningProcesses",
        lambda handle: listed(p7=1) if handle.profile else listed(),
    )
    found = processes(nvml)
    assert [(each.pid, each.sm_share) for each in found["0:0"]] == [(7, None)]
    assert found["1"] == ()


@pytest.mark.parametrize("error", ["no_permission", "unknown", "gpu_is_lost"])
def test_a_slot_that_cannot_be_read_is_left_out(error: str) -> None:
    nvml = FaultyNvml(WHOLE, WHOLE)
    nvml.fail("nvmlDeviceGetComputeRunningProcesses", error, on=lambda handle: handle.index == 0)
    assert set(processes(nvml)) == {"1"}


@pytest.mark.parametrize("error", ["not_supported", "not_found", "unknown", "no_permission"])
def test_shares_that_cannot_be_read_cost_no_process(error: str) -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.answer("nvmlDeviceGetComputeRunningProcesses", lambda _: listed(p7=1))
    nvml.fail("nvmlDeviceGetProcessUtilization", error)
    assert [each.sm_share for each in processes(nvml)["0"]] == [None]


def test_older_drivers_are_asked_with_the_older_call() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlDeviceGetComputeRunningProcesses", pynvml.NVMLLibraryMismatchError("old"))
    nvml.answer("nvmlDeviceGetComputeRunningProcesses_v2", lambda _: listed(p7=1))
    assert [each.pid for each in processes(nvml)["0"]] == [7]


def test_a_driver_that_does_not_answer_is_said() -> None:
    nvml = FaultyNvml(WHOLE)
    gpus = NvmlProbe(nvml.as_nvml)
    gpus.inventory()
    nvml.fail("nvmlDeviceGetComputeRunningProcesses", "driver_not_loaded")
    with pytest.raises(Unavailable):
        gpus.gpu_processes()
