import re
import shutil
import subprocess
import time
from functools import partial

import pynvml
import pytest

from ds01_spawner.adapters.gpu_source import driver_traces, open_probe
from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.nvml_scan import _derived_profile, optional
from ds01_spawner.domain.gpu import Inventory, MigProfile
from ds01_spawner.policy.gpu_config import GpuConfig

pytestmark = pytest.mark.skipif(
    not driver_traces(), reason="needs an NVIDIA driver; this machine has none"
)


@pytest.fixture(scope="module")
def probe() -> NvmlProbe:
    return NvmlProbe(deadline_seconds=60)


@pytest.fixture(scope="module")
def inventory(probe: NvmlProbe) -> Inventory:
    return probe.inventory()


def test_auto_takes_the_driver() -> None:
    assert open_probe(GpuConfig()).inventory().source == "nvml"


def test_lists_the_devices_that_nvidia_smi_lists(inventory: Inventory) -> None:
    smi = shutil.which("nvidia-smi")
    if smi is None:
        pytest.skip("needs nvidia-smi to compare with")
    listing = subprocess.run([smi, "-L"], check=True, capture_output=True, text=True).stdout
    expected = set(re.findall(r"UUID: ((?:GPU|MIG)-[^)]+)", listing))
    split = {gpu.uuid for gpu in inventory.gpus if gpu.mig_enabled}
    assert {slot.uuid for slot in inventory.slots} | split == expected


def test_every_slot_has_figures_and_no_card_is_worth_more_than_one_gpu(
    inventory: Inventory,
) -> None:
    assert inventory.gpus
    assert inventory.unavailable == ()
    for gpu in inventory.gpus:
        slots = [slot for slot in inventory.slots if slot.gpu_uuid == gpu.uuid]
        assert sum(slot.equivalents for slot in slots) <= 1 + 1e-9
        for slot in slots:
            assert 1024**3 <= slot.memory_bytes <= gpu.memory_bytes
            assert slot.is_full or MigProfile.parse(slot.profile) is not None


def test_activity_is_known_of_every_slot(probe: NvmlProbe, inventory: Inventory) -> None:
    activity = probe.activity()
    assert set(activity) == {slot.uuid for slot in inventory.slots}
    for slot in inventory.slots:
        found = activity[slot.uuid]
        assert found.utilisation is None or 0 <= found.utilisation <= 1
        assert found.memory_used_bytes is not None
        assert 0 <= found.memory_used_bytes <= slot.memory_bytes


def test_what_each_card_takes_is_known(probe: NvmlProbe, inventory: Inventory) -> None:
    before = probe.power()
    assert set(before) == {gpu.uuid for gpu in inventory.gpus}
    time.sleep(1.0)  # the counter is of the past
    for uuid, found in probe.power().items():
        assert found.power_watts is None or 5 < found.power_watts < 2000
        earlier = before[uuid].energy_joules
        if earlier is not None and found.energy_joules is not None:
            assert 0 <= found.energy_joules - earlier < 5000


def test_processes_are_known_of_every_slot(probe: NvmlProbe, inventory: Inventory) -> None:
    processes = probe.gpu_processes()
    assert set(processes) == {slot.uuid for slot in inventory.slots}
    for slot in inventory.slots:
        for each in processes[slot.uuid]:
            assert each.uuid == slot.uuid
            assert each.memory_bytes is None or 0 <= each.memory_bytes <= slot.memory_bytes
            assert each.sm_share is None or 0 <= each.sm_share <= 1


def test_the_derived_profile_is_the_one_the_driver_names(
    probe: NvmlProbe, inventory: Inventory
) -> None:
    compared = 0
    handles = probe._guard.run(probe._look).reading.handles
    for gpu in inventory.gpus:
        for instance in gpu.instances:
            device = handles[instance.uuid]
            attributes = optional(partial(pynvml.nvmlDeviceGetAttributes, device))
            if attributes is not None:
                compared += 1
                assert str(_derived_profile(attributes, gpu)) == instance.profile
    if not compared:
        pytest.skip("needs a card that is split by MIG")


def test_a_kept_reading_costs_microseconds_and_a_new_one_less_than_a_second() -> None:
    probe = NvmlProbe(cache_seconds=1000)
    probe.inventory()
    started = time.perf_counter()
    for _ in range(1000):
        probe.inventory()
    assert (time.perf_counter() - started) / 1000 < 50e-6
    fresh = NvmlProbe(cache_seconds=0)
    fresh.inventory()
    started = time.perf_counter()
    fresh.inventory()
    assert time.perf_counter() - started < 1
