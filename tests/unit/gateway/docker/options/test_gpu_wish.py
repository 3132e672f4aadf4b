from dataclasses import replace
from typing import Any

import pytest

from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.request import GpuKind, GpuRequest
from ds01_spawner.gateway.docker.options.gpu import (
    ALL,
    GpuAsked,
    candidates,
    environment_within,
    gpu_asked,
)
from ds01_spawner.gateway.docker.reading.go_json import Fields
from fakes.probe import small_lab

SLOTS = small_lab().slots
MIG = [slot for slot in SLOTS if not slot.is_full]
SMALLEST = min(slot.equivalents for slot in SLOTS)


def _asked(
    *requests: dict[str, Any],
    runtime: str = "",
    environment: dict[str, str] | None = None,
    size: str | None = None,
) -> GpuAsked:
    fields = [Fields(each) for each in requests]
    return gpu_asked(fields, runtime, environment or {}, size)[0]


@pytest.mark.parametrize(
    ("request_", "count"),
    [
        ({"Count": 1, "Capabilities": [["gpu"]]}, 1),
        ({"Driver": "nvidia", "Count": 2, "Capabilities": [["gpu", "compute"]]}, 2),
        ({"Count": -1, "Capabilities": [["gpu"]]}, ALL),
        ({"DeviceIDs": ["0", "1"], "Capabilities": [["gpu"]]}, 2),
        ({"DeviceIDs": ["GPU-abc"]}, 1),
        ({"DeviceIDs": ["all"]}, ALL),
        ({"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=1:0"]}, 2),
        ({"Driver": "cdi", "DeviceIDs": ["nvidia.com/mig=all"]}, ALL),
        ({"Count": 0}, 0),
    ],
)
def test_device_requests(request_: dict[str, Any], count: int) -> None:
    assert _asked(request_) == GpuAsked(count)


@pytest.mark.parametrize(
    ("variable", "count"),
    [("all", ALL), ("0", 1), ("0,1", 2), ("MIG-x", 1), ("none", 0), ("void", 0), ("", 0)],
)
@pytest.mark.parametrize("name", ["NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"])
def test_variables(name: str, variable: str, count: int) -> None:
    assert _asked(environment={name: variable}) == GpuAsked(count)


def test_nothing_said_is_nothing_asked() -> None:
    assert _asked(environment={"NVIDIA_DRIVER_CAPABILITIES": "all"}) == GpuAsked()


def test_the_runtime_alone_asks_for_one() -> None:
    assert _asked(runtime="nvidia") == GpuAsked(1)
    assert _asked(runtime="nvidia", environment={"NVIDIA_VISIBLE_DEVICES": "void"}) == GpuAsked()


def test_a_device_request_outweighs_variables() -> None:
    assert _asked({"Count": 1}, environment={"NVIDIA_VISIBLE_DEVICES": "all"}) == GpuAsked(1)


@pytest.mark.parametrize("size", ["none", "0", "None"])
def test_the_size_none_outweighs_everything(size: str) -> None:
    assert _asked({"Count": 2}, size=size) == GpuAsked()


def test_a_size_alone_asks_for_one() -> None:
    assert _asked(size="20gb") == GpuAsked(1, "20gb")
    assert _asked({"Count": 2}, size="mig") == GpuAsked(2, "mig")


def test_who_names_a_device_is_told_that_the_platform_chooses() -> None:
    _, warnings = gpu_asked([Fields({"DeviceIDs": ["3"]})], "", {}, None)
    assert "The platform chooses" in warnings[0]
    assert gpu_asked([Fields({"Count": 1})], "", {}, None)[1] == ()


def test_a_count_is_one_request_for_any_size() -> None:
    (found,) = candidates(GpuAsked(2), Limits(), SLOTS)
    assert found == GpuRequest(GpuKind.AT_LEAST, 2)
    assert all(found.accepts(slot) for slot in SLOTS)
    assert str(found) == "2 GPU slots"


def test_a_size_is_what_it_says() -> None:
    assert candidates(GpuAsked(1, "full"), Limits(), SLOTS) == (GpuRequest(GpuKind.FULL, 1),)


def test_nothing_is_a_request_for_no_gpu() -> None:
    assert candidates(GpuAsked(), Limits(), SLOTS) == (GpuRequest(),)


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({"max_gpu_slots": None}, len(MIG)),
        ({"max_gpu_slots": None, "allow_full_gpu": True}, len(SLOTS)),
        ({"max_gpu_slots": 2}, 2),
        ({"max_gpu_slots": None, "max_gpu_slots_per_container": 1}, 1),
        ({"max_gpu_slots": None, "max_gpu_equivalents": SMALLEST}, 1),
        ({"max_gpu_slots": 0}, 1),
    ],
)
def test_all_is_as_many_as_the_person_may_have_then_fewer(
    changes: dict[str, Any], most: int
) -> None:
    found = candidates(GpuAsked(ALL), replace(Limits(), **changes), SLOTS)
    assert [each.count for each in found] == list(range(most, 0, -1))


def test_what_other_containers_hold_is_taken_off() -> None:
    limits = replace(Limits(), max_gpu_slots=2)
    assert [each.count for each in candidates(GpuAsked(ALL), limits, SLOTS, MIG[:1])] == [1]


def test_variables_that_choose_devices_are_not_passed_on() -> None:
    kept, warnings = environment_within(
        [
            "A=1",
            "NVIDIA_VISIBLE_DEVICES=all",
            "NVIDIA_MIG_CONFIG_DEVICES=all",
            "NVIDIA_GDS=enabled",
            "NVIDIA_DRIVER_CAPABILITIES=all",
            "NVIDIA_API_KEY=x",
            "CUDA_VISIBLE_DEVICES=7",
            "B",
        ],
        1,
    )
    assert kept == ("A=1", "NVIDIA_DRIVER_CAPABILITIES=all", "NVIDIA_API_KEY=x", "B")
    (warning,) = warnings
    assert "CUDA_VISIBLE_DEVICES, NVIDIA_GDS, NVIDIA_MIG_CONFIG_DEVICES." in warning


@pytest.mark.parametrize(
    ("value", "granted", "passes"),
    [
        ("0", 1, True),
        ("1,0", 2, True),
        ("", 0, True),
        ("-1", 0, True),
        ("0", 0, False),
        ("2", 2, False),
        ("GPU-x", 2, False),
        ("٣", 9, False),
        ("9" * 5000, 2, False),
    ],
)
def test_a_choice_among_what_was_granted_stays(value: str, granted: int, passes: bool) -> None:
    kept, _ = environment_within([f"CUDA_VISIBLE_DEVICES={value}"], granted)
    assert bool(kept) is passes
