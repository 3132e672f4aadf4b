"""`gpu-config.yaml`: where GPUs come from, who they are for, and how they should be divided."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ds01_spawner.domain.card_models import CARD_MODELS, CardModel
from ds01_spawner.domain.gpu import Gpu, Inventory, MigProfile
from ds01_spawner.domain.strategies import STRATEGIES
from ds01_spawner.policy.document import Section, load_document

_GPU_KEY = re.compile(r"^(?:\d{1,3}|GPU-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")


def _profile(text: str) -> str:
    profile = MigProfile.parse(text)
    if profile is None:
        raise ValueError(f"{text!r} is not a MIG profile; write it as nvidia-smi does: 2g.10gb")
    return str(profile)


def _gpu_key(text: str) -> str:
    if not _GPU_KEY.match(text):
        raise ValueError(f"expected a GPU's index (0) or UUID (GPU-…); found {text!r}")
    return text


def _strategy(text: str) -> str:
    if text not in STRATEGIES:
        raise ValueError(f"expected one of {', '.join(STRATEGIES)}; found {text!r}")
    return text


def _model(text: str) -> str:
    if text not in CARD_MODELS:
        raise ValueError(f"expected one of {', '.join(CARD_MODELS)}; found {text!r}")
    return text


Profile = Annotated[str, AfterValidator(_profile), Field(examples=["2g.10gb"])]
GpuKey = Annotated[str, AfterValidator(_gpu_key)]
Strategy = Annotated[str, AfterValidator(_strategy)]
ModelName = Annotated[
    str, AfterValidator(_model), Field(json_schema_extra={"enum": list(CARD_MODELS)})
]


class GpuSource(StrEnum):
    """Where the inventory comes from."""

    AUTO = "auto"
    NVML = "nvml"
    SIMULATED = "simulated"


class GpuUse(StrEnum):
    """Whose work a GPU is for."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class GpuPlan(Section):
    """What one real GPU should be."""

    mig: tuple[Profile, ...] | None = Field(
        default=None,
        description="MIG instances it should have; [] for a whole GPU; absent: left as it is.",
    )
    use: GpuUse = Field(
        default=GpuUse.INTERACTIVE,
        description="interactive: hub, shell and notebooks; batch: kept out of their reach.",
    )


class SimulatedCard(Section):
    """One or more equal GPUs that do not exist."""

    model: ModelName = "A100-40GB"
    count: int = Field(default=1, ge=1, le=512, description="How many GPUs like this.")
    mig: tuple[Profile, ...] = Field(
        default=(), description="MIG instances on each; [] or absent for whole GPUs."
    )

    @property
    def card_model(self) -> CardModel:
        """The figures of its kind."""
        return CARD_MODELS[self.model]

    @model_validator(mode="after")
    def _layout_fits(self) -> Self:
        fault = self.card_model.layout_fault(self.mig) if self.mig else None
        if fault is not None:
            raise ValueError(fault)
        return self


_FIVE_SLOTS = ("2g.10gb", "2g.10gb", "1g.5gb", "1g.5gb", "1g.5gb")
_FIVE_OTHER_SLOTS = ("3g.20gb", "1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb")


class Simulation(Section):
    """The inventory of a machine without NVIDIA driver."""

    seed: str = Field(
        default="ds01",
        min_length=1,
        max_length=200,
        description="Device UUIDs follow from it: two installations with different seeds on one "
        "machine never share a device.",
    )
    gpus: tuple[SimulatedCard, ...] = Field(
        default=(
            SimulatedCard(mig=_FIVE_SLOTS),
            SimulatedCard(mig=_FIVE_OTHER_SLOTS),
            SimulatedCard(count=2),
        ),
        description="The GPUs, in the order of their index.",
    )

    def cards(self) -> Iterator[SimulatedCard]:
        """Each card once, in the order of their index."""
        for card in self.gpus:
            for _ in range(card.count):
                yield card


class GpuConfig(Section):
    """The whole file. Every key may be left out."""

    source: GpuSource = Field(
        default=GpuSource.AUTO,
        description="auto: the NVIDIA driver, or the simulation where there is none at all; "
        "nvml: the driver, always; simulated: the simulation, always.",
    )
    strategy: Strategy = Field(
        default="least_allocated",
        description="least_allocated spreads work over the GPUs; pack keeps whole GPUs free.",
    )
    gpus: dict[GpuKey, GpuPlan] = Field(
        default_factory=dict,
        description="Plans for real GPUs, by index or, better, UUID: indices move.",
    )
    simulated: Simulation = Field(default_factory=Simulation)

    def plan_of(self, gpu: Gpu) -> GpuPlan:
        """What the file says of a card: by UUID, else by index, else nothing."""
        return self.gpus.get(gpu.uuid) or self.gpus.get(str(gpu.index)) or GpuPlan()

    def interactive_gpus(self, inventory: Inventory) -> frozenset[str]:
        """UUIDs of the cards that hub, shell and notebooks may use."""
        return frozenset(
            gpu.uuid for gpu in inventory.gpus if self.plan_of(gpu).use is GpuUse.INTERACTIVE
        )

    def layout_problems(self, inventory: Inventory) -> Iterator[str]:
        """Sentences on where the GPUs are not as this file wants them."""
        known = {key for gpu in inventory.gpus for key in (gpu.uuid, str(gpu.index))}
        known.update(str(slot.gpu_index) for slot in inventory.unavailable)
        known.update(slot.gpu_uuid for slot in inventory.unavailable)
        for key in self.gpus:
            if key not in known:
                yield f"gpu-config.yaml plans GPU {key}, which this machine does not have."
        for gpu in inventory.gpus:
            wanted = self.plan_of(gpu).mig
            is_now = sorted(instance.profile for instance in gpu.instances)
            if wanted is not None and (sorted(wanted) != is_now or bool(wanted) != gpu.mig_enabled):
                yield (
                    f"GPU {gpu.index} is {_layout(is_now, gpu.mig_enabled)}; "
                    f"gpu-config.yaml wants {_layout(sorted(wanted), bool(wanted))}."
                )


def parse_gpu_config(text: str, path: str) -> GpuConfig:
    """The configuration that `text` holds.

    Raises:
        PolicyError: It names file, line, key and what was expected.
    """
    return load_document(text, path, GpuConfig)


def _layout(profiles: list[str], mig_enabled: bool) -> str:  # noqa: FBT001 - reads as a pair
    if not mig_enabled:
        return "a whole GPU"
    return " + ".join(profiles) if profiles else "in MIG mode without instances"
