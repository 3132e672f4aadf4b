"""How a card is, through NVML."""

from types import MappingProxyType

import pynvml

from ds01_spawner.adapters.nvml_api import FAULTS, Handle, Nvml, is_driver_wide
from ds01_spawner.adapters.nvml_power import MILLI, power_of
from ds01_spawner.adapters.nvml_scan import told
from ds01_spawner.domain.card_health import (
    CardHealth,
    EccErrors,
    RemappedRows,
    RetiredPages,
    ThrottleReason,
)

_MEGA = 1_000_000
_REASONS = MappingProxyType(
    {
        pynvml.nvmlClocksThrottleReasonSwPowerCap: ThrottleReason.POWER,
        pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown: ThrottleReason.POWER,
        pynvml.nvmlClocksThrottleReasonSwThermalSlowdown: ThrottleReason.THERMAL,
        pynvml.nvmlClocksThrottleReasonHwThermalSlowdown: ThrottleReason.THERMAL,
        pynvml.nvmlClocksThrottleReasonHwSlowdown: ThrottleReason.HW_SLOWDOWN,
        pynvml.nvmlClocksThrottleReasonSyncBoost: ThrottleReason.SYNC,
    }
)
_NO_REASON = (
    pynvml.nvmlClocksThrottleReasonGpuIdle
    | pynvml.nvmlClocksThrottleReasonApplicationsClocksSetting
    | pynvml.nvmlClocksThrottleReasonDisplayClockSetting
)
"""Slow because nothing runs, or because somebody set it so."""

_KNOWN = _NO_REASON | sum(_REASONS)
_BUS_ID_STEPS = 3


def read_health(nvml: Nvml, uuid: str) -> CardHealth | None:
    """How a card is now, or `None` when it cannot be reached.

    What it does not have, or what fails, is missing; the rest may be there.

    Raises:
        pynvml.NVMLError: The driver as a whole does not answer.
    """
    try:
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    except FAULTS as error:
        if is_driver_wide(error):
            raise
        return None
    return CardHealth(
        power=power_of(nvml, handle),
        temperature_celsius=told(
            lambda: float(nvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
        ),
        slowdown_celsius=told(
            lambda: float(
                nvml.nvmlDeviceGetTemperatureThreshold(
                    handle, pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
                )
            )
        ),
        power_limit_watts=told(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / MILLI),
        sm_hertz=_hertz(nvml, handle, pynvml.NVML_CLOCK_SM),
        memory_hertz=_hertz(nvml, handle, pynvml.NVML_CLOCK_MEM),
        throttled=told(
            lambda: throttle_reasons(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
        ),
        ecc=EccErrors(
            corrected=_ecc(nvml, handle, pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
            uncorrected=_ecc(nvml, handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        ),
        retired=RetiredPages(
            single_bit=_retired(
                nvml, handle, pynvml.NVML_PAGE_RETIREMENT_CAUSE_MULTIPLE_SINGLE_BIT_ECC_ERRORS
            ),
            double_bit=_retired(
                nvml, handle, pynvml.NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR
            ),
        ),
        remapped=told(lambda: _remapped(nvml, handle)),
        pci_bus_id=told(lambda: bus_id(nvml.nvmlDeviceGetPciInfo(handle).busId)),
    )


def throttle_reasons(bits: int) -> frozenset[ThrottleReason]:
    """What a driver's bits say; one that is not known here is `OTHER`."""
    found = {reason for bit, reason in _REASONS.items() if bits & bit}
    return frozenset(found | ({ThrottleReason.OTHER} if bits & ~_KNOWN else set()))


def bus_id(text: str | bytes) -> str | None:
    """`00000000:01:00.0` as the kernel writes it: `0000:01:00`; `None` for anything else."""
    word = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    steps = word.strip("\0 ").partition(".")[0].split(":")
    if len(steps) != _BUS_ID_STEPS:
        return None
    try:
        domain, bus, device = (int(step, 16) for step in steps)
    except ValueError:
        return None
    return f"{domain:04x}:{bus:02x}:{device:02x}"


def _hertz(nvml: Nvml, handle: Handle, clock: int) -> float | None:
    return told(lambda: float(nvml.nvmlDeviceGetClockInfo(handle, clock)) * _MEGA)


def _ecc(nvml: Nvml, handle: Handle, kind: int) -> int | None:
    return told(
        lambda: int(nvml.nvmlDeviceGetTotalEccErrors(handle, kind, pynvml.NVML_AGGREGATE_ECC))
    )


def _retired(nvml: Nvml, handle: Handle, cause: int) -> int | None:
    return told(lambda: len(nvml.nvmlDeviceGetRetiredPages(handle, cause)))


def _remapped(nvml: Nvml, handle: Handle) -> RemappedRows:
    correctable, uncorrectable, pending, failed = nvml.nvmlDeviceGetRemappedRows(handle)
    return RemappedRows(int(correctable), int(uncorrectable), bool(pending), bool(failed))
