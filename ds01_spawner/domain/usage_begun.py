"""That a container with slots began to run: as the log tells it, as the engine shows it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.usage_waits import figure

PROMISED = timedelta(seconds=90)
"""A slot that was given longer ago was not kept until the container started."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A container with slots was started.

    Attributes:
        container_id: Engine id.
        container_name: Engine name.
        user: Owner.
        at: When.
        allocated_at: When it was given its slots, where that is known.
        uuids: Their devices.
        slot_ids: Their names.
        equivalents: What they count of whole GPUs, together.
        group: Policy group, or empty.
        project: Project, or empty.
        interface: The door.
        again: Whether it may have run before.
    """

    container_id: str
    container_name: str
    user: str
    at: datetime
    allocated_at: datetime | None
    uuids: tuple[str, ...]
    slot_ids: tuple[str, ...]
    equivalents: float
    group: str
    project: str
    interface: str
    again: bool = False

    @property
    def since(self) -> datetime:
        """Since when it has its slots, if this is its first run."""
        given = self.allocated_at
        if given is None or given > self.at:
            return self.at
        return given if self.at - given < PROMISED or not self.again else self.at


def start_details(marks: Mapping[str, str]) -> Mapping[str, object]:
    """What `container.start` tells of a container's slots, so that the log alone is enough."""
    if not labels.gpu_uuids_of(marks):
        return {}
    return {
        "uuids": list(labels.gpu_uuids_of(marks)),
        "equivalents": _equivalents(marks),
        "allocated_at": marks.get(labels.GPU_ALLOCATED_AT, ""),
        "group": marks.get(labels.GROUP, ""),
        "project": marks.get(labels.PROJECT, ""),
    }


def seen_begun(container: Container, at: datetime) -> Begun:
    """What a running container tells by its labels."""
    marks = container.labels
    return Begun(
        container_id=container.id,
        container_name=container.name,
        user=marks.get(labels.USER, ""),
        at=at,
        allocated_at=labels.parse_timestamp(marks.get(labels.GPU_ALLOCATED_AT, "")),
        uuids=labels.gpu_uuids_of(marks),
        slot_ids=_texts(marks.get(labels.GPU_SLOTS)),
        equivalents=_equivalents(marks),
        group=marks.get(labels.GROUP, ""),
        project=marks.get(labels.PROJECT, ""),
        interface=labels.origin_of(marks).value,
    )


def told_begun(container_id: str, event: Event) -> Begun:
    """What a line of the log tells."""
    said = event.details
    return Begun(
        container_id=container_id,
        container_name=event.resource,
        user=event.user or "",
        at=event.ts,
        allocated_at=labels.parse_timestamp(str(said.get("allocated_at", ""))),
        uuids=_texts(said.get("uuids")),
        slot_ids=_texts(said.get("slots")),
        equivalents=figure(said.get("equivalents")),
        group=str(said.get("group") or ""),
        project=str(said.get("project") or ""),
        interface=event.interface,
        again=said.get("again") is True,
    )


def _texts(said: object) -> tuple[str, ...]:
    if isinstance(said, (list, tuple)):
        return tuple(map(str, said))
    return tuple(part for part in str(said or "").split(",") if part)


def _equivalents(marks: Mapping[str, str]) -> float:
    return figure(marks.get(labels.GPU_EQUIVALENTS) or 0)
