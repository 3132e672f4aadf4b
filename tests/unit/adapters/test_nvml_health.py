from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.nvml_health import bus_id, throttle_reasons
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import (
    DeviceState,
    HealthState,
    SimulatedState,
    write_state,
)
from ds01_spawner.domain.card_health import (
    CardHealth,
    EccErrors,
    RemappedRows,
    RetiredPages,
    ThrottleReason,
)
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.gpu import CardPower
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation
from fakes.nvml import FaultyNvml

WHOLE = SimulatedCard()
SPLIT = SimulatedCard(mig=("3g.20gb",))
FUNCTIONS = (
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetTemperatureThreshold",
    "nvmlDeviceGetEnforcedPowerLimit",
    "nvmlDeviceGetClockInfo",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
    "nvmlDeviceGetTotalEccErrors",
    "nvmlDeviceGetRetiredPages",
    "nvmlDeviceGetRemappedRows",
    "nvmlDeviceGetPciInfo",
)


def health(nvml: FaultyNvml) -> dict[int, CardHealth]:
    probe = NvmlProbe(nvml.as_nvml)
    index = {gpu.uuid: gpu.index for gpu in probe.inventory().gpus}
    return {index[uuid]: found for uuid, found in probe.health().items()}


def test_a_card_tells_how_it_is() -> None:
    nvml = FaultyNvml(WHOLE)
    single = pynvml.NVML_PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS
    corrected = pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED
    answers: dict[str, Callable[..., Any]] = {
        "nvmlDeviceGetPowerUsage": lambda _: 251_500,
        "nvmlDeviceGetTotalEnergyConsumption": lambda _: 7_200_500,
        "nvmlDeviceGetTemperature": lambda _, sensor: 61 + sensor,
        "nvmlDeviceGetTemperatureThreshold": lambda _, kind: 92 if kind == 1 else 0,
        "nvmlDeviceGetEnforcedPowerLimit": lambda _: 300_000,
        "nvmlDeviceGetClockInfo": lambda _, kind: 1215 if kind == pynvml.NVML_CLOCK_MEM else 1410,
        "nvmlDeviceGetCurrentClocksThrottleReasons": lambda _: 0x4 | 0x1,
        "nvmlDeviceGetTotalEccErrors": lambda _, kind, _counter: 5 if kind == corrected else 2,
        "nvmlDeviceGetRetiredPages": lambda _, cause: [1, 2, 3] if cause == single else [9],
        "nvmlDeviceGetRemappedRows": lambda _: (1, 2, 1, 0),
        "nvmlDeviceGetPciInfo": lambda _: SimpleNamespace(busId=b"00000000:3B:00.0\0"),
    }
    for function, answer in answers.items():
        nvml.answer(function, answer)
    assert health(nvml) == {
        0: CardHealth(
            power=CardPower(251.5, 7200.5),
            temperature_celsius=61.0,
            slowdown_celsius=92.0,
            power_limit_watts=300.0,
            sm_hertz=1.41e9,
            memory_hertz=1.215e9,
            throttled=frozenset({ThrottleReason.POWER}),
            ecc=EccErrors(5, 2),
            retired=RetiredPages(3, 1),
            remapped=RemappedRows(1, 2, pending=True, failed=False),
            pci_bus_id="0000:3b:00",
        )
    }


@pytest.mark.parametrize("error", ["not_supported", "function_not_found", "unknown"])
def test_what_a_card_does_not_have_is_none(error: str) -> None:
    nvml = FaultyNvml(WHOLE)
    for function in FUNCTIONS:
        nvml.fail(function, error)
    assert health(nvml) == {0: CardHealth()}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_one_figure_that_fails_takes_no_other_with_it(function: str) -> None:
    nvml = FaultyNvml(WHOLE)
    before = health(nvml)[0]
    nvml.fail(function, "not_supported")
    after = health(nvml)[0]
    assert sum(left != right for left, right in zip(_flat(before), _flat(after), strict=True)) <= 2


def test_a_lost_card_takes_no_others_with_it() -> None:
    nvml = FaultyNvml(WHOLE, WHOLE)
    nvml.inner.nvmlInit()
    uuid = nvml.inner.nvmlDeviceGetUUID(nvml.inner.nvmlDeviceGetHandleByIndex(0))
    nvml.fail("nvmlDeviceGetHandleByUUID", "gpu_is_lost", on=lambda asked: asked == uuid)
    assert set(health(nvml)) == {1}


def test_a_driver_that_is_gone_is_unavailable() -> None:
    nvml = FaultyNvml(WHOLE)
    probe = NvmlProbe(nvml.as_nvml)
    probe.inventory()
    nvml.fail("nvmlDeviceGetTemperature", "driver_not_loaded")
    with pytest.raises(Unavailable, match="cannot be read"):
        probe.health()


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0, set()),
        (0x1 | 0x2 | 0x100, set()),
        (0x4, {ThrottleReason.POWER}),
        (0x80, {ThrottleReason.POWER}),
        (0x20, {ThrottleReason.THERMAL}),
        (0x8 | 0x40, {ThrottleReason.HW_SLOWDOWN, ThrottleReason.THERMAL}),
        (0x10, {ThrottleReason.SYNC}),
        (0x4000, {ThrottleReason.OTHER}),
    ],
)
def test_bits_of_the_driver_are_reasons(bits: int, expected: set[ThrottleReason]) -> None:
    assert throttle_reasons(bits) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00000000:3B:00.0", "0000:3b:00"),
        ("0000:01:00.0", "0000:01:00"),
        (b"00010000:C1:00.0\0\0", "10000:c1:00"),
        ("", None),
        ("nonsense", None),
        ("xx:yy:zz.0", None),
    ],
)
def test_a_bus_id_is_written_as_the_kernel_does(text: str | bytes, expected: str | None) -> None:
    assert bus_id(text) == expected


def test_simulated_cards_are_as_the_state_says(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    probe = NvmlProbe(SimulatedNvml(Simulation(gpus=(WHOLE, SPLIT, WHOLE)), path), cache_seconds=0)
    write_state(
        path,
        SimulatedState(
            devices={
                "0": DeviceState(utilisation=1.0),
                "1": DeviceState(
                    health=HealthState(
                        temperature_celsius=95,
                        throttle_bits=0x40,
                        ecc_uncorrected=3,
                        retired_double_bit=2,
                        remapped_rows=(0, 1, 1, 1),
                        power_limit_watts=None,
                    )
                ),
            }
        ),
    )
    cards = {gpu.index: gpu.uuid for gpu in probe.inventory().gpus}
    found = probe.health()
    assert found[cards[0]].temperature_celsius == 71.0
    assert found[cards[2]].temperature_celsius == 34.0
    assert found[cards[0]].power == CardPower(250.0, None)
    assert found[cards[0]].retired == RetiredPages(None, None)
    sick = found[cards[1]]
    assert sick.temperature_celsius == 95.0
    assert sick.throttled == frozenset({ThrottleReason.THERMAL})
    assert sick.ecc == EccErrors(0, 3)
    assert sick.retired == RetiredPages(None, 2)
    assert sick.remapped == RemappedRows(0, 1, pending=True, failed=True)
    assert sick.power_limit_watts is None
    assert [found[cards[index]].pci_bus_id for index in range(3)] == [
        "0000:01:00",
        "0000:02:00",
        "0000:03:00",
    ]


def _flat(found: CardHealth) -> list[object]:
    return [
        found.power.power_watts,
        found.power.energy_joules,
        found.temperature_celsius,
        found.slowdown_celsius,
        found.power_limit_watts,
        found.sm_hertz,
        found.memory_hertz,
        found.throttled,
        found.ecc.corrected,
        found.ecc.uncorrected,
        found.retired.single_bit,
        found.retired.double_bit,
        found.remapped,
        found.pci_bus_id,
    ]
