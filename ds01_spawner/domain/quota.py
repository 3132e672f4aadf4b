"""Whether a person's limits allow a request, and how much of them is used."""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, QuotaExceeded, Refused
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.occupancy import Occupancy, SlotState, SlotUse
from ds01_spawner.domain.request import GpuKind, GpuRequest

TOLERANCE = 1e-9
_REPLACED = frozenset({SlotState.RESERVED, SlotState.ALLOCATED, SlotState.HELD})


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, with which limits, for which container.

    Attributes:
        user: The person.
        container_name: Engine name of the container to be. What an older container of that name
            has does not count against the request, because it is replaced. The engine shows one
            container of a name, so its slots can be promised again without being given twice.
        limits: The person's limits.
    """

    user: str
    container_name: str
    limits: Limits


def check_quota(request: GpuRequest, asker: Asker, occupancy: Occupancy) -> Refused | None:
    """The first limit of the asker that the request breaks, or `None`."""
    return first_broken_limit(
        request, asker, occupancy, fitting_slots(request, asker.limits, occupancy.slots)
    )


def first_broken_limit(
    request: GpuRequest, asker: Asker, occupancy: Occupancy, fitting: Sequence[Slot]
) -> Refused | None:
    """`check_quota`, where the slots that would do are known already."""
    error = _check_containers(asker, occupancy)
    if error is not None or request.kind is GpuKind.NONE:
        return error
    return (
        _check_permission(request, asker)
        or _check_slots_per_container(request, asker)
        or _check_existence(request, asker, occupancy, fitting)
        or _check_slots(request, asker, occupancy, fitting)
        or _check_equivalents(request, asker, occupancy, fitting)
    )


def acceptable(request: GpuRequest, limits: Limits, slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """Slots of the size asked for that this person may hold at all, smallest first."""
    return tuple(sorted(fitting_slots(request, limits, slots), key=slot_size))


def fitting_slots(request: GpuRequest, limits: Limits, slots: Iterable[Slot]) -> list[Slot]:
    """`acceptable`, in the order given."""
    accepts = request.accepts
    if limits.allow_full_gpu:
        return [slot for slot in slots if accepts(slot)]
    return [slot for slot in slots if not slot.is_full and accepts(slot)]


def slot_size(slot: Slot) -> tuple[float, int]:
    """Orders slots by what they are worth."""
    return slot.equivalents, slot.memory_bytes


def replaced_uses(asker: Asker, occupancy: Occupancy) -> tuple[SlotUse, ...]:
    """What the container that this request replaces, or an earlier launch of it, has."""
    return tuple(
        use
        for use in occupancy.of(asker.user)
        if use.container == asker.container_name and use.state in _REPLACED
    )


def promised_uuids(asker: Asker, occupancy: Occupancy) -> frozenset[str]:
    """Slots of an earlier launch of this container: they count, but not a second time."""
    return frozenset(
        use.slot.uuid for use in replaced_uses(asker, occupancy) if use.state is SlotState.RESERVED
    )


def _counted(asker: Asker, occupancy: Occupancy) -> tuple[SlotUse, ...]:
    return tuple(
        use
        for use in occupancy.of(asker.user)
        if use.container != asker.container_name or use.state is SlotState.RESERVED
    )


def equivalents_left(asker: Asker, occupancy: Occupancy) -> float | None:
    """What is left of the person's ceiling, or `None` without one."""
    ceiling = asker.limits.max_gpu_equivalents
    if ceiling is None:
        return None
    return ceiling - sum(use.slot.equivalents for use in _counted(asker, occupancy))


def _check_containers(asker: Asker, occupancy: Occupancy) -> Refused | None:
    allowed = asker.limits.max_containers_per_user
    names = [name for name in occupancy.containers_of(asker.user) if name != asker.container_name]
    if allowed is None or len(names) < allowed:
        return None
    if not names:
        next_step = "Ask an administrator to raise max_containers_per_user."
    elif occupancy.starting.isdisjoint((asker.user, name) for name in names):
        next_step = "Stop one first."
    else:
        next_step = (
            "Stop one, or wait a few minutes: what is not started by then gives its place up."
        )
    return QuotaExceeded(
        f"{len(names)} of {allowed} containers are {doing(names, asker.user, occupancy)}"
        f"{_listed(names)}.",
        next_step,
        limit="max_containers_per_user",
        used=len(names),
        asked=1,
        allowed=allowed,
        holders=tuple(own_name(name) for name in names),
    )


def _check_permission(request: GpuRequest, asker: Asker) -> Refused | None:
    if request.kind is GpuKind.FULL and not asker.limits.allow_full_gpu:
        return Forbidden(
            "Whole GPUs are not part of your limits (allow_full_gpu is false).",
            "Choose a MIG slot, or ask an administrator.",
        )
    return None


def _check_slots_per_container(request: GpuRequest, asker: Asker) -> Refused | None:
    allowed = asker.limits.max_gpu_slots_per_container
    if allowed is None or request.count <= allowed:
        return None
    return QuotaExceeded(
        f"{_were_asked_for(request)}; one container may have {allowed}.",
        f"Ask for {allowed} or fewer." if allowed else "Start without a GPU.",
        limit="max_gpu_slots_per_container",
        used=0,
        asked=request.count,
        allowed=allowed,
    )


def _check_existence(
    request: GpuRequest, asker: Asker, occupancy: Occupancy, fitting: Sequence[Slot]
) -> Refused | None:
    if len(fitting) >= request.count:
        return None
    offered = Counter(
        slot.profile for slot in occupancy.slots if asker.limits.allow_full_gpu or not slot.is_full
    )
    listed = ", ".join(f"{count} of {profile}" for profile, count in sorted(offered.items()))
    have = f"You may use: {listed}." if listed else "There is no GPU that you may use."
    return InvalidRequest(
        f"{_begun(str(request))} cannot be given: this server has {len(fitting) or 'no'} such "
        f"slot{'' if len(fitting) == 1 else 's'} that you may use.",
        have,
    )


def _check_slots(
    request: GpuRequest, asker: Asker, occupancy: Occupancy, fitting: Sequence[Slot]
) -> Refused | None:
    allowed = asker.limits.max_gpu_slots
    held = _counted(asker, occupancy)
    promised = promised_uuids(asker, occupancy)
    again = min(request.count, sum(1 for slot in fitting if slot.uuid in promised))
    if allowed is None or len(held) + request.count - again <= allowed:
        return None
    if not held:
        message = f"{_were_asked_for(request)}; you may hold {allowed} at once."
        next_step = f"Ask for {allowed} or fewer." if allowed else "Start without a GPU."
    else:
        message = f"{len(held)} of {allowed} GPU slots in use{_listed(_holders(held))}."
        next_step = _stop_one(held)
    return QuotaExceeded(
        message,
        next_step,
        limit="max_gpu_slots",
        used=len(held),
        asked=request.count,
        allowed=allowed,
        holders=tuple(own_name(name) for name in _holders(held)),
    )


def _check_equivalents(
    request: GpuRequest, asker: Asker, occupancy: Occupancy, fitting: Sequence[Slot]
) -> Refused | None:
    room = equivalents_left(asker, occupancy)
    if room is None:
        return None
    promised = promised_uuids(asker, occupancy)
    costs = (0.0 if slot.uuid in promised else slot.equivalents for slot in fitting)
    asked = sum(heapq.nsmallest(request.count, costs))
    if asked <= room + TOLERANCE:
        return None
    allowed = asker.limits.max_gpu_equivalents or 0.0
    used = allowed - room
    held = _counted(asker, occupancy)
    return QuotaExceeded(
        f"This needs {asked:.2f} GPU-equivalents; you have {used:.2f} of {allowed:.2f} "
        f"in use{_listed(_holders(held))}.",
        _stop_one(held) if held else "Ask for a smaller slot.",
        limit="max_gpu_equivalents",
        used=used,
        asked=asked,
        allowed=allowed,
        holders=tuple(own_name(name) for name in _holders(held)),
    )


def _holders(uses: Iterable[SlotUse]) -> list[str]:
    return list(dict.fromkeys(use.container or "?" for use in uses))


def _stop_one(held: Sequence[SlotUse]) -> str:
    """Which container to give up: one that has stopped costs nobody their work."""
    stopped = next((use for use in held if use.state is SlotState.HELD), None)
    if stopped is None:
        return f"Stop {own_name(held[0].container or '?')} first."
    name = own_name(stopped.container or "?")
    until = f" until {stopped.until:%H:%M} UTC" if stopped.until is not None else ""
    return f"{name} has stopped and keeps its GPU{until}: start that one again, or delete it."


def doing(containers: Iterable[str], user: str, occupancy: Occupancy) -> str:
    """What these of a person's containers do: all run, or some are only promised a place."""
    promised = any((user, name) in occupancy.starting for name in containers)
    return "running or about to start" if promised else "running"


def own_name(container: str) -> str:
    """What a person calls the container that the engine calls `{name}._.{user}`."""
    return container.partition(SEPARATOR)[0]


def _were_asked_for(request: GpuRequest) -> str:
    one = request.count == 1
    return f"{request.count} GPU slot{'' if one else 's'} {'was' if one else 'were'} asked for"


def _begun(text: str) -> str:
    """As a sentence begins."""
    return f"{text[:1].upper()}{text[1:]}"


def _listed(names: Iterable[str]) -> str:
    listed = ", ".join(own_name(name) for name in names)
    return f" ({listed})" if listed else ""
