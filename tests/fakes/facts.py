"""Containers, promises and tickets as engine and ledger would show them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation, Ticket
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.gpu import Inventory, Slot
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.occupancy import Occupancy, SlotState, SlotUse
from ds01_spawner.domain.request import GpuRequest
from fakes.clock import EPOCH

HOUR_AGO = EPOCH - timedelta(hours=1)


def container(  # noqa: PLR0917 - facts
    user: str = "alice",
    slots: Iterable[Slot] = (),
    state: ContainerState = ContainerState.RUNNING,
    name: str = "jupyter",
    finished_at: datetime | None = None,
    demand: DeviceDemand | None = None,
    extra: Mapping[str, str] | None = None,
) -> Container:
    """A container that the platform made for `user`."""
    slots = tuple(slots)
    uuids = tuple(slot.uuid for slot in slots)
    marks = {
        labels.MANAGED: "true",
        labels.USER: user,
        labels.CREATED_AT: labels.format_timestamp(HOUR_AGO),
        labels.INTERFACE: "hub",
    }
    if slots:
        marks[labels.GPU_UUIDS] = ",".join(uuids)
        marks[labels.GPU_SLOTS] = ",".join(slot.id for slot in slots)
        marks[labels.GPU_ALLOCATED_AT] = labels.format_timestamp(HOUR_AGO)
    return Container(
        id=f"{user}-{name}",
        name=container_name(name, user),
        state=state,
        labels={**marks, **(extra or {})},
        created_at=HOUR_AGO,
        finished_at=finished_at,
        demand=DeviceDemand(uuids=uuids) if demand is None else demand,
    )


def foreign_container(
    name: str = "train",
    demand: DeviceDemand | None = None,
    marks: Mapping[str, str] | None = None,
    state: ContainerState = ContainerState.RUNNING,
) -> Container:
    """A container that somebody made without the platform."""
    return Container(name, name, state, marks or {}, HOUR_AGO, demand=demand or DeviceDemand())


def reservation(
    user: str = "alice",
    slots: Iterable[Slot] = (),
    name: str = "jupyter",
    created_at: datetime = EPOCH,
    lifetime: timedelta = timedelta(seconds=90),
) -> Reservation:
    """A promise made at `EPOCH`."""
    slots = tuple(slots)
    return Reservation(
        id=f"{user}-{name}",
        user=user,
        container_name=container_name(name, user),
        gpu_uuids=tuple(slot.uuid for slot in slots),
        gpu_equivalents=sum(slot.equivalents for slot in slots),
        created_at=created_at,
        expires_at=created_at + lifetime,
    )


def ticket(  # noqa: PLR0917 - facts
    user: str,
    gpu: str = "mig",
    count: int = 1,
    priority: int = 10,
    arrival: float = 0,
    overtaken: int = 0,
    name: str = "jupyter",
) -> Ticket:
    """A place in the queue, taken `arrival` seconds after `EPOCH`."""
    moment = EPOCH + timedelta(seconds=arrival)
    return Ticket(
        id=f"ticket of {user}",
        user=user,
        container_name=container_name(name, user),
        gpu=GpuRequest.parse(gpu, count),
        priority=priority,
        created_at=moment,
        seen_at=moment,
        overtaken=overtaken,
    )


def occupied(
    inventory: Inventory,
    holders: Mapping[str, str] | None = None,
    *,
    states: Mapping[str, SlotState] | None = None,
    excluded: Iterable[str] = (),
) -> Occupancy:
    """Who has what, by slot id: `alice`, or `alice/thesis` for a container of another name."""
    uses = []
    containers: dict[tuple[str, str], None] = {}
    for slot in inventory.slots:
        user, _, name = (holders or {}).get(slot.id, "").partition("/")
        state = (states or {}).get(slot.id, SlotState.ALLOCATED if user else SlotState.FREE)
        held_by = container_name(name or "jupyter", user) if user else None
        uses.append(SlotUse(slot, state, user or None, held_by))
        if held_by is not None and state is not SlotState.HELD:
            containers[user, held_by] = None
    return Occupancy(tuple(uses), tuple(containers), excluded_gpus=frozenset(excluded))
