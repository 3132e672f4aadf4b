"""The functions of NVML that the platform calls, as `pynvml` spells them.

The seam below which GPUs are simulated and faults are injected: `pynvml` itself fits it, and so
does `SimulatedNvml`. Functions are documented at
https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html.
"""
# ruff: noqa: N802 - the names are NVIDIA's

from collections.abc import Sequence
from typing import Any, Protocol

import pynvml

Handle = Any
"""A device, opaque; `pynvml` gives a pointer."""

ABSENT = frozenset({pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND})
"""The card or the driver does not have the function: a fact, not a failure."""

DRIVER_WIDE = frozenset(
    {
        pynvml.NVML_ERROR_UNINITIALIZED,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
    }
)
"""Nothing can be read from any card."""

FAULTS = (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError)
"""Everything that `pynvml` raises; the second is not an `NVMLError`."""


class Memory(Protocol):
    """Framebuffer in bytes."""

    total: int
    used: int


class Utilization(Protocol):
    """Percent of the last sample period in which a kernel ran."""

    gpu: int


class Process(Protocol):
    """A process on a device.

    Attributes:
        pid: Host process id.
        usedGpuMemory: Bytes, or `None` where the driver does not say.
    """

    pid: int
    usedGpuMemory: int | None  # noqa: N815


class ProcessSample(Protocol):
    """How much of a device a process had in a sample period.

    Attributes:
        pid: Host process id.
        timeStamp: End of the period, in microseconds.
        smUtil: Percent of the multiprocessors' time.
    """

    pid: int
    timeStamp: int  # noqa: N815
    smUtil: int  # noqa: N815


class Attributes(Protocol):
    """The share of a card that a MIG device has."""

    sharedOfaCount: int  # noqa: N815
    gpuInstanceSliceCount: int  # noqa: N815
    computeInstanceSliceCount: int  # noqa: N815
    memorySizeMB: int  # noqa: N815


class ProfileInfo(Protocol):
    """What a GPU instance of some profile would have."""

    sliceCount: int  # noqa: N815


class PciInfo(Protocol):
    """Where a card is.

    Attributes:
        busId: Such as `00000000:01:00.0`; older releases of `pynvml` give bytes.
    """

    busId: str | bytes  # noqa: N815


class Nvml(Protocol):
    """What `pynvml` offers of NVML, as far as it is used. Every function raises `NVMLError`."""

    def nvmlInit(self) -> None:
        """Load the library and talk to the driver."""

    def nvmlShutdown(self) -> None:
        """Undo one `nvmlInit`."""

    def nvmlSystemGetDriverVersion(self) -> str:
        """Such as `550.54.15`."""
        ...

    def nvmlDeviceGetCount(self) -> int:
        """Cards, readable or not."""
        ...

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Handle:
        """A card."""
        ...

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Handle:
        """A card or a MIG device."""
        ...

    def nvmlDeviceGetUUID(self, handle: Handle) -> str:
        """`GPU-…`, or `MIG-…` of a MIG device."""
        ...

    def nvmlDeviceGetName(self, handle: Handle) -> str:
        """Product name; newer drivers add ` MIG 1g.5gb` for a MIG device."""
        ...

    def nvmlDeviceGetMemoryInfo(self, handle: Handle, version: int | None = None) -> Memory:
        """Framebuffer; version 2 does not count what the driver reserves as used."""
        ...

    def nvmlDeviceGetMigMode(self, device: Handle) -> Sequence[int]:
        """Mode now, and mode after the next reset."""
        ...

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Handle) -> int:
        """Upper bound of MIG device indices."""
        ...

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Handle, index: int) -> Handle:
        """A MIG device; `NOT_FOUND` where the index is not in use."""
        ...

    def nvmlDeviceGetGpuInstanceId(self, device: Handle) -> int:
        """The GPU instance of a MIG device."""
        ...

    def nvmlDeviceGetComputeInstanceId(self, device: Handle) -> int:
        """The compute instance of a MIG device, within its GPU instance."""
        ...

    def nvmlDeviceGetAttributes(self, device: Handle) -> Attributes:
        """The share of a MIG device."""
        ...

    def nvmlDeviceGetGpuInstanceProfileInfo(
        self, device: Handle, profile: int, version: int = 2
    ) -> ProfileInfo:
        """Size of a profile; `NOT_SUPPORTED` where the card does not have it."""
        ...

    def nvmlDeviceGetUtilizationRates(self, handle: Handle) -> Utilization:
        """Load; `NOT_SUPPORTED` for MIG devices and cards in MIG mode."""
        ...

    def nvmlDeviceGetPowerUsage(self, handle: Handle) -> int:
        """Milliwatts that a card takes now."""
        ...

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Handle) -> int:
        """Millijoules that a card took since its driver was loaded; from Volta on."""
        ...

    def nvmlDeviceGetPciInfo(self, handle: Handle) -> PciInfo:
        """Where a card is."""
        ...

    def nvmlDeviceGetTemperature(self, handle: Handle, sensor: int) -> int:
        """Degrees Celsius."""
        ...

    def nvmlDeviceGetTemperatureThreshold(self, handle: Handle, threshold: int) -> int:
        """Degrees Celsius at which something happens."""
        ...

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: Handle) -> int:
        """Milliwatts."""
        ...

    def nvmlDeviceGetClockInfo(self, handle: Handle, type: int) -> int:  # noqa: A002
        """Megahertz now."""
        ...

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: Handle) -> int:
        """One bit a reason."""
        ...

    def nvmlDeviceGetTotalEccErrors(
        self,
        handle: Handle,
        errorType: int,  # noqa: N803
        counterType: int,  # noqa: N803
    ) -> int:
        """Of the whole card's memory."""
        ...

    def nvmlDeviceGetRetiredPages(
        self,
        device: Handle,
        sourceFilter: int,  # noqa: N803
    ) -> Sequence[object]:
        """Addresses of pages that were retired for one cause; cards before Ampere."""
        ...

    def nvmlDeviceGetRemappedRows(self, device: Handle) -> Sequence[int]:
        """Correctable, uncorrectable, whether one is pending, whether one failed."""
        ...

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Handle) -> Sequence[Process]:
        """Processes with a CUDA context."""
        ...

    def nvmlDeviceGetComputeRunningProcesses_v2(self, handle: Handle) -> Sequence[Process]:
        """The same, of drivers before 510."""
        ...

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: Handle) -> Sequence[Process]:
        """Processes that draw."""
        ...

    def nvmlDeviceGetProcessUtilization(
        self,
        handle: Handle,
        timeStamp: int,  # noqa: N803
    ) -> Sequence[ProcessSample]:
        """Samples newer than `timeStamp`; `NOT_FOUND` without any, `NOT_SUPPORTED` with MIG."""
        ...


def error_code(error: Exception) -> int:
    """The NVML return code that `error` stands for."""
    if isinstance(error, pynvml.NVMLLibraryMismatchError):
        return int(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    return int(getattr(error, "value", pynvml.NVML_ERROR_UNKNOWN))


def is_absent(error: Exception) -> bool:
    """Whether the card or the driver simply does not have the function."""
    return error_code(error) in ABSENT


def is_driver_wide(error: Exception) -> bool:
    """Whether no card can be read."""
    return error_code(error) in DRIVER_WIDE


def sentence(error: Exception) -> str:
    """What NVIDIA calls the error, with one full stop."""
    return f"{str(error).rstrip('.')}."
