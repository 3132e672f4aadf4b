"""Whether a request can be granted now, and with which slots. A verdict is data."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, QuotaExceeded, Refused
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.occupancy import Occupancy, SlotState, SlotUse
from ds01_spawner.domain.request import GpuKind, GpuRequest
from ds01_spawner.domain.strategies import GpuLoad, Strategy

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, with which limits, for which container.

    Attributes:
        user: The person.
        container_name: Engine name of the container to be; what an older container of that name
            still holds does not count against the request, because it is replaced.
        limits: The person's limits.
    """

    user: str
    container_name: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Granted:
    """The request fits; these slots are for it."""

    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class NothingFree:
    """The request is allowed and would fit, but what it needs is in use.

    Attributes:
        reason: A sentence saying what is in use.
    """

    reason: str


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
    error = check_quota(request, asker, occupancy)
    if error is not None:
        return Rejected(error)
    if request.kind is GpuKind.NONE:
        return Granted(())
    slots = _choose(request, asker, occupancy, strategy, withheld)
    if slots is None:
        return NothingFree(_why_nothing_free(request, asker, occupancy))
    return Granted(slots)


def check_quota(request: GpuRequest, asker: Asker, occupancy: Occupancy) -> Refused | None:
    """The first limit of the asker that the request breaks, or `None`."""
    checks = (
        _check_containers(asker, occupancy),
        *(
            ()
            if request.kind is GpuKind.NONE
            else (
                _check_permission(request, asker),
                _check_slots_per_container(request, asker),
                _check_existence(request, asker, occupancy),
                _check_slots(request, asker, occupancy),
                _check_equivalents(request, asker, occupancy),
            )
        ),
    )
    return next((error for error in checks if error is not None), None)


def acceptable(request: GpuRequest, limits: Limits, slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """Slots of the size asked for that this person may hold at all, smallest first."""
    fitting = (
        slot
        for slot in slots
        if request.accepts(slot) and (limits.allow_full_gpu or not slot.is_full)
    )
    return tuple(sorted(fitting, key=_size))


def _size(slot: Slot) -> tuple[float, int]:
    return round(slot.equivalents, 6), slot.memory_bytes


def _choose(
    request: GpuRequest,
    asker: Asker,
    occupancy: Occupancy,
    strategy: Strategy,
    withheld: Collection[str],
) -> tuple[Slot, ...] | None:
    own = {use.slot.uuid for use in _replaced(asker, occupancy)}
    state = {use.slot.uuid: use.state for use in occupancy.uses}
    candidates = [
        slot
        for slot in acceptable(request, asker.limits, occupancy.slots)
        if slot.uuid in own
        or (state.get(slot.uuid) is SlotState.FREE and slot.uuid not in withheld)
    ]
    if len(candidates) < request.count:
        return None
    load: defaultdict[str, float] = defaultdict(float)
    for use in occupancy.uses:
        if use.state is not SlotState.FREE and use.slot.uuid not in own:
            load[use.slot.gpu_uuid] += use.slot.equivalents
    chosen: list[Slot] = []
    for _ in range(request.count):
        best = min(candidates, key=lambda slot: _preference(slot, own, load, strategy))
        candidates.remove(best)
        chosen.append(best)
        load[best.gpu_uuid] += best.equivalents
    room = _equivalents_left(asker, occupancy)
    if room is not None and sum(slot.equivalents for slot in chosen) > room + _TOLERANCE:
        return None
    return tuple(sorted(chosen, key=lambda slot: slot.sort_key))


def _preference(
    slot: Slot, own: Collection[str], load: GpuLoad, strategy: Strategy
) -> tuple[bool, tuple[float, int], float, tuple[int, int]]:
    """Own held slots first, then the smallest, then as the strategy says, then in order."""
    return slot.uuid not in own, _size(slot), strategy(slot, load), slot.sort_key


def _replaced(asker: Asker, occupancy: Occupancy) -> tuple[SlotUse, ...]:
    """What the stopped container that this request replaces still holds."""
    return tuple(
        use
        for use in occupancy.of(asker.user)
        if use.container == asker.container_name and use.state is SlotState.HELD
    )


def _counted(asker: Asker, occupancy: Occupancy) -> tuple[SlotUse, ...]:
    return tuple(use for use in occupancy.of(asker.user) if use.container != asker.container_name)


def _equivalents_left(asker: Asker, occupancy: Occupancy) -> float | None:
    ceiling = asker.limits.max_gpu_equivalents
    if ceiling is None:
        return None
    return ceiling - sum(use.slot.equivalents for use in _counted(asker, occupancy))


def _check_containers(asker: Asker, occupancy: Occupancy) -> Refused | None:
    allowed = asker.limits.max_containers_per_user
    names = [name for name in occupancy.containers_of(asker.user) if name != asker.container_name]
    if allowed is None or len(names) < allowed:
        return None
    return QuotaExceeded(
        f"{len(names)} of {allowed} containers are running{_listed(names)}.",
        "Stop one first." if names else "Ask an administrator to raise max_containers_per_user.",
        limit="max_containers_per_user",
        used=len(names),
        asked=1,
        allowed=allowed,
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
        f"{request.count} GPU slots were asked for; one container may have {allowed}.",
        f"Ask for {allowed} or fewer." if allowed else "Start without a GPU.",
        limit="max_gpu_slots_per_container",
        used=0,
        asked=request.count,
        allowed=allowed,
    )


def _check_existence(request: GpuRequest, asker: Asker, occupancy: Occupancy) -> Refused | None:
    fitting = acceptable(request, asker.limits, occupancy.slots)
    if len(fitting) >= request.count:
        return None
    offered = Counter(
        slot.profile for slot in occupancy.slots if asker.limits.allow_full_gpu or not slot.is_full
    )
    listed = ", ".join(f"{count} of {profile}" for profile, count in sorted(offered.items()))
    have = f"You may use: {listed}." if listed else "There is no GPU that you may use."
    return InvalidRequest(
        f"{request} cannot be given: this server has {len(fitting) or 'no'} such "
        f"slot{'' if len(fitting) == 1 else 's'} that you may use.",
        have,
    )


def _check_slots(request: GpuRequest, asker: Asker, occupancy: Occupancy) -> Refused | None:
    allowed = asker.limits.max_gpu_slots
    held = _counted(asker, occupancy)
    if allowed is None or len(held) + request.count <= allowed:
        return None
    if not held:
        message = f"{request.count} GPU slots were asked for; you may hold {allowed} at once."
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
    )


def _check_equivalents(request: GpuRequest, asker: Asker, occupancy: Occupancy) -> Refused | None:
    room = _equivalents_left(asker, occupancy)
    if room is None:
        return None
    smallest = acceptable(request, asker.limits, occupancy.slots)[: request.count]
    asked = sum(slot.equivalents for slot in smallest)
    if asked <= room + _TOLERANCE:
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
    )


def _holders(uses: Iterable[SlotUse]) -> list[str]:
    return list(dict.fromkeys(use.container or "?" for use in uses))


def _stop_one(held: Iterable[SlotUse]) -> str:
    name = own_name(next(iter(held)).container or "")
    return f"Give one back first: ds01 container retire {name}."


def own_name(container: str) -> str:
    """What a person calls the container that the engine calls `{name}._.{user}`."""
    return container.partition(SEPARATOR)[0]


def _listed(names: Iterable[str]) -> str:
    listed = ", ".join(own_name(name) for name in names)
    return f" ({listed})" if listed else ""


def _why_nothing_free(request: GpuRequest, asker: Asker, occupancy: Occupancy) -> str:
    fitting = {slot.uuid for slot in acceptable(request, asker.limits, occupancy.slots)}
    states = Counter(use.state for use in occupancy.uses if use.slot.uuid in fitting)
    words = {
        SlotState.ALLOCATED: "in use",
        SlotState.RESERVED: "just being given",
        SlotState.HELD: "held for a stopped container",
        SlotState.FOREIGN: "used outside the platform",
        SlotState.UNAVAILABLE: "not readable",
        SlotState.FREE: "free, but kept for somebody who waits longer or too few",
    }
    listed = ", ".join(f"{states[state]} {words[state]}" for state in words if states[state])
    return f"Of {len(fitting)} slots that would do: {listed}."
