"""What a person asks for: a container, and how much GPU with it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.gpu import MigProfile, Slot
from ds01_spawner.domain.labels import DOCKER_DOORS, Interface
from ds01_spawner.domain.names import check_docker_name, check_name, check_project, shown

MAX_SLOTS_PER_REQUEST = 64
_GB = 10**9
_AT_LEAST_GB = re.compile(r"^(?P<gigabytes>[1-9]\d{0,4})\s*gb?$")


class GpuKind(StrEnum):
    """The five ways to say which slots will do."""

    NONE = "none"
    MIG = "mig"
    FULL = "full"
    PROFILE = "profile"
    AT_LEAST = "at_least"


@dataclass(frozen=True, slots=True)
class GpuRequest:
    """A count of slots and what each must be.

    Attributes:
        kind: How a slot is recognised.
        count: Slots wanted; 0 when `kind` is none.
        profile: Profile name, for `PROFILE`.
        min_memory_bytes: Smallest memory of a slot, for `AT_LEAST`.
    """

    kind: GpuKind = GpuKind.NONE
    count: int = 0
    profile: str = ""
    min_memory_bytes: int = 0

    @classmethod
    def parse(cls, size: str, count: int = 1) -> "GpuRequest":
        """The request that `size` spells: `none`, `mig`, `full`, `2g.10gb` or `20gb`.

        `20gb` is "at least 20 GB" in decimal gigabytes, as NVIDIA counts them: a card sold as
        40 GB reports up to 40 GiB, and its `3g.20gb` instance 19.6 GiB.

        Raises:
            InvalidRequest: `size` is none of these, or `count` is not 1 to 64.
        """
        text = size.strip().lower()
        if text in {"none", "0", ""}:
            return cls()
        if isinstance(count, bool) or not 1 <= count <= MAX_SLOTS_PER_REQUEST:
            raise InvalidRequest(
                f"{shown(count)} GPU slots cannot be requested.",
                f"Ask for 1 to {MAX_SLOTS_PER_REQUEST}.",
            )
        if text in {"mig", "full"}:
            return cls(GpuKind(text), count)
        if (profile := MigProfile.parse(text)) is not None:
            return cls(GpuKind.PROFILE, count, profile=str(profile))
        if match := _AT_LEAST_GB.match(text):
            wanted = int(match["gigabytes"]) * _GB
            return cls(GpuKind.AT_LEAST, count, min_memory_bytes=wanted)
        raise InvalidRequest(
            f"{shown(size)} is not a GPU size.",
            "Use none, mig, full, a profile such as 2g.10gb, or a memory size such as 20gb.",
        )

    def accepts(self, slot: Slot) -> bool:
        """Whether `slot` is of the size asked for, free or not."""
        match self.kind:
            case GpuKind.NONE:
                return False
            case GpuKind.MIG:
                return not slot.is_full
            case GpuKind.FULL:
                return slot.is_full
            case GpuKind.PROFILE:
                return slot.profile == self.profile
            case GpuKind.AT_LEAST:
                return slot.memory_bytes >= self.min_memory_bytes

    def __str__(self) -> str:
        if self.kind is GpuKind.NONE:
            return "no GPU"
        return f"a {self._called()}" if self.count == 1 else f"{self.count} {self._called('s')}"

    @property
    def size(self) -> str:
        """What each slot must be, as `parse` takes it."""
        match self.kind:
            case GpuKind.PROFILE:
                return self.profile
            case GpuKind.AT_LEAST:
                return f"{self.min_memory_bytes // _GB}gb"
            case _:
                return self.kind.value

    @property
    def shortage(self) -> str:
        """`No slot of 2g.10gb is free`: so few are free that this cannot be given now."""
        if self.count == 1:
            return f"No {self._called()} is free"
        return f"Fewer than {self.count} {self._called('s')} are free"

    def _called(self, plural: str = "") -> str:
        match self.kind:
            case GpuKind.MIG:
                return f"MIG slot{plural}"
            case GpuKind.FULL:
                return f"whole GPU{plural}"
            case GpuKind.PROFILE:
                return f"slot{plural} of {self.profile}"
            case GpuKind.AT_LEAST if self.min_memory_bytes >= _GB:
                return f"GPU slot{plural} with at least {self.min_memory_bytes // _GB} GB"
            case _:
                return f"GPU slot{plural}"


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """A container somebody wants, as a door gathered it; nothing in it is trusted.

    Attributes:
        user: The person, already authenticated by the door.
        name: What the person calls the container.
        interface: The door.
        image: Image reference.
        gpu: Slots wanted.
        project: Project name, or `None`.
        hub_groups: The person's JupyterHub groups, one of the sources of policy groups.
    """

    user: str
    name: str
    interface: Interface
    image: str
    gpu: GpuRequest = GpuRequest()
    project: str | None = None
    hub_groups: tuple[str, ...] = ()

    def check_names(self) -> None:
        """Return when the names that the person chose can be used.

        Raises:
            InvalidRequest: One cannot.
        """
        check = check_docker_name if self.interface in DOCKER_DOORS else check_name
        check(self.name)
        if self.project is not None:
            check_project(self.project)
