"""GPUs, MIG instances and the slots that the platform schedules.

A *slot* is a whole GPU (`0`) or one MIG instance (`0:1`). Devices are identified by UUID;
`0:1` is for people, because indices move when a card is replaced.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

FULL_PROFILE = "full"
"""The profile name of a slot that is a whole GPU."""

UNKNOWN_PROFILE = "unknown"
"""The profile name of a slot on a card that was never read."""

_PROFILE = re.compile(
    r"^(?:(?P<compute>[1-9]\d?)c\.)?(?P<slices>[1-9]\d?)g\.(?P<memory>[1-9]\d{0,3})gb"
    r"(?P<attributes>(?:[+-][a-z][a-z0-9.]*)*)$"
)
_ATTRIBUTE = re.compile(r"[+-][^+-]+")
_MEMORY_FRACTIONS = 8
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class MigProfile:
    """The shape of a MIG instance, written `1g.5gb`, `1g.10gb+me` or `1c.2g.10gb`.

    Attributes:
        compute_slices: GPU slices, the number before `g`.
        memory_gb: Marketing gigabytes, the number before `gb`; real bytes come from the device.
        attributes: What follows, with its sign: `+me` (media engines), `-me`, `+gfx`.
        compute_instance_slices: The number before `c`: slices of a compute instance that is only
            a part of its GPU instance and shares its memory; `None` when it is all of it.

    See https://docs.nvidia.com/datacenter/tesla/mig-user-guide/ ("Supported MIG Profiles").
    """

    compute_slices: int
    memory_gb: int
    attributes: tuple[str, ...] = ()
    compute_instance_slices: int | None = None

    def __str__(self) -> str:
        part = "" if self.compute_instance_slices is None else f"{self.compute_instance_slices}c."
        return f"{part}{self.compute_slices}g.{self.memory_gb}gb{''.join(self.attributes)}"

    @property
    def usable_slices(self) -> int:
        """Slices that a process on such an instance computes on."""
        return self.compute_instance_slices or self.compute_slices

    @classmethod
    def parse(cls, text: str) -> "MigProfile | None":
        """The profile that `text` spells, or `None` when it is not a profile name."""
        match = _PROFILE.match(text.strip().lower())
        if match is None:
            return None
        slices = int(match["slices"])
        compute = int(match["compute"]) if match["compute"] else None
        if compute is not None and compute >= slices:
            return None
        attributes = tuple(_ATTRIBUTE.findall(match["attributes"]))
        return cls(slices, int(match["memory"]), attributes, compute)

    @classmethod
    def derive(
        cls,
        *,
        gpu_slices: int,
        compute_slices: int,
        memory_bytes: int,
        gpu_memory_bytes: int,
        media_extensions: bool,
    ) -> "MigProfile":
        """The profile whose name NVIDIA's tools give to an instance with these figures.

        Memory is named after the card's: the share of the framebuffer, rounded up to eighths,
        times the card's gigabytes rounded up. That names 16 GiB of an H200 `18gb`
        (https://github.com/NVIDIA/go-nvlib, `getMigMemorySizeGB`).
        """
        eighths = -(-memory_bytes * _MEMORY_FRACTIONS // gpu_memory_bytes)
        card_gb = -(-gpu_memory_bytes // _GIB)
        memory_gb = (2 * eighths * card_gb + _MEMORY_FRACTIONS) // (2 * _MEMORY_FRACTIONS)
        return cls(
            compute_slices=gpu_slices,
            memory_gb=memory_gb,
            attributes=("+me",) if media_extensions else (),
            compute_instance_slices=compute_slices if compute_slices < gpu_slices else None,
        )


@dataclass(frozen=True, slots=True)
class MigInstance:
    """One MIG device as the driver lists it.

    Attributes:
        uuid: `MIG-…`, what Docker is given.
        index: The driver's index among the MIG devices of its GPU.
        profile: Profile name, such as `2g.10gb`.
        memory_bytes: Framebuffer of the instance.
        compute_slices: Slices of the parent GPU it computes on.
        gpu_instance_id: The driver's number of its GPU instance on that GPU; `None` where it
            does not say.
    """

    uuid: str
    index: int
    profile: str
    memory_bytes: int
    compute_slices: int
    gpu_instance_id: int | None = None


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
        unavailable: Slots that are there and cannot be read now, as far as they are known; never
            handed out. One of a card that was never read has no UUID and the profile `unknown`.
    """

    source: str
    gpus: tuple[Gpu, ...]
    problems: tuple[str, ...] = ()
    unavailable: tuple[Slot, ...] = ()
    slots: tuple[Slot, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", tuple(slots_of(self.gpus)))


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
class CardPower:
    """What a card takes; `None` where it does not tell.

    Attributes:
        power_watts: At this moment.
        energy_joules: Since its driver was loaded.
    """

    power_watts: float | None = None
    energy_joules: float | None = None


@dataclass(frozen=True, slots=True)
class SlotActivity:
    """What a slot does at this moment; `None` where the driver does not say.

    Attributes:
        utilisation: Share of time a kernel ran, 0 to 1.
        memory_used_bytes: Memory in use.
        pids: Host process ids that compute on it.
        graphics_pids: Host process ids that draw on it; a display server is one of them, so
            these alone do not say that somebody computes.
    """

    utilisation: float | None = None
    memory_used_bytes: int | None = None
    pids: tuple[int, ...] = ()
    graphics_pids: tuple[int, ...] = ()
