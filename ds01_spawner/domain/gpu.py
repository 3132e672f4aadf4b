"""GPUs, MIG instances and the slots that the platform schedules.

A *slot* is a whole GPU (`0`) or one MIG instance (`0:1`). Devices are identified by UUID;
`0:1` is for people, because indices move when a card is replaced.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

FULL_PROFILE = "full"
"""The profile name of a slot that is a whole GPU."""

_PROFILE = re.compile(r"^(?P<slices>\d+)g\.(?P<memory>\d+)gb(?P<attributes>(\+[a-z.]+)*)$")


@dataclass(frozen=True, slots=True)
class MigProfile:
    """The shape of a MIG instance, written `1g.5gb` or `1g.10gb+me`.

    Attributes:
        compute_slices: GPU slices, the number before `g`.
        memory_gb: Marketing gigabytes, the number before `gb`; real bytes come from the device.
        attributes: What follows a `+`, such as `me` (media engines).

    See https://docs.nvidia.com/datacenter/tesla/mig-user-guide/ ("Supported MIG Profiles").
    """

    compute_slices: int
    memory_gb: int
    attributes: tuple[str, ...] = ()

    def __str__(self) -> str:
        suffix = "".join(f"+{attribute}" for attribute in self.attributes)
        return f"{self.compute_slices}g.{self.memory_gb}gb{suffix}"

    @classmethod
    def parse(cls, text: str) -> "MigProfile | None":
        """The profile that `text` spells, or `None` when it is not a profile name."""
        match = _PROFILE.match(text.strip().lower())
        if match is None:
            return None
        attributes = tuple(part for part in match["attributes"].split("+") if part)
        return cls(int(match["slices"]), int(match["memory"]), attributes)


@dataclass(frozen=True, slots=True)
class MigInstance:
    """One MIG device as the driver lists it.

    Attributes:
        uuid: `MIG-…`, what Docker is given.
        index: The driver's index among the MIG devices of its GPU.
        profile: Profile name, such as `2g.10gb`.
        memory_bytes: Framebuffer of the instance.
        compute_slices: Slices of the parent GPU it computes on.
    """

    uuid: str
    index: int
    profile: str
    memory_bytes: int
    compute_slices: int


@dataclass(frozen=True, slots=True)
class Gpu:
    """One physical card.

    Attributes:
        uuid: `GPU-…`.
        index: The driver's index now.
        name: Product name, such as `NVIDIA A100-PCIE-40GB`.
        memory_bytes: Total framebuffer.
        mig_enabled: In MIG mode; such a card is never handed out whole, even with no instances.
        instances: Its MIG devices; empty when MIG is off.
        compute_slices: Slices that a whole card has for MIG (7 on A100 and H100, 4 on A30).
    """

    uuid: str
    index: int
    name: str
    memory_bytes: int
    mig_enabled: bool = False
    instances: tuple[MigInstance, ...] = ()
    compute_slices: int = 7


@dataclass(frozen=True, slots=True)
class Slot:
    """What is handed out: a whole GPU or one MIG instance.

    Attributes:
        id: `0` or `0:1`, for people.
        uuid: The device that Docker is given.
        gpu_uuid: The card it lies on.
        gpu_index: The card's index now.
        profile: `full`, or a MIG profile name.
        memory_bytes: Memory of the slot.
        equivalents: Share of a whole GPU: 1.0, or compute slices / slices of the GPU.
    """

    id: str
    uuid: str
    gpu_uuid: str
    gpu_index: int
    profile: str
    memory_bytes: int
    equivalents: float

    @property
    def is_full(self) -> bool:
        """Whether this slot is a whole GPU."""
        return self.profile == FULL_PROFILE

    @property
    def sort_key(self) -> tuple[int, int]:
        """Orders slots as people read them: by GPU, then by instance."""
        gpu, _, instance = self.id.partition(":")
        return int(gpu), int(instance or 0)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the driver reports now.

    Attributes:
        source: `nvml` or `simulated`.
        gpus: Every card that could be read.
        problems: Sentences about what could not be read; a slot that is not listed is not free.
    """

    source: str
    gpus: tuple[Gpu, ...]
    problems: tuple[str, ...] = ()
    slots: tuple[Slot, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", tuple(slots_of(self.gpus)))

    def slot_by_uuid(self, uuid: str) -> Slot | None:
        """The slot with this device UUID, or `None`."""
        return next((slot for slot in self.slots if slot.uuid == uuid), None)


def slots_of(gpus: tuple[Gpu, ...]) -> Iterator[Slot]:
    """Every slot of these cards, in the order people read them."""
    for gpu in sorted(gpus, key=lambda card: card.index):
        if not gpu.mig_enabled:
            yield Slot(
                id=str(gpu.index),
                uuid=gpu.uuid,
                gpu_uuid=gpu.uuid,
                gpu_index=gpu.index,
                profile=FULL_PROFILE,
                memory_bytes=gpu.memory_bytes,
                equivalents=1.0,
            )
            continue
        for instance in sorted(gpu.instances, key=lambda mig: mig.index):
            yield Slot(
                id=f"{gpu.index}:{instance.index}",
                uuid=instance.uuid,
                gpu_uuid=gpu.uuid,
                gpu_index=gpu.index,
                profile=instance.profile,
                memory_bytes=instance.memory_bytes,
                equivalents=instance.compute_slices / gpu.compute_slices,
            )


@dataclass(frozen=True, slots=True)
class SlotActivity:
    """What a slot does at this moment; `None` where the driver does not say.

    Attributes:
        utilisation: Share of time a kernel ran, 0 to 1.
        memory_used_bytes: Memory in use.
        pids: Host process ids that compute on it.
    """

    utilisation: float | None = None
    memory_used_bytes: int | None = None
    pids: tuple[int, ...] = ()
