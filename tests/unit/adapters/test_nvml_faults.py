import threading
from datetime import timedelta

import pynvml
import pytest

from ds01_spawner.adapters.nvml import GpusUnread, NvmlProbe
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.gpu import UNKNOWN_PROFILE
from ds01_spawner.policy.gpu_config import SimulatedCard
from fakes.clock import FakeClock
from fakes.nvml import FaultyNvml, nvml_error

WHOLE = SimulatedCard()
SPLIT = SimulatedCard(mig=("2g.10gb", "1g.5gb"))
DEVICE_FUNCTIONS = [
    "nvmlDeviceGetHandleByIndex",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetName",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetMaxMigDeviceCount",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceGetAttributes",
    "nvmlDeviceGetGpuInstanceProfileInfo",
]


def probe(nvml: FaultyNvml, *, cache_seconds: float = 0.0) -> NvmlProbe:
    return NvmlProbe(nvml.as_nvml, cache_seconds=cache_seconds, deadline_seconds=5)


def on_card(index: int) -> object:
    def applies(handle: object, *_: object) -> bool:
        if isinstance(handle, int):
            return handle == index
        card = getattr(handle, "card", None) or handle
        return getattr(card, "index", None) == index

    return applies


@pytest.mark.parametrize("function", DEVICE_FUNCTIONS)
@pytest.mark.parametrize("error", ["gpu_is_lost", "reset_required"])
def test_a_lost_card_is_left_out_and_said(function: str, error: str) -> None:
    nvml = FaultyNvml(WHOLE, SPLIT, WHOLE)
    nvml.fail(function, error, on=on_card(1))  # type: ignore[arg-type]
    inventory = probe(nvml).inventory()
    assert [slot.id for slot in inventory.slots] == ["0", "2"]
    assert {slot.gpu_index for slot in inventory.unavailable} == {1}
    assert len(inventory.problems) == 1
    assert "GPU 1" in inventory.problems[0]
    assert str(nvml_error(error)) in inventory.problems[0]


def test_who_asks_at_once_is_told_of_a_card_lost_a_moment_ago() -> None:
    nvml = FaultyNvml(WHOLE, SPLIT)
    gpus = probe(nvml, cache_seconds=60)
    assert gpus.inventory().problems == ()
    nvml.fail("nvmlDeviceGetName", "gpu_is_lost", on=on_card(1))  # type: ignore[arg-type]
    assert gpus.inventory().problems == ()
    assert "GPU 1" in gpus.inventory(at_once=True).problems[0]
    assert "GPU 1" in gpus.inventory().problems[0]


def test_the_slots_of_a_card_lost_while_running_are_known_by_name() -> None:
    nvml = FaultyNvml(WHOLE, SPLIT)
    gpus = probe(nvml)
    before = [slot for slot in gpus.inventory().slots if slot.gpu_index == 1]
    nvml.fail("nvmlDeviceGetHandleByIndex", "gpu_is_lost", on=lambda index: index == 1)
    assert list(gpus.inventory().unavailable) == before


def test_the_slots_of_a_lost_card_carry_its_present_number() -> None:
    nvml = FaultyNvml(WHOLE, SPLIT)
    gpus = probe(nvml)
    gpus.inventory()
    by_index = nvml.inner.nvmlDeviceGetHandleByIndex
    nvml.answer("nvmlDeviceGetHandleByIndex", lambda index: by_index(1 - index))
    nvml.fail("nvmlDeviceGetName", "gpu_is_lost", on=on_card(1))  # type: ignore[arg-type]
    inventory = gpus.inventory()
    assert [slot.id for slot in inventory.slots] == ["1"]
    assert [slot.id for slot in inventory.unavailable] == ["0:0", "0:1"]


def test_a_card_that_was_never_read_is_one_unknown_slot() -> None:
    nvml = FaultyNvml(WHOLE, SPLIT)
    nvml.fail("nvmlDeviceGetHandleByIndex", "gpu_is_lost", on=lambda index: index == 1)
    (slot,) = probe(nvml).inventory().unavailable
    assert (slot.id, slot.uuid, slot.profile) == ("1", "", UNKNOWN_PROFILE)


def test_a_card_whose_mig_mode_cannot_be_read_is_not_taken_for_a_whole_one() -> None:
    nvml = FaultyNvml(WHOLE, WHOLE)
    nvml.fail("nvmlDeviceGetMigMode", "unknown", on=on_card(0))  # type: ignore[arg-type]
    assert [slot.id for slot in probe(nvml).inventory().slots] == ["1"]


def test_an_instance_that_cannot_be_read_costs_only_itself() -> None:
    nvml = FaultyNvml(SPLIT)
    nvml.fail("nvmlDeviceGetAttributes", "unknown", on=lambda handle: handle.index == 0)
    inventory = probe(nvml).inventory()
    assert [slot.id for slot in inventory.slots] == ["0:1"]
    assert [slot.id for slot in inventory.unavailable] == ["0:0"]
    assert "0:0" in inventory.problems[0]


def test_an_instance_without_any_name_or_figures_is_unavailable() -> None:
    nvml = FaultyNvml(SPLIT)
    nvml.fail("nvmlDeviceGetAttributes", "not_supported")
    nvml.answer("nvmlDeviceGetName", lambda handle: handle.model.product)
    inventory = probe(nvml).inventory()
    assert inventory.slots == ()
    assert [slot.id for slot in inventory.unavailable] == ["0:0", "0:1"]


def test_mig_mode_without_instances_gives_nothing_and_says_so() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.answer("nvmlDeviceGetMigMode", lambda _: [1, 1])
    inventory = probe(nvml).inventory()
    assert inventory.slots == ()
    assert "no instances" in inventory.problems[0]


@pytest.mark.parametrize(
    ("mode", "slots", "sentence"),
    [
        ([1, 0], ["0:0", "0:1"], "MIG mode is on and will be off"),
        ([0, 1], ["0"], "MIG mode is off and will be on"),
    ],
)
def test_a_pending_change_of_mig_mode_is_said(
    mode: list[int], slots: list[str], sentence: str
) -> None:
    nvml = FaultyNvml(SPLIT)
    nvml.answer("nvmlDeviceGetMigMode", lambda _: mode)
    inventory = probe(nvml).inventory()
    assert [slot.id for slot in inventory.slots] == slots
    assert sentence in inventory.problems[0]


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        ("library_not_found", "Install the NVIDIA driver"),
        ("driver_not_loaded", "modprobe"),
        ("lib_rm_version_mismatch", "restart the machine"),
        ("no_permission", "/dev/nvidiactl"),
        ("unknown", "nvidia-smi"),
    ],
)
@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount"])
def test_a_driver_that_fails_never_looks_like_an_empty_machine(
    function: str, error: str, next_step: str
) -> None:
    nvml = FaultyNvml()
    nvml.fail(function, error)
    gpus = probe(nvml)
    with pytest.raises(Unavailable) as caught:
        gpus.inventory()
    assert next_step in caught.value.next_step
    assert ".." not in str(caught.value)
    with pytest.raises(Unavailable):
        gpus.activity()


def test_people_are_told_to_tell_their_administrator() -> None:
    nvml = FaultyNvml()
    nvml.fail("nvmlInit", "driver_not_loaded")
    with pytest.raises(GpusUnread) as caught:
        probe(nvml).inventory()
    assert caught.value.told.next_step == "Tell your administrator."
    assert "modprobe" not in str(caught.value.told)


def test_nobody_is_sent_to_load_the_driver_of_simulated_gpus() -> None:
    nvml = FaultyNvml()
    nvml.fail("nvmlInit", "driver_not_loaded")
    with pytest.raises(Unavailable) as caught:
        NvmlProbe(nvml.as_nvml, source="simulated").inventory()
    assert "modprobe" not in str(caught.value)
    assert "simulated-gpus.json" in caught.value.next_step


def test_a_machine_on_which_no_card_answers_is_unavailable() -> None:
    nvml = FaultyNvml(WHOLE, SPLIT)
    nvml.fail("nvmlDeviceGetHandleByIndex", "unknown")
    with pytest.raises(Unavailable, match="No GPU can be read"):
        probe(nvml).inventory()


def test_a_driver_without_cards_says_so() -> None:
    nvml = FaultyNvml()
    nvml.answer("nvmlDeviceGetCount", lambda: 0)
    inventory = probe(nvml).inventory()
    assert inventory.slots == ()
    assert inventory.problems == ("The NVIDIA driver answers and lists no GPU.",)


def test_recovers_when_the_driver_does() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlInit", "driver_not_loaded", times=1)
    gpus = probe(nvml)
    with pytest.raises(Unavailable):
        gpus.inventory()
    assert len(gpus.inventory().slots) == 1


@pytest.mark.parametrize("function", ["nvmlDeviceGetCount", "nvmlDeviceGetUUID"])
def test_opens_the_library_again_when_it_was_closed_by_somebody_else(function: str) -> None:
    nvml = FaultyNvml(WHOLE)
    gpus = probe(nvml)
    gpus.inventory()
    nvml.fail(function, "uninitialized", times=1)
    assert len(gpus.inventory().slots) == 1
    assert nvml.count("nvmlInit") == 2


def test_reads_again_with_new_handles_when_the_library_was_closed_during_activity() -> None:
    nvml = FaultyNvml(WHOLE)
    gpus = NvmlProbe(nvml.as_nvml, cache_seconds=1000)
    gpus.inventory()
    nvml.fail("nvmlDeviceGetComputeRunningProcesses", "uninitialized", times=1)
    assert len(gpus.activity()) == 1
    assert nvml.count("nvmlDeviceGetHandleByIndex") == 2


def test_a_failed_reading_is_followed_by_a_new_connection() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlDeviceGetCount", "unknown", times=1)
    gpus = probe(nvml)
    with pytest.raises(Unavailable):
        gpus.inventory()
    gpus.inventory()
    assert nvml.count("nvmlInit") == 2
    assert nvml.count("nvmlShutdown") == 1


def test_a_library_that_stays_closed_is_unavailable() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlDeviceGetCount", "uninitialized")
    with pytest.raises(Unavailable):
        probe(nvml).inventory()
    assert nvml.count("nvmlInit") == 2


def test_reads_again_when_a_card_appears_during_the_reading() -> None:
    nvml = FaultyNvml(WHOLE, WHOLE)
    counts = iter([1, 2, 2, 2])
    nvml.answer("nvmlDeviceGetCount", lambda: next(counts))
    assert [slot.id for slot in probe(nvml).inventory().slots] == ["0", "1"]


def test_cards_that_keep_coming_and_going_are_unavailable() -> None:
    nvml = FaultyNvml(WHOLE, WHOLE)
    counts = iter([1, 2] * 10)
    nvml.answer("nvmlDeviceGetCount", lambda: next(counts))
    with pytest.raises(Unavailable, match="come and go"):
        probe(nvml).inventory()


def test_one_card_listed_twice_is_no_reading() -> None:
    nvml = FaultyNvml(WHOLE, WHOLE)
    nvml.answer("nvmlDeviceGetUUID", lambda _: "GPU-same")
    with pytest.raises(Unavailable):
        probe(nvml).inventory()


def test_a_card_that_the_driver_stops_listing_is_a_problem() -> None:
    nvml = FaultyNvml(WHOLE, WHOLE)
    gpus = probe(nvml)
    uuid = gpus.inventory().gpus[1].uuid
    nvml.answer("nvmlDeviceGetCount", lambda: 1)
    assert uuid in gpus.inventory().problems[0]


def test_looks_for_a_lost_card_through_a_new_connection_once_a_minute() -> None:
    clock = FakeClock()
    nvml = FaultyNvml(WHOLE, WHOLE)
    gpus = NvmlProbe(nvml.as_nvml, cache_seconds=0, monotonic=clock.monotonic)
    nvml.fail("nvmlDeviceGetUUID", "gpu_is_lost", on=on_card(1))  # type: ignore[arg-type]
    gpus.inventory()
    clock.advance(timedelta(seconds=30))
    gpus.inventory()
    assert nvml.count("nvmlInit") == 1
    nvml.heal()
    clock.advance(timedelta(seconds=31))
    assert len(gpus.inventory().slots) == 2
    assert nvml.count("nvmlInit") == 2


def test_a_reading_is_kept_for_as_long_as_was_asked() -> None:
    clock = FakeClock()
    nvml = FaultyNvml(WHOLE)
    gpus = NvmlProbe(nvml.as_nvml, cache_seconds=1, monotonic=clock.monotonic)
    for _ in range(3):
        gpus.inventory()
        gpus.activity()
    assert nvml.count("nvmlDeviceGetHandleByIndex") == 1
    assert nvml.count("nvmlDeviceGetComputeRunningProcesses") == 1
    clock.advance(timedelta(seconds=1))
    gpus.inventory()
    assert nvml.count("nvmlDeviceGetHandleByIndex") == 2


def test_a_failure_is_not_kept() -> None:
    nvml = FaultyNvml(WHOLE)
    gpus = probe(nvml, cache_seconds=1000)
    nvml.fail("nvmlDeviceGetCount", "unknown", times=1)
    with pytest.raises(Unavailable):
        gpus.inventory()
    assert len(gpus.inventory().slots) == 1


def test_a_driver_that_hangs_is_unavailable_and_holds_one_thread_only() -> None:
    answered = threading.Event()
    nvml = FaultyNvml(WHOLE)

    def hang() -> int:
        assert answered.wait(30)
        return 1

    nvml.answer("nvmlDeviceGetCount", hang)
    gpus = NvmlProbe(nvml.as_nvml, cache_seconds=0, deadline_seconds=0.05)
    before = threading.active_count()
    for _ in range(20):
        with pytest.raises(Unavailable, match=r"has not answered for 0\.05 s"):
            gpus.inventory()
    assert threading.active_count() == before + 1
    assert nvml.count("nvmlDeviceGetCount") == 1
    answered.set()
    wait_until_answering(gpus)


def wait_until_answering(gpus: NvmlProbe) -> None:
    tries = threading.Event()
    for _ in range(200):
        try:
            gpus.inventory()
        except Unavailable:
            tries.wait(0.01)
        else:
            return
    pytest.fail("the probe never recovered")


def test_threads_that_ask_at_once_share_one_reading() -> None:
    nvml = FaultyNvml(WHOLE)
    gpus = NvmlProbe(nvml.as_nvml, cache_seconds=1000)
    barrier = threading.Barrier(8)
    found = []

    def ask() -> None:
        barrier.wait(5)
        found.append(gpus.inventory())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert nvml.count("nvmlDeviceGetHandleByIndex") == 1


def test_an_error_in_the_probe_itself_reaches_the_caller() -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlDeviceGetCount", ZeroDivisionError("a defect"))
    with pytest.raises(ZeroDivisionError):
        probe(nvml).inventory()


def test_the_real_library_is_reported_missing_where_there_is_none() -> None:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        with pytest.raises(Unavailable, match="Library Not Found"):
            NvmlProbe().inventory()
    except pynvml.NVMLError:
        pytest.skip("this machine has an NVIDIA library")
    else:
        pynvml.nvmlShutdown()
        pytest.skip("this machine has an NVIDIA driver")
