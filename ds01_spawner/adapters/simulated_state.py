"""What simulated cards do, in a small JSON file that tests and the demo write meanwhile."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ProcessState(BaseModel):
    """A process on a simulated device, beside those that only have an id.

    Attributes:
        pid: Host process id.
        memory_bytes: What it has of the device's memory; `None`: the driver does not say.
        sm_share: 0 to 1; not of MIG instances.
        draws: Whether it only draws.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    memory_bytes: int | None = Field(default=None, ge=0)
    sm_share: float | None = Field(default=None, ge=0, le=1)
    draws: bool = False


class HealthState(BaseModel):
    """How a simulated card is; what is `None` it does not tell, as cards without the function.

    Attributes:
        temperature_celsius: Without it, what its load makes likely.
        slowdown_celsius: From there on it runs slower.
        power_limit_watts: It takes no more.
        sm_megahertz: Clock of the multiprocessors.
        memory_megahertz: Clock of the memory.
        throttle_bits: NVML's bits of why it runs slower.
        ecc_corrected: Errors of memory.
        ecc_uncorrected: Those that did harm.
        retired_single_bit: Pages, on cards before Ampere.
        retired_double_bit: Likewise.
        remapped_rows: Correctable, uncorrectable, whether one is pending, whether one failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature_celsius: int | None = None
    slowdown_celsius: int | None = 92
    power_limit_watts: float | None = 250.0
    sm_megahertz: int | None = 1410
    memory_megahertz: int | None = 1215
    throttle_bits: int | None = 0
    ecc_corrected: int | None = 0
    ecc_uncorrected: int | None = 0
    retired_single_bit: int | None = None
    retired_double_bit: int | None = None
    remapped_rows: tuple[int, int, int, int] | None = (0, 0, 0, 0)


class DeviceState(BaseModel):
    """What a simulated device does.

    Attributes:
        utilisation: 0 to 1. A MIG instance without it says `NOT_SUPPORTED`, as real ones do.
        memory_used_bytes: Framebuffer in use.
        pids: Host process ids that compute on it.
        graphics_pids: Host process ids that draw on it.
        processes: More processes, each with its share.
        power_watts: What a card takes; without it, what its load makes likely.
        energy_joules: What a card took since its driver was loaded; without it, it does not say.
        tells_power: Whether a card says anything of that.
        health: How a card is.
        fault: Name of the NVML error that every call on it gives, such as `gpu_is_lost`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    utilisation: float | None = Field(default=None, ge=0, le=1)
    memory_used_bytes: int = Field(default=0, ge=0)
    pids: tuple[int, ...] = ()
    graphics_pids: tuple[int, ...] = ()
    processes: tuple[ProcessState, ...] = ()
    power_watts: float | None = Field(default=None, ge=0)
    energy_joules: float | None = Field(default=None, ge=0)
    tells_power: bool = True
    health: HealthState = Field(default_factory=HealthState)
    fault: str | None = None


class SimulatedState(BaseModel):
    """What the simulated cards do.

    Attributes:
        devices: By UUID, or by slot id (`0`, `0:1`).
        driver_fault: Name of the NVML error that every call gives, such as `driver_not_loaded`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    devices: Mapping[str, DeviceState] = Field(default_factory=dict)
    driver_fault: str | None = None


def write_state(path: Path, state: SimulatedState) -> None:
    """Make the simulated cards do `state` from the next call on; readers never see half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w") as file:
        file.write(state.model_dump_json())
    Path(name).chmod(0o644)
    Path(name).replace(path)


class StateFile:
    """The file as it is now; parsed again only when it has changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._state = SimulatedState()

    def current(self) -> SimulatedState:
        """What the cards do; nothing while there is no file.

        Raises:
            ValueError: The file cannot be read or is not a `SimulatedState`.
        """
        if self._path is None:
            return self._state
        try:
            status = self._path.stat()
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp != self._stamp:
                self._stamp = None
                self._state = SimulatedState.model_validate_json(self._path.read_text())
                self._stamp = stamp
        except FileNotFoundError:
            self._state, self._stamp = SimulatedState(), None
        except OSError as exc:
            raise ValueError(f"{self._path} cannot be read: {exc}") from exc
        return self._state
