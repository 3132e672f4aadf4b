"""What a crash leaves behind, and what is to be done about it. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation
from ds01_spawner.domain.container import Container, ContainerState

GRACE = timedelta(minutes=2)
"""Unless told otherwise, nothing younger is repaired: somebody may be at work on it."""

LOST_AT_START = timedelta(hours=1)
"""A hub that crashes during a start forgets a young container. One that forgets an old container
has lost its database: what runs in it may be days of training, so it is reported and left alone."""

_MOST_EQUIVALENTS = 4096.0


@dataclass(frozen=True, slots=True)
class Repair:
    """A container that is to be removed.

    Attributes:
        container: Which.
        action: The event's action.
        reason: Why, as a sentence.
    """

    container: Container
    action: str
    reason: str

    @property
    def identity(self) -> tuple[str, ...]:
        """The same at every look."""
        return "container", self.container.id

    @property
    def is_doubtful(self) -> bool:
        """Whether two looks in a row must find it: something may be at work in it."""
        return self.container.state.is_live


def repairs(  # noqa: PLR0913 - the facts of one pass
    containers: Iterable[Container],
    *,
    instance: str,
    reservations: Iterable[Reservation],
    hub_servers: Collection[tuple[str, str]] | None,
    now: datetime,
    grace: timedelta = GRACE,
) -> tuple[Repair, ...]:
    """The containers of this installation that should not be there any more.

    Args:
        containers: All of the engine's.
        instance: Id of this installation; others' containers are left alone.
        reservations: All of the ledger's.
        hub_servers: (user, server) that the hub has, or `None` when it could not be asked.
        now: The moment.
        grace: Nothing younger is repaired.
    """
    promised = {entry.container_name for entry in reservations if entry.expires_at > now}
    found = (
        _repair(container, hub_servers, now)
        for container in containers
        if container.labels.get(labels.INSTANCE) == instance
        and container.labels.get(labels.MANAGED) == "true"
        and container.name not in promised
        and now - _made(container) >= grace
    )
    return tuple(repair for repair in found if repair is not None)


def _repair(
    container: Container,
    hub_servers: Collection[tuple[str, str]] | None,
    now: datetime,
) -> Repair | None:
    if container.state is ContainerState.CREATED:
        if container.labels.get(labels.INTERFACE) != labels.Interface.HUB:
            return None  # somebody may start it yet
        return Repair(container, "cleanup.orphan", "It was created and never started.")
    if container.state.is_live:
        young = now - _made(container) < LOST_AT_START
        if young and is_forgotten(container, hub_servers):
            return Repair(container, "cleanup.orphan", "The hub has no such server.")
    return None


def _made(container: Container) -> datetime:
    granted = labels.parse_timestamp(container.labels.get(labels.CREATED_AT, ""))
    return granted or container.created_at


def lapsed(
    reservations: Iterable[Reservation], containers: Iterable[Container], now: datetime
) -> tuple[Reservation, ...]:
    """Promises that ran out without the container they were for: their launch died."""
    made = {
        (each.name, labels.parse_timestamp(each.labels.get(labels.CREATED_AT, "")))
        for each in containers
    }
    return tuple(
        entry
        for entry in reservations
        if entry.expires_at <= now and (entry.container_name, entry.created_at) not in made
    )


def is_forgotten(container: Container, hub_servers: Collection[tuple[str, str]] | None) -> bool:
    """Whether a container came through the hub and the hub has no server that it would be."""
    marks = container.labels
    if hub_servers is None or marks.get(labels.INTERFACE) != labels.Interface.HUB:
        return False
    return labels.hub_server_of(marks) not in hub_servers


def is_outlived(
    container: Container,
    instance: str,
    hub_servers: Collection[tuple[str, str]] | None,
    now: datetime,
) -> bool:
    """Whether a container of this installation runs, forgotten, for too long to be repaired."""
    return (
        container.state.is_live
        and container.labels.get(labels.INSTANCE) == instance
        and now - container.created_at > LOST_AT_START
        and is_forgotten(container, hub_servers)
    )
