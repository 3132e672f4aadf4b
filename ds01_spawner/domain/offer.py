"""What a person may choose from at this moment, and why the rest is greyed out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from ds01_spawner.domain.errors import Refused
from ds01_spawner.domain.gpu import FULL_PROFILE, Slot
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.occupancy import Occupancy, SlotState
from ds01_spawner.domain.queue import Standing
from ds01_spawner.domain.quota import Asker, acceptable, check_quota
from ds01_spawner.domain.request import GpuKind, GpuRequest


@dataclass(frozen=True, slots=True)
class SizeOffer:
    """One GPU size.

    Attributes:
        size: What to send back: `none`, `mig`, `full` or a profile.
        memory_bytes: Memory of one such slot; 0 for none.
        equivalents: Share of a GPU.
        free: Slots of this size free now.
        total: Slots of this size on the server.
        waiting: How many people wait for slots of this size.
        refusal: Why the person may not have it now; empty when they may ask.
        next_step: What they could do about a refusal.
        error: The refusal itself, for a door that words it in its own way; `None` without one.
        states: How many slots of this size are doing what.
        place: The place they would get in the queue; 0 when they would be served now.
        max_count: How many of them one container of theirs may have; at least 1.
        waits: How long they would wait for one, for two, up to `max_count` of them: 0 when they
            would be served now, `None` where nothing tells.
    """

    size: str
    memory_bytes: int = 0
    equivalents: float = 0.0
    free: int = 0
    total: int = 0
    waiting: int = 0
    refusal: str = ""
    next_step: str = ""
    error: Refused | None = None
    states: Mapping[SlotState, int] = field(default_factory=dict)
    place: int = 0
    max_count: int = 1
    waits: tuple[timedelta | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything a spawn form says.

    Attributes:
        limits: The person's limits.
        slots_used: GPU slots they have, the server being started not counted.
        containers_used: Containers of theirs that run, the same.
        sizes: GPU sizes, without a GPU first, then smallest first.
        max_count: Largest number of slots the form may offer for one container.
    """

    limits: Limits
    slots_used: int
    containers_used: int
    sizes: tuple[SizeOffer, ...]
    max_count: int


def make_offer(asker: Asker, occupancy: Occupancy, standings: Sequence[Standing]) -> Offer:
    """The offer to this person for this container."""
    slots = occupancy.slots
    profiles = {slot.profile: slot for slot in sorted(slots, key=lambda slot: slot.sort_key)}
    ordered = sorted(profiles.values(), key=lambda slot: (slot.equivalents, slot.memory_bytes))
    mine = [use for use in occupancy.of(asker.user) if use.container != asker.container_name]
    others = [name for name in occupancy.containers_of(asker.user) if name != asker.container_name]
    max_count = _max_count(asker.limits, len(mine), len(slots))
    sizes = [_size("none", GpuRequest(), asker, occupancy, standings)]
    for slot in ordered:
        whole = slot.profile == FULL_PROFILE
        request = GpuRequest(
            GpuKind.FULL if whole else GpuKind.PROFILE, 1, "" if whole else slot.profile
        )
        size = _size(slot.profile, request, asker, occupancy, standings, slot)
        counts = (
            count
            for count in range(2, max_count + 1)
            if check_quota(replace(request, count=count), asker, occupancy) is None
        )
        sizes.append(replace(size, max_count=max(counts, default=1)))
    return Offer(
        limits=asker.limits,
        slots_used=len(mine),
        containers_used=len(others),
        sizes=tuple(sizes),
        max_count=max_count,
    )


def _size(  # noqa: PLR0913, PLR0917 - the facts of one line of the form
    size: str,
    request: GpuRequest,
    asker: Asker,
    occupancy: Occupancy,
    standings: Sequence[Standing],
    example: Slot | None = None,
) -> SizeOffer:
    error = check_quota(request, asker, occupancy)
    fitting = [slot for slot in occupancy.slots if request.accepts(slot)]
    free = {slot.uuid for slot in occupancy.free()}
    own = {
        use.slot.uuid for use in occupancy.of(asker.user) if use.container == asker.container_name
    }
    waiting = sum(
        1
        for standing in standings
        if standing.place > 0 and acceptable(standing.ticket.gpu, _ANY_SIZE, fitting)
    )
    return SizeOffer(
        size=size,
        memory_bytes=example.memory_bytes if example else 0,
        equivalents=example.equivalents if example else 0.0,
        free=sum(1 for slot in fitting if slot.uuid in free or slot.uuid in own),
        total=len(fitting),
        waiting=waiting,
        refusal=error.message if error else "",
        next_step=error.next_step if error else "",
        error=error,
        states=_states(fitting, occupancy),
    )


def _states(fitting: Sequence[Slot], occupancy: Occupancy) -> Mapping[SlotState, int]:
    uuids = {slot.uuid for slot in fitting}
    return Counter(use.state for use in occupancy.uses if use.slot.uuid in uuids)


_ANY_SIZE = Limits(allow_full_gpu=True)


def _max_count(limits: Limits, used: int, total: int) -> int:
    bounds = [total, 8]
    if limits.max_gpu_slots_per_container is not None:
        bounds.append(limits.max_gpu_slots_per_container)
    if limits.max_gpu_slots is not None:
        bounds.append(limits.max_gpu_slots - used)
    return max(min(bounds), 1)
