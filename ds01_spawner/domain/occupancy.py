"""Who has which slot at this moment, from what the engine shows and what is promised."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import BUILD, Reservation
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.gpu import UNKNOWN_PROFILE, Inventory, Slot, SlotActivity


class SlotState(StrEnum):
    """What a slot is doing, for people and for the allocator. Only `FREE` can be given."""

    FREE = "free"
    RESERVED = "reserved"
    ALLOCATED = "allocated"
    HELD = "held"
    FOREIGN = "foreign"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class SlotUse:
    """One slot and who has it.

    Attributes:
        slot: The slot.
        state: What it is doing.
        user: Who has it; `None` when free or when nobody can be named.
        container: Engine name of the container that has it, or is being made for it.
        since: Since when.
        until: When a hold or a reservation ends; `None` for the others, and for a hold without end.
    """

    slot: Slot
    state: SlotState = SlotState.FREE
    user: str | None = None
    container: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a decision looks at, read at one moment.

    Attributes:
        taken_at: When the reading began.
        inventory: The GPUs.
        activity: What runs on each device, by UUID; a device that is missing could not be read.
        containers: Every container of the engine.
        computing: Ids of the containers whose processes compute on each device, by UUID. Only
            looked for where it decides something (`domain.monitors`); else it is empty.
        elsewhere: Ids of the containers that another installation on this engine made.
    """

    taken_at: datetime
    inventory: Inventory
    activity: Mapping[str, SlotActivity]
    containers: tuple[Container, ...]
    computing: Mapping[str, frozenset[str]] = field(default_factory=dict)
    elsewhere: Collection[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Conflict:
    """A slot that more than one container has.

    Attributes:
        slot: Its id.
        containers: Their engine names, in alphabetical order.
    """

    slot: str
    containers: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(self.containers)
        return f"GPU slot {self.slot} is used by {len(self.containers)} containers: {names}."


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The state of every slot, and what each person has.

    Attributes:
        uses: One entry a slot, in the order people read them.
        containers: (user, engine name) of everything that counts as running or about to run.
        starting: Those of them that are promised a place and do not run yet.
        conflicts: Slots that more than one container has.
        excluded_gpus: Cards (UUID) that are never given through this door, such as those for batch
            work; what somebody has on them still counts against their limits.
        slots: Every slot that may be given, whatever it is doing; not one of unknown size.
    """

    uses: tuple[SlotUse, ...]
    containers: tuple[tuple[str, str], ...]
    conflicts: tuple[Conflict, ...] = ()
    excluded_gpus: frozenset[str] = frozenset()
    starting: frozenset[tuple[str, str]] = frozenset()
    slots: tuple[Slot, ...] = field(init=False, repr=False, compare=False)
    _of: Mapping[str, tuple[SlotUse, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        excluded = self.excluded_gpus
        slots = [
            use.slot
            for use in self.uses
            if use.slot.profile != UNKNOWN_PROFILE and use.slot.gpu_uuid not in excluded
        ]
        of: dict[str, tuple[SlotUse, ...]] = {}
        for use in self.uses:
            if use.user is not None:
                of[use.user] = (*of.get(use.user, ()), use)
        object.__setattr__(self, "slots", tuple(slots))
        object.__setattr__(self, "_of", of)

    def free(self) -> tuple[Slot, ...]:
        """Slots that can be given to anybody."""
        return tuple(
            use.slot
            for use in self.uses
            if use.state is SlotState.FREE and use.slot.gpu_uuid not in self.excluded_gpus
        )

    def with_reserved(self, slots: Collection[Slot], user: str, container: str) -> "Occupancy":
        """As if these slots, and a place among the person's containers, were promised."""
        taken = {slot.uuid for slot in slots}
        uses = tuple(
            SlotUse(use.slot, SlotState.RESERVED, user, container)
            if use.slot.uuid in taken
            else use
            for use in self.uses
        )
        key = user, container
        containers = tuple(dict.fromkeys([*self.containers, key]))
        starting = self.starting if key in self.containers else self.starting | {key}
        return replace(self, uses=uses, containers=containers, starting=starting)

    def of(self, user: str) -> tuple[SlotUse, ...]:
        """What a person has: through any door, and on a card that cannot be read just now, too."""
        return self._of.get(user, ())

    def containers_of(self, user: str) -> tuple[str, ...]:
        """Names of a person's running containers and launches under way."""
        return tuple(name for owner, name in self.containers if owner == user)


HoldOf = Callable[[str, Container], timedelta | None]
"""How long a person's stopped container keeps its slots; `None` is for ever."""

_RANK = {
    SlotState.ALLOCATED: 0,
    SlotState.FOREIGN: 1,
    SlotState.RESERVED: 2,
    SlotState.HELD: 3,
    SlotState.UNAVAILABLE: 4,
}


def occupancy(
    snapshot: Snapshot,
    reservations: Iterable[Reservation],
    hold_of: HoldOf,
    now: datetime,
    excluded_gpus: frozenset[str] = frozenset(),
) -> Occupancy:
    """The state of every slot at `now`.

    A running container has the slots its labels name and the devices the engine gave it. A stopped
    one keeps them for its hold. A created one that never ran has nothing but its reservation.
    Whatever else computes on a slot makes it foreign. A card that could not be read, or a slot
    whose activity could not be read, is unavailable. So is a slot that a container has and the
    driver does not list, but for what another installation has: that may be no card of this one's.
    """
    inventory = snapshot.inventory
    index = SlotIndex(inventory)
    slots = index.by_uuid
    claims: dict[str, list[SlotUse]] = {uuid: [] for uuid in slots}
    reservations = [entry for entry in reservations if entry.expires_at > now]
    promised = {entry.container_name for entry in reservations}
    shown = {
        container.name: labels.parse_timestamp(container.labels.get(labels.CREATED_AT, ""))
        for container in snapshot.containers
        if container.name in promised and container.state is not ContainerState.CREATED
    }
    running: dict[tuple[str, str], None] = {}
    starting: set[tuple[str, str]] = set()
    for container in snapshot.containers:
        owner = labels.owner_of(container.labels)
        if container.state.is_live and owner is not None:
            running[owner, container.name] = None
        told = _container_claims(container, index, hold_of, now)
        for claim in _here(told, index) if container.id in snapshot.elsewhere else told:
            claims.setdefault(claim.slot.uuid, []).append(claim)
    for reservation in reservations:
        if reservation.created_at == shown.get(reservation.container_name):
            continue  # the engine shows the container it was for: labels are the truth now
        key = reservation.user, reservation.container_name
        if key not in running and not reservation.container_name.startswith(BUILD):
            running[key] = None
            starting.add(key)
        for uuid in reservation.gpu_uuids:
            slot = slots.get(uuid)
            if slot is not None:
                claims[uuid].append(_reserved(slot, reservation))
    uses = [
        _resolve(slots[uuid], found, snapshot.activity.get(uuid), now)
        for uuid, found in claims.items()
        if uuid in slots
    ]
    lost = {uuid: found[0] for uuid, found in claims.items() if uuid not in slots and found}
    unread = [
        SlotUse(slot, SlotState.UNAVAILABLE)
        for slot in inventory.unavailable
        if slot.uuid not in lost
    ]
    if lost or unread:
        uses = sorted([*uses, *lost.values(), *unread], key=lambda use: use.slot.sort_key)
    return Occupancy(
        uses=tuple(uses),
        containers=tuple(running),
        conflicts=tuple(_conflicts(claims)),
        excluded_gpus=excluded_gpus,
        starting=frozenset(starting),
    )


def _container_claims(
    container: Container, index: "SlotIndex", hold_of: HoldOf, now: datetime
) -> Iterable[SlotUse]:
    owner = labels.owner_of(container.labels)
    labelled = labels.gpu_uuids_of(container.labels)
    managed = container.labels.get(labels.MANAGED) == "true"
    known = index.by_uuid
    if container.state is ContainerState.CREATED:
        return
    if container.state.is_live or container.state is ContainerState.REMOVING:
        since = labels.parse_timestamp(container.labels.get(labels.GPU_ALLOCATED_AT, ""))
        state = SlotState.ALLOCATED if managed else SlotState.FOREIGN
        demanded = [slot.uuid for slot in index.demanded(container.demand)]
        for uuid in dict.fromkeys([*(labelled if managed else ()), *demanded]):
            slot = known.get(uuid) or _lost_slot(uuid, container, index.inventory)
            lost = uuid not in known
            yield SlotUse(
                slot=slot,
                state=SlotState.UNAVAILABLE if lost else state,
                user=owner,
                container=container.name,
                since=since or container.started_at or container.created_at,
            )
        return
    if not managed or owner is None or not labelled:
        return
    hold = hold_of(owner, container)
    until = None
    if hold is not None and container.finished_at is not None:
        until = container.finished_at + hold
        if until <= now:
            return
    for uuid in labelled:
        if uuid in known:
            yield SlotUse(
                slot=known[uuid],
                state=SlotState.HELD,
                user=owner,
                container=container.name,
                since=container.finished_at,
                until=until,
            )


def _here(claims: Iterable[SlotUse], index: "SlotIndex") -> Iterable[SlotUse]:
    """Those on slots that the inventory has, if only as some that cannot be read."""
    unread = {slot.uuid for slot in index.inventory.unavailable}
    return (each for each in claims if each.slot.uuid in index.by_uuid.keys() | unread)


class SlotIndex:
    """The slots of an inventory, by everything that a container may call them."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.by_uuid = {slot.uuid: slot for slot in inventory.slots}

    @cached_property
    def _by_name(self) -> Mapping[str, Mapping[str, Slot]]:
        found: dict[str, dict[str, Slot]] = {}
        for slot in self.inventory.slots:
            for name in (slot.uuid, slot.gpu_uuid, slot.id, str(slot.gpu_index)):
                found.setdefault(name, {})[slot.uuid] = slot
        return found

    def demanded(self, demand: DeviceDemand) -> tuple[Slot, ...]:
        """Slots that the engine gave a container; a card given whole covers its MIG instances."""
        exact = [self.by_uuid[uuid] for uuid in demand.uuids if uuid in self.by_uuid]
        if not demand.indices and not demand.count and len(exact) == len(demand.uuids):
            return tuple(exact)
        if demand.count < 0:
            return self.inventory.slots
        cards: tuple[str, ...] = ()
        if demand.count > 0:
            indices = sorted({slot.gpu_index for slot in self.inventory.slots})
            cards = tuple(str(index) for index in indices[: demand.count])
        found: dict[str, Slot] = {}
        for name in (*demand.uuids, *demand.indices, *cards):
            found.update(self._by_name.get(name) or self._shortened(name))
        return tuple(found.values())

    def _shortened(self, name: str) -> dict[str, Slot]:
        """NVIDIA's runtime takes the first letters of a UUID, in any case, for the whole."""
        start = name.lower()
        if not start.startswith(("gpu-", "mig-")):
            return {}
        return {
            slot.uuid: slot
            for slot in self.inventory.slots
            if slot.uuid.lower().startswith(start) or slot.gpu_uuid.lower().startswith(start)
        }


def latecomers(containers: Iterable[Container], inventory: Inventory) -> frozenset[str]:
    """Ids of running containers that have a slot which another has had for longer."""
    index = SlotIndex(inventory)
    first: dict[str, Container] = {}
    late: set[str] = set()
    holding = []
    for container in containers:
        ours = container.labels.get(labels.MANAGED) == "true"
        uuids = set(labels.gpu_uuids_of(container.labels)) if ours else set()
        uuids |= {slot.uuid for slot in index.demanded(container.demand)}
        if uuids and container.state.is_live:
            holding.append((container, uuids))
    for container, uuids in sorted(holding, key=lambda each: (_since(each[0]), each[0].id)):
        if any(first.setdefault(uuid, container) is not container for uuid in uuids):
            late.add(container.id)
    return frozenset(late)


def _since(container: Container) -> datetime:
    since = labels.parse_timestamp(container.labels.get(labels.GPU_ALLOCATED_AT, ""))
    return since or container.started_at or container.created_at


def _reserved(slot: Slot, reservation: Reservation) -> SlotUse:
    return SlotUse(
        slot=slot,
        state=SlotState.RESERVED,
        user=reservation.user,
        container=reservation.container_name,
        since=reservation.created_at,
        until=reservation.expires_at,
    )


def _resolve(
    slot: Slot, claims: Sequence[SlotUse], activity: SlotActivity | None, now: datetime
) -> SlotUse:
    best = claims[0] if claims else None
    if len(claims) > 1:
        best = min(claims, key=lambda claim: _RANK[claim.state])
    if best is not None and best.state is not SlotState.HELD:
        return best
    if activity is None:
        return SlotUse(slot=slot, state=SlotState.UNAVAILABLE, since=now)
    if activity.pids:
        return SlotUse(slot=slot, state=SlotState.FOREIGN, since=now)
    return best or SlotUse(slot=slot)


def _conflicts(claims: Mapping[str, Sequence[SlotUse]]) -> Iterable[Conflict]:
    for found in claims.values():
        if len(found) == 1:
            continue
        live = [claim for claim in found if claim.state in {SlotState.ALLOCATED, SlotState.FOREIGN}]
        if len(live) > 1:
            names = sorted(claim.container or "?" for claim in live)
            yield Conflict(live[0].slot.id, tuple(names))


def _lost_slot(uuid: str, container: Container, inventory: Inventory) -> Slot:
    """A slot that a container has and the driver does not list now."""
    unread = next((slot for slot in inventory.unavailable if slot.uuid == uuid), None)
    if unread is not None:
        return unread
    uuids = labels.gpu_uuids_of(container.labels)
    ids = container.labels.get(labels.GPU_SLOTS, "").split(",")
    slot_id = dict(zip(uuids, ids, strict=False)).get(uuid, "0")
    gpu, _, instance = slot_id.partition(":")
    if not (gpu.isdecimal() and (instance or "0").isdecimal()):
        slot_id, gpu = "0", "0"
    equivalents = _lost_equivalents(container, inventory)
    return Slot(slot_id, uuid, uuid, int(gpu), UNKNOWN_PROFILE, 0, equivalents)


def _lost_equivalents(container: Container, inventory: Inventory) -> float:
    """What each lost slot of a container was worth: of the sum in its labels what is left."""
    try:
        total = float(container.labels.get(labels.GPU_EQUIVALENTS, ""))
    except ValueError:
        return 0.0
    uuids = labels.gpu_uuids_of(container.labels)
    listed = (*inventory.slots, *inventory.unavailable)
    known = {slot.uuid: slot.equivalents for slot in listed if slot.uuid in uuids}
    lost = len(uuids) - len(known)
    left = total - sum(known.values())
    return min(left / lost, 1.0) if lost and left > 0 else 0.0  # not of NaN
