"""The GPUs of this machine, through NVIDIA's management library."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

import pynvml

from ds01_spawner.adapters.hang_guard import HangGuard
from ds01_spawner.adapters.nvml_api import FAULTS, Nvml, error_code, sentence
from ds01_spawner.adapters.nvml_health import read_health
from ds01_spawner.adapters.nvml_power import read_power
from ds01_spawner.adapters.nvml_processes import read_processes
from ds01_spawner.adapters.nvml_scan import Reading, read_activity, read_cards
from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.card_health import CardHealth
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.gpu import CardPower, Gpu, Inventory, SlotActivity

T = TypeVar("T")

_SCANS_UNTIL_STEADY = 3
_RECONNECT_SECONDS = 60.0
_NEXT_STEPS = MappingProxyType(
    {
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: (
            "Install the NVIDIA driver, or set `source: simulated` in gpu-config.yaml."
        ),
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED: (
            "Load the NVIDIA kernel module (modprobe nvidia) and look at dmesg."
        ),
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
            "The driver was updated and its kernel module was not reloaded: restart the machine."
        ),
        pynvml.NVML_ERROR_NO_PERMISSION: "Run as a user who may open /dev/nvidiactl.",
    }
)


_SIMULATED = (
    "These GPUs are simulated: simulated-gpus.json in the platform's state folder says that they"
    " fail, or cannot be read."
)


class GpusUnread(Unavailable):
    """The driver does not answer; what to do about it is for administrators."""

    @property
    def told(self) -> DS01Error:
        """What people are told of it."""
        return Unavailable(self.message, "Tell your administrator.")


@dataclass(frozen=True, slots=True)
class _Seen:
    """One reading. Its handles are good for the connection they came from."""

    at: float
    connection: int
    inventory: Inventory
    reading: Reading


@dataclass(slots=True)
class _Connection:
    """What this process knows of the driver; used by one thread at a time."""

    number: int = 0
    opened_at: float | None = None
    remembered: dict[str, Gpu] = field(default_factory=dict)


class NvmlProbe:
    """`GpuProbe` on NVML, safe to use from several threads.

    Readings are kept for `cache_seconds`, so that a decision does not wait for the driver. Every
    call into the driver has a deadline. A reading that fails is never kept.
    """

    def __init__(
        self,
        nvml: Nvml = pynvml,
        *,
        source: str = "nvml",
        cache_seconds: float = 1.0,
        deadline_seconds: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nvml = nvml
        self._source = source
        self._cache_seconds = cache_seconds
        self._monotonic = monotonic
        self._guard = HangGuard("The NVIDIA driver", deadline_seconds)
        self._connection = _Connection()
        self._seen: _Seen | None = None
        self._activity: tuple[float, Mapping[str, SlotActivity]] | None = None

    def inventory(self, *, at_once: bool = False) -> Inventory:
        """Every card and MIG instance, at most `cache_seconds` old.

        Args:
            at_once: Whether that is too old.

        Raises:
            Unavailable: The driver is missing, fails, hangs, or reads no card at all.
        """
        if at_once:
            return self._guard.run(lambda: self._translated(self._again)).inventory
        return (self._fresh() or self._guard.run(self._look)).inventory

    def activity(self) -> Mapping[str, SlotActivity]:
        """What each slot does, by device UUID; a slot that cannot be read is left out.

        Raises:
            Unavailable: As for `inventory`.
        """
        return self._fresh_activity() or self._guard.run(self._watch)

    def power(self) -> Mapping[str, CardPower]:
        """What each card takes at this moment, by its UUID; one that cannot be read is left out.

        Raises:
            Unavailable: As for `inventory`.
        """
        return self._guard.run(lambda: self._translated(self._read_power))

    def health(self) -> Mapping[str, CardHealth]:
        """How each card is at this moment, by its UUID; one that cannot be reached is left out.

        Raises:
            Unavailable: As for `inventory`.
        """
        return self._guard.run(lambda: self._translated(self._read_health))

    def gpu_processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        """Processes on each slot at this moment; a slot that cannot be read is left out.

        Raises:
            Unavailable: As for `inventory`.
        """
        return self._guard.run(lambda: self._translated(self._read_processes))

    def _fresh(self) -> _Seen | None:
        seen = self._seen
        if seen is None or self._monotonic() - seen.at >= self._cache_seconds:
            return None
        return seen

    def _fresh_activity(self) -> Mapping[str, SlotActivity] | None:
        kept = self._activity
        if kept is None or self._monotonic() - kept[0] >= self._cache_seconds:
            return None
        return kept[1]

    def _look(self) -> _Seen:
        return self._translated(self._current)

    def _watch(self) -> Mapping[str, SlotActivity]:
        fresh = self._fresh_activity()  # another thread may have looked while this one waited
        if fresh is not None:
            return fresh
        found = self._translated(self._read_activity)
        self._activity = (self._monotonic(), found)
        return found

    def _current(self) -> _Seen:
        seen = self._fresh()
        if seen is None or seen.connection != self._connection.number:
            seen = self._again()
        return seen

    def _again(self) -> _Seen:
        self._seen = seen = self._read()
        return seen

    def _read_activity(self) -> Mapping[str, SlotActivity]:
        found = {}
        for uuid, handle in self._current().reading.handles.items():
            activity = read_activity(self._nvml, handle)
            if activity is not None:
                found[uuid] = activity
        return MappingProxyType(found)

    def _read_power(self) -> Mapping[str, CardPower]:
        cards = self._current().reading.gpus
        found = {gpu.uuid: read_power(self._nvml, gpu.uuid) for gpu in cards}
        return MappingProxyType({uuid: power for uuid, power in found.items() if power})

    def _read_health(self) -> Mapping[str, CardHealth]:
        cards = self._current().reading.gpus
        found = {gpu.uuid: read_health(self._nvml, gpu.uuid) for gpu in cards}
        return MappingProxyType({uuid: health for uuid, health in found.items() if health})

    def _read_processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        found = {}
        for uuid, handle in self._current().reading.handles.items():
            processes = read_processes(self._nvml, handle, uuid)
            if processes is not None:
                found[uuid] = processes
        return MappingProxyType(found)

    def _translated(self, read: Callable[[], T]) -> T:
        """What `read` returns; a driver that was reloaded meanwhile is opened again, once."""
        try:
            self._connect()
            try:
                return read()
            except pynvml.NVMLError as error:
                if error_code(error) != pynvml.NVML_ERROR_UNINITIALIZED:
                    raise
                self._connection.opened_at = None
                self._connect()
                return read()
        except FAULTS as error:
            self._disconnect()
            raise GpusUnread(
                f"The GPUs cannot be read: {sentence(error)}",
                self._next_step(error),
            ) from error

    def _next_step(self, error: Exception) -> str:
        if self._source == "simulated":
            return _SIMULATED
        return _NEXT_STEPS.get(error_code(error), "Look at nvidia-smi and dmesg on the server.")

    def _connect(self) -> None:
        if self._connection.opened_at is None:
            self._nvml.nvmlInit()
            self._connection.number += 1
            self._connection.opened_at = self._monotonic()

    def _disconnect(self) -> None:
        self._connection.opened_at = None
        with contextlib.suppress(*FAULTS):
            self._nvml.nvmlShutdown()

    def _read(self) -> _Seen:
        self._reconnect_to_find_a_lost_card()
        started_at = self._monotonic()
        remembered = self._connection.remembered
        for _ in range(_SCANS_UNTIL_STEADY):
            reading = read_cards(self._nvml, remembered)
            if reading is not None:
                break
        else:
            raise Unavailable(
                "The GPUs cannot be read: some come and go.", "Look at dmesg on the server."
            )
        if reading.unavailable and not reading.gpus:
            raise Unavailable("No GPU can be read.", " ".join(reading.problems))
        remembered.update({gpu.uuid: gpu for gpu in reading.gpus})
        return _Seen(started_at, self._connection.number, self._inventory_of(reading), reading)

    def _reconnect_to_find_a_lost_card(self) -> None:
        """A card that was reset answers a new connection only."""
        lost = self._seen is not None and self._seen.reading.unavailable
        opened_at = self._connection.opened_at
        if lost and opened_at is not None and self._monotonic() - opened_at > _RECONNECT_SECONDS:
            self._disconnect()
            self._connect()

    def _inventory_of(self, reading: Reading) -> Inventory:
        listed = {gpu.uuid for gpu in reading.gpus}
        listed.update(slot.gpu_uuid for slot in reading.unavailable)
        problems = list(reading.problems)
        if not reading.gpus:
            problems.append("The NVIDIA driver answers and lists no GPU.")
        problems.extend(
            f"GPU {gpu.uuid} ({gpu.name}) was there and is no longer listed by the driver."
            for uuid, gpu in self._connection.remembered.items()
            if uuid not in listed
        )
        return Inventory(
            source=self._source,
            gpus=reading.gpus,
            problems=tuple(problems),
            unavailable=reading.unavailable,
        )
