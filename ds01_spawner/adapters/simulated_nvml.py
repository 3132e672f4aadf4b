"""NVML without cards: the same functions, answered from `gpu-config.yaml`.

It stands below the adapter, so that everything above NVML is exercised as on a real machine. What
the cards do (load, processes, faults) may change while the platform runs: `simulated_state`.
"""
# ruff: noqa: N802 - the names are NVIDIA's

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from uuid import NAMESPACE_OID, uuid5

import pynvml

from ds01_spawner.adapters.simulated_state import (
    DeviceState,
    HealthState,
    SimulatedState,
    StateFile,
)
from ds01_spawner.domain.card_models import CardModel
from ds01_spawner.domain.gpu import MigProfile
from ds01_spawner.policy.gpu_config import Simulation

T = TypeVar("T")

_MIB = 1024**2
_IDLE_WATTS, _LOAD_WATTS = 50.0, 200.0
"""What a card of the simulation takes, and how much more at full load."""

_COOL_CELSIUS, _HOT_CELSIUS = 34.0, 71.0
"""How warm it is without load, and with all of it."""

_SLICES_OF = {
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE: 1,
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE: 2,
    pynvml.NVML_GPU_INSTANCE_PROFILE_3_SLICE: 3,
    pynvml.NVML_GPU_INSTANCE_PROFILE_4_SLICE: 4,
    pynvml.NVML_GPU_INSTANCE_PROFILE_7_SLICE: 7,
}


@dataclass(frozen=True, slots=True)
class _Device:
    """A card, or a MIG device on one."""

    slot_id: str
    uuid: str
    model: CardModel
    memory_bytes: int
    index: int
    instances: tuple["_Device", ...] = ()
    card: "_Device | None" = None
    profile: MigProfile | None = None


class SimulatedNvml:
    """An object with the functions of `pynvml` that `Nvml` names."""

    def __init__(self, simulation: Simulation, state_file: Path | None = None) -> None:
        self._cards = tuple(_cards(simulation))
        self._state_file = StateFile(state_file)
        self._state = SimulatedState()
        self._initialised = 0

    def nvmlInit(self) -> None:
        """Begin."""
        self._initialised += 1
        try:
            self._check()
        except pynvml.NVMLError:
            self._initialised -= 1
            raise

    def nvmlShutdown(self) -> None:
        """End."""
        if self._initialised == 0:
            raise _error("uninitialized")
        self._initialised -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        """A version that says what it is."""
        self._check()
        return "0.0 (simulated)"

    def nvmlDeviceGetCount(self) -> int:
        """Cards, readable or not."""
        self._check()
        return len(self._cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> _Device:
        """A card."""
        self._check()
        if not 0 <= index < len(self._cards):
            raise _error("invalid_argument")
        self._state_of(self._cards[index])
        return self._cards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> _Device:
        """A card or a MIG device."""
        self._check()
        for card in self._cards:
            for device in (card, *card.instances):
                if device.uuid == uuid:
                    self._state_of(device)
                    return device
        raise _error("not_found")

    def nvmlDeviceGetUUID(self, handle: _Device) -> str:
        """The device's UUID."""
        self._state_of(handle)
        return handle.uuid

    def nvmlDeviceGetName(self, handle: _Device) -> str:
        """Product name, with the profile of a MIG device as drivers since 470 give it."""
        self._state_of(handle)
        product = handle.model.product
        return product if handle.profile is None else f"{product} MIG {handle.profile}"

    def nvmlDeviceGetMemoryInfo(self, handle: _Device, version: int | None = None) -> Any:
        """Framebuffer."""
        del version
        used = min(self._state_of(handle).memory_used_bytes, handle.memory_bytes)
        total = handle.memory_bytes
        return SimpleNamespace(total=total, used=used, free=total - used)

    def nvmlDeviceGetMigMode(self, device: _Device) -> list[int]:
        """Mode now and after a reset: the same."""
        self._state_of(device)
        if not device.model.shapes:
            raise _error("not_supported")
        mode = int(bool(device.instances))
        return [mode, mode]

    def nvmlDeviceGetMaxMigDeviceCount(self, device: _Device) -> int:
        """As many as there are compute slices."""
        self._state_of(device)
        return device.model.compute_slices

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: _Device, index: int) -> _Device:
        """A MIG device."""
        self._state_of(device)
        if index >= len(device.instances):
            raise _error("not_found")
        return device.instances[index]

    def nvmlDeviceGetGpuInstanceId(self, device: _Device) -> int:
        """Counts from 1."""
        self._profile_of(device)
        return device.index + 1

    def nvmlDeviceGetComputeInstanceId(self, device: _Device) -> int:
        """Always 0: a compute instance fills its GPU instance."""
        self._profile_of(device)
        return 0

    def nvmlDeviceGetAttributes(self, device: _Device) -> Any:
        """The share of a MIG device."""
        profile = self._profile_of(device)
        is_whole_card = profile.compute_slices == device.model.compute_slices
        return SimpleNamespace(
            gpuInstanceSliceCount=profile.compute_slices,
            computeInstanceSliceCount=profile.usable_slices,
            memorySizeMB=device.memory_bytes // _MIB,
            sharedOfaCount=int(is_whole_card or "+me" in profile.attributes),
        )

    def nvmlDeviceGetGpuInstanceProfileInfo(
        self, device: _Device, profile: int, version: int = 2
    ) -> Any:
        """Size of a profile that the card has."""
        del version
        self._state_of(device)
        slices = _SLICES_OF.get(profile)
        shapes = (MigProfile.parse(name) for name in device.model.shapes)
        if slices is None or slices not in {shape.compute_slices for shape in shapes if shape}:
            raise _error("not_supported")
        return SimpleNamespace(sliceCount=slices)

    def nvmlDeviceGetUtilizationRates(self, handle: _Device) -> Any:
        """Load; not of a card in MIG mode, and of a MIG device only when the state says it."""
        utilisation = self._state_of(handle).utilisation
        if handle.instances or (handle.profile is not None and utilisation is None):
            raise _error("not_supported")
        return SimpleNamespace(gpu=round((utilisation or 0.0) * 100), memory=0)

    def nvmlDeviceGetPowerUsage(self, handle: _Device) -> int:
        """What the state says, or what the load makes likely; not of a MIG device."""
        state = self._card_state(handle)
        if state.power_watts is not None:
            return round(state.power_watts * 1000)
        return round((_IDLE_WATTS + _LOAD_WATTS * self._load(handle)) * 1000)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: _Device) -> int:
        """What the state says."""
        state = self._card_state(handle)
        if state.energy_joules is None:
            raise _error("not_supported")
        return round(state.energy_joules * 1000)

    def nvmlDeviceGetPciInfo(self, handle: _Device) -> Any:
        """The first card is on bus 1."""
        self._health_of(handle)
        return SimpleNamespace(busId=f"00000000:{handle.index + 1:02X}:00.0")

    def nvmlDeviceGetTemperature(self, handle: _Device, sensor: int) -> int:
        """What the state says, or what the load makes likely."""
        del sensor
        celsius = self._health_of(handle).temperature_celsius
        if celsius is not None:
            return celsius
        return round(_COOL_CELSIUS + (_HOT_CELSIUS - _COOL_CELSIUS) * self._load(handle))

    def nvmlDeviceGetTemperatureThreshold(self, handle: _Device, threshold: int) -> int:
        """What the state says."""
        del threshold
        return _stated(self._health_of(handle).slowdown_celsius)

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: _Device) -> int:
        """What the state says."""
        return round(_stated(self._health_of(handle).power_limit_watts) * 1000)

    def nvmlDeviceGetClockInfo(self, handle: _Device, type: int) -> int:  # noqa: A002
        """What the state says."""
        health = self._health_of(handle)
        is_memory = type == pynvml.NVML_CLOCK_MEM
        return _stated(health.memory_megahertz if is_memory else health.sm_megahertz)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: _Device) -> int:
        """What the state says."""
        return _stated(self._health_of(handle).throttle_bits)

    def nvmlDeviceGetTotalEccErrors(
        self,
        handle: _Device,
        errorType: int,  # noqa: N803
        counterType: int,  # noqa: N803
    ) -> int:
        """What the state says."""
        del counterType
        health = self._health_of(handle)
        harmless = errorType == pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED
        return _stated(health.ecc_corrected if harmless else health.ecc_uncorrected)

    def nvmlDeviceGetRetiredPages(
        self,
        device: _Device,
        sourceFilter: int,  # noqa: N803
    ) -> list[int]:
        """As many addresses as the state says."""
        health = self._health_of(device)
        double = sourceFilter == pynvml.NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR
        pages = _stated(health.retired_double_bit if double else health.retired_single_bit)
        return list(range(pages))

    def nvmlDeviceGetRemappedRows(self, device: _Device) -> tuple[int, int, int, int]:
        """What the state says."""
        return _stated(self._health_of(device).remapped_rows)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: _Device) -> list[Any]:
        """Processes that the state names."""
        return _processes(self._state_of(handle), draws=False)

    def nvmlDeviceGetComputeRunningProcesses_v2(self, handle: _Device) -> list[Any]:
        """The same."""
        return self.nvmlDeviceGetComputeRunningProcesses(handle)

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: _Device) -> list[Any]:
        """Processes that the state names."""
        return _processes(self._state_of(handle), draws=True)

    def nvmlDeviceGetProcessUtilization(
        self,
        handle: _Device,
        timeStamp: int,  # noqa: N803
    ) -> list[Any]:
        """One sample of each process whose share the state says; not of a card in MIG mode."""
        state = self._state_of(handle)
        if handle.instances or handle.profile is not None:
            raise _error("not_supported")
        samples = [
            SimpleNamespace(
                pid=each.pid, timeStamp=timeStamp + 1, smUtil=round(each.sm_share * 100)
            )
            for each in state.processes
            if each.sm_share is not None
        ]
        if not samples:
            raise _error("not_found")
        return samples

    def _check(self) -> None:
        if self._initialised == 0:
            raise _error("uninitialized")
        try:
            self._state = self._state_file.current()
        except ValueError as exc:
            raise _error("unknown") from exc
        if self._state.driver_fault is not None:
            raise _error(self._state.driver_fault)

    def _load(self, card: _Device) -> float:
        """How much of a card computes, 0 to 1."""
        parts = card.instances
        shares = [(each, _share(each)) for each in parts] if parts else [(card, 1.0)]
        return sum((self._state_of(each).utilisation or 0.0) * share for each, share in shares)

    def _health_of(self, device: _Device) -> HealthState:
        state = self._state_of(device)
        if device.profile is not None:
            raise _error("not_supported")
        return state.health

    def _card_state(self, device: _Device) -> DeviceState:
        state = self._state_of(device)
        if device.profile is not None or not state.tells_power:
            raise _error("not_supported")
        return state

    def _profile_of(self, device: _Device) -> MigProfile:
        self._state_of(device)
        if device.profile is None:
            raise _error("invalid_argument")
        return device.profile

    def _state_of(self, device: _Device) -> DeviceState:
        """What the device does.

        Raises:
            pynvml.NVMLError: The device, its card or the driver has a fault.
        """
        self._check()
        devices = self._state.devices
        for each in (device.card, device):
            if each is None:
                continue
            state = devices.get(each.uuid) or devices.get(each.slot_id) or DeviceState()
            if state.fault is not None:
                raise _error(state.fault)
        return state


def _processes(state: DeviceState, *, draws: bool) -> list[Any]:
    pids = state.graphics_pids if draws else state.pids
    plain = [SimpleNamespace(pid=pid, usedGpuMemory=None) for pid in pids]
    return plain + [
        SimpleNamespace(pid=each.pid, usedGpuMemory=each.memory_bytes)
        for each in state.processes
        if each.draws is draws
    ]


def _cards(simulation: Simulation) -> list[_Device]:
    cards = []
    for index, card in enumerate(simulation.cards()):
        model = card.card_model
        bare = _Device(
            slot_id=str(index),
            uuid=f"GPU-{uuid5(NAMESPACE_OID, f'ds01/{simulation.seed}/gpu/{index}')}",
            model=model,
            memory_bytes=model.memory_mib * _MIB,
            index=index,
        )
        instances = tuple(
            _instance(simulation.seed, bare, place, profile)
            for place, profile in enumerate(card.mig)
        )
        cards.append(
            _Device(bare.slot_id, bare.uuid, model, bare.memory_bytes, index, instances=instances)
        )
    return cards


def _instance(seed: str, card: _Device, place: int, profile: str) -> _Device:
    name = f"ds01/{seed}/gpu/{card.index}/{place}/{profile}"
    return _Device(
        slot_id=f"{card.index}:{place}",
        uuid=f"MIG-{uuid5(NAMESPACE_OID, name)}",
        model=card.model,
        memory_bytes=card.model.shapes[profile].memory_mib * _MIB,
        index=place,
        card=card,
        profile=MigProfile.parse(profile),
    )


def _share(instance: _Device) -> float:
    """What a MIG device computes on, of its card."""
    slices = instance.profile.usable_slices if instance.profile else 0
    return slices / instance.model.compute_slices


def _stated(value: T | None) -> T:
    """What the state says; a card of which it says nothing does not have the function."""
    if value is None:
        raise _error("not_supported")
    return value


def _error(name: str) -> pynvml.NVMLError:
    code = getattr(pynvml, f"NVML_ERROR_{name.upper()}", pynvml.NVML_ERROR_UNKNOWN)
    return pynvml.NVMLError(code)
