"""Slots that containers past the platform hold, as the books take them: like those of others. Pure.

Nobody grants them and no log tells of them, so a pass tells the books what it saw: since when a
container runs, by the engine's word, but never since before the pass before, which saw what there
was. A slot that a container of the platform has is that one's alone.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.attribution import Owner
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import Inventory, Slot
from ds01_spawner.domain.names import check_user
from ds01_spawner.domain.occupancy import SlotIndex, Snapshot
from ds01_spawner.domain.usage_intervals import START
from ds01_spawner.domain.usage_projects import OTHER

UNMANAGED = "unmanaged-"
"""Begin of the door of what came through none; its class follows, as in `unmanaged-docker`."""

NOBODY = "unknown"
"""Who holds what is known to be nobody's."""

_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Held:
    """A container past the platform that runs, and the slots that it has to itself.

    Attributes:
        container: It.
        slots: Those.
    """

    container: Container
    slots: tuple[Slot, ...]


def held(snapshot: Snapshot) -> tuple[Held, ...]:
    """Containers past the platform that were given slots, and run; of which any may be unread."""
    index = SlotIndex(snapshot.inventory)
    live = [each for each in snapshot.containers if each.state.is_live]
    taken = {
        uuid for each in live if _is_managed(each) for uuid in labels.gpu_uuids_of(each.labels)
    }
    found = []
    for each in live:
        if _is_managed(each) or not each.demand:
            continue
        own = tuple(slot for slot in index.demanded(each.demand) if slot.uuid not in taken)
        if own or snapshot.inventory.unavailable:
            found.append(Held(each, own))
    return tuple(found)


def with_unread(
    found: Iterable[Held], known: Iterable[UsageInterval], inventory: Inventory
) -> tuple[Held, ...]:
    """With the slots that they had at the last look, and that cannot be read now."""
    silent = {slot.uuid: slot for slot in inventory.unavailable}
    had: dict[str, dict[str, Slot]] = {}
    for each in known:
        if each.ended_at is None and each.gpu_uuid in silent:
            had.setdefault(each.container_id, {})[each.gpu_uuid] = silent[each.gpu_uuid]
    return tuple(
        replace(each, slots=(*each.slots, *had.get(each.container.id, {}).values()))
        for each in found
    )


def only(each: Held, known: Iterable[UsageInterval]) -> Held:
    """With the slots that are booked to it already."""
    booked = {run.gpu_uuid for run in known if run.ended_at is None}
    return replace(each, slots=tuple(slot for slot in each.slots if slot.uuid in booked))


def as_held(each: Held, owner: Owner | None) -> Container:
    """The container with what the books look for on one of the platform's."""
    marks = {
        labels.MANAGED: "true",
        labels.USER: _person(owner),
        labels.GPU_UUIDS: ",".join(slot.uuid for slot in each.slots),
    }
    return replace(each.container, labels=marks)


def starts(
    each: Held,
    owner: Owner,
    known: Collection[UsageInterval],
    before: datetime | None,
    taken_at: datetime,
) -> Iterator[Event]:
    """What a log would have told of these slots, if somebody had written one.

    Args:
        each: A container with slots.
        owner: Whose it is.
        known: Intervals that are known of it.
        before: When somebody looked last, and knew whose it is; `None` for never.
        taken_at: When this was seen.
    """
    began = each.container.started_at or each.container.created_at
    for slot in each.slots:
        runs = [run for run in known if run.gpu_uuid == slot.uuid]
        at = began if _is_new(began, runs, before) else taken_at
        yield Event(
            ts=min(at, taken_at),
            user=_person(owner),
            action=START,
            resource=each.container.name,
            actor="",
            interface=f"{UNMANAGED}{owner.kind.value}",
            details=_details(each, slot, owner),
        )


def _is_new(began: datetime, runs: Sequence[UsageInterval], before: datetime | None) -> bool:
    """Whether it is as true of the slot as of the container that it has it since then."""
    last = max(runs, key=lambda run: run.started_at, default=None)
    if last is None:
        return before is not None and began >= before
    return last.ended_at is None or began > last.ended_at


def _details(each: Held, slot: Slot, owner: Owner) -> Mapping[str, object]:
    return {
        "id": each.container.id,
        "uuids": [slot.uuid],
        "slots": [slot.id],
        "equivalents": round(slot.equivalents, 4),
        "group": _named(owner.group),
        "project": _named((owner.project or "")[:_LONGEST_NAME]),
        "again": True,
    }


def _person(owner: Owner | None) -> str:
    """Who it is; what a label says past the platform may be no name, and the books last."""
    try:
        return check_user((owner.user if owner else None) or NOBODY)
    except InvalidRequest:
        return NOBODY


def _named(said: str | None) -> str:
    """A group or a project, where a label says something that can be one."""
    if not said or len(said) > _LONGEST_NAME or not said.isprintable() or said == OTHER:
        return ""
    return said


def _is_managed(container: Container) -> bool:
    return container.labels.get(labels.MANAGED) == "true"
