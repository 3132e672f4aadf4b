"""Whether a request can be granted now, and with which slots. A verdict is data."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ds01_spawner.domain.errors import Refused
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.occupancy import Occupancy, SlotState
from ds01_spawner.domain.quota import (
    TOLERANCE,
    Asker,
    equivalents_left,
    first_broken_limit,
    fitting_slots,
    promised_uuids,
    replaced_uses,
    slot_size,
)
from ds01_spawner.domain.request import GpuKind, GpuRequest
from ds01_spawner.domain.strategies import Strategy

_KEPT_RANK = {SlotState.RESERVED: 0, SlotState.ALLOCATED: 1, SlotState.HELD: 1}
_NOT_KEPT = 2


@dataclass(frozen=True, slots=True)
class Granted:
    """The request fits; these slots are for it."""

    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class NothingFree:
    """The request is allowed and would fit, but what it needs is in use.

    Attributes:
        reason: A sentence saying what is in use.
        states: The same as figures: how many of the slots that would do are doing what.
    """

    reason: str
    states: Mapping[SlotState, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The request is not allowed, now or ever; waiting in the queue does not help."""

    error: Refused


Verdict = Granted | NothingFree | Rejected


def decide(
    request: GpuRequest,
    asker: Asker,
    occupancy: Occupancy,
    strategy: Strategy,
    *,
    withheld: Collection[str] = (),
) -> Verdict:
    """The verdict on `request` at this moment.

    Args:
        request: What is asked for.
        asker: Who asks.
        occupancy: Who has what.
        strategy: Orders slots of the same size.
        withheld: UUIDs of free slots kept for somebody who waits longer.
    """
    fitting = fitting_slots(request, asker.limits, occupancy.slots)
    error = first_broken_limit(request, asker, occupancy, fitting)
    if error is not None:
        return Rejected(error)
    if request.kind is GpuKind.NONE:
        return Granted(())
    slots = _choose(request, asker, occupancy, strategy, fitting, withheld)
    if slots is None:
        return _nothing_free(fitting, occupancy)
    return Granted(slots)


def _choose(  # noqa: PLR0913, PLR0917 - the facts of one choice
    request: GpuRequest,
    asker: Asker,
    occupancy: Occupancy,
    strategy: Strategy,
    fitting: Sequence[Slot],
    withheld: Collection[str],
) -> tuple[Slot, ...] | None:
    kept = {use.slot.uuid: _KEPT_RANK[use.state] for use in replaced_uses(asker, occupancy)}
    free = {use.slot.uuid for use in occupancy.uses if use.state is SlotState.FREE}
    candidates = [
        slot
        for slot in fitting
        if slot.uuid in kept or (slot.uuid in free and slot.uuid not in withheld)
    ]
    if len(candidates) < request.count:
        return None
    load: defaultdict[str, float] = defaultdict(float)
    for use in occupancy.uses:
        if use.state is not SlotState.FREE and use.slot.uuid not in kept:
            load[use.slot.gpu_uuid] += use.slot.equivalents
    room = equivalents_left(asker, occupancy)
    promised = promised_uuids(asker, occupancy)
    # Kept slots may be too large for what is left of the ceiling: then the smallest will do, and
    # those promised already, which count anyhow.
    for preferred in (kept, dict.fromkeys(promised, 0)):
        chosen = _pick(candidates, request.count, preferred, load.copy(), strategy)
        cost = sum(slot.equivalents for slot in chosen if slot.uuid not in promised)
        if room is None or cost <= room + TOLERANCE:
            return tuple(sorted(chosen, key=lambda slot: slot.sort_key))
    return None


def _pick(
    candidates: Iterable[Slot],
    count: int,
    kept: Mapping[str, int],
    load: dict[str, float],
    strategy: Strategy,
) -> list[Slot]:
    """Kept slots first, then the smallest, then as the strategy says, then in order."""
    classes: defaultdict[tuple[int, tuple[float, int]], list[Slot]] = defaultdict(list)
    for slot in candidates:
        classes[kept.get(slot.uuid, _NOT_KEPT), slot_size(slot)].append(slot)
    chosen: list[Slot] = []
    for _, equal in sorted(classes.items()):
        while equal and len(chosen) < count:
            best = min(equal, key=lambda slot: strategy(slot, load))
            equal.remove(best)
            chosen.append(best)
            load[best.gpu_uuid] = load.get(best.gpu_uuid, 0.0) + best.equivalents
    return chosen


def _nothing_free(fitting: Sequence[Slot], occupancy: Occupancy) -> NothingFree:
    uuids = {slot.uuid for slot in fitting}
    states = Counter(use.state for use in occupancy.uses if use.slot.uuid in uuids)
    words = {
        SlotState.ALLOCATED: "in use",
        SlotState.RESERVED: "just being given",
        SlotState.HELD: "held for a stopped container",
        SlotState.FOREIGN: "used outside the platform",
        SlotState.UNAVAILABLE: "not readable",
        SlotState.FREE: "free, but kept for somebody who waits longer or too few",
    }
    listed = ", ".join(f"{states[state]} {words[state]}" for state in words if states[state])
    return NothingFree(f"Of {len(fitting)} slots that would do: {listed}.", states)
