"""GPUs in memory."""

from collections.abc import Mapping

from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.card_health import CardHealth
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.gpu import CardPower, Gpu, Inventory, MigInstance, Slot, SlotActivity

_GIB = 1024**3


def card(index: int, *profiles: str, name: str = "lab") -> Gpu:
    """An A100 of 40 GB, with MIG instances of these profiles or whole."""
    return Gpu(
        uuid=f"GPU-{name}-{index}",
        index=index,
        name="NVIDIA A100-PCIE-40GB",
        memory_bytes=40 * _GIB,
        mig_enabled=bool(profiles),
        instances=tuple(
            MigInstance(
                uuid=f"MIG-{name}-{index}-{number}",
                index=number,
                profile=profile,
                memory_bytes=int(profile.split(".")[1].removesuffix("gb")) * _GIB,
                compute_slices=int(profile[0]),
            )
            for number, profile in enumerate(profiles)
        ),
    )


def machine(*cards: Gpu, source: str = "nvml") -> Inventory:
    """An inventory of these cards."""
    return Inventory(source, cards)


def small_lab() -> Inventory:
    """Twelve slots: ten MIG instances of three sizes on two cards, and two whole cards."""
    return machine(
        card(0, "2g.10gb", "2g.10gb", "1g.5gb", "1g.5gb", "1g.5gb"),
        card(1, "3g.20gb", "1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb"),
        card(2),
        card(3),
    )


def idle(inventory: Inventory) -> dict[str, SlotActivity]:
    """Nothing runs on any slot."""
    return {slot.uuid: SlotActivity(0.0, 0) for slot in inventory.slots}


class FakeProbe:
    """The `GpuProbe` port.

    Attributes:
        present: The inventory.
        processes: Host process ids that compute on a slot, by UUID.
        unreadable: Slots (UUID) whose activity cannot be read.
        shares: Processes (by slot UUID) of which more is known than their id.
        busy: What slots (UUID) do, where it is not nothing.
        watts: What cards (UUID) take; others do not tell.
        healths: How cards (UUID) are, where they tell.
        stuck: When set, nothing can be read.
    """

    def __init__(self, present: Inventory | None = None) -> None:
        self.present = present or small_lab()
        self.processes: dict[str, tuple[int, ...]] = {}
        self.shares: dict[str, tuple[GpuProcess, ...]] = {}
        self.unreadable: set[str] = set()
        self.busy: dict[str, SlotActivity] = {}
        self.healths: dict[str, CardHealth] = {}
        self.watts: dict[str, CardPower] = {}
        self.stuck = False

    def inventory(self, *, at_once: bool = False) -> Inventory:
        del at_once
        if self.stuck:
            raise Unavailable("The NVIDIA driver does not answer.")
        return self.present

    def activity(self) -> Mapping[str, SlotActivity]:
        if self.stuck:
            raise Unavailable("The NVIDIA driver does not answer.")
        return {
            slot.uuid: self.busy.get(slot.uuid)
            or SlotActivity(0.0, 0, self.processes.get(slot.uuid, ()))
            for slot in self.present.slots
            if slot.uuid not in self.unreadable
        }

    def power(self) -> Mapping[str, CardPower]:
        if self.stuck:
            raise Unavailable("The NVIDIA driver does not answer.")
        return {gpu.uuid: self.watts.get(gpu.uuid, CardPower()) for gpu in self.present.gpus}

    def health(self) -> Mapping[str, CardHealth]:
        if self.stuck:
            raise Unavailable("The NVIDIA driver does not answer.")
        return {
            gpu.uuid: self.healths.get(gpu.uuid)
            or CardHealth(
                power=self.watts.get(gpu.uuid, CardPower()),
                pci_bus_id=f"0000:{gpu.index + 1:02x}:00",
            )
            for gpu in self.present.gpus
        }

    def gpu_processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        if self.stuck:
            raise Unavailable("The NVIDIA driver does not answer.")
        return {
            slot.uuid: self.shares.get(slot.uuid)
            or tuple(GpuProcess(pid, slot.uuid) for pid in self.processes.get(slot.uuid, ()))
            for slot in self.present.slots
            if slot.uuid not in self.unreadable
        }

    def slot(self, slot_id: str) -> Slot:
        """The slot that people call so."""
        return next(slot for slot in self.present.slots if slot.id == slot_id)
