"""What is left behind beside containers: promises, places, cgroups, servers of the hub. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation, Ticket
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.names import DEFAULT_SERVER, SEPARATOR, cgroup_slug
from ds01_spawner.domain.queue import alive
from ds01_spawner.domain.repair import lapsed

ServerKey = tuple[str, str]
"""User and server name, as the hub has them."""


class Kind(StrEnum):
    """What it is."""

    RESERVATION = "reservation"
    TICKET = "ticket"
    CGROUP = "cgroup"
    SERVER = "server"


class _Words(NamedTuple):
    action: str
    reason: str
    shown: str


_WORDS: Mapping[Kind, _Words] = MappingProxyType(
    {
        Kind.RESERVATION: _Words(
            "cleanup.reservation",
            "Its container was never started; what was reserved for it is free.",
            "The reservation for {}",
        ),
        Kind.TICKET: _Words(
            "cleanup.ticket",
            "Nobody waits with this place in the queue any more.",
            "The place in the queue for {}",
        ),
        Kind.CGROUP: _Words(
            "cleanup.cgroup", "Nothing of this person runs.", "The empty cgroup {}"
        ),
        Kind.SERVER: _Words(
            "cleanup.orphan",
            "The hub had this server, and its container is gone.",
            "The hub's entry for {}",
        ),
    }
)
_SEEN_TWICE = frozenset({Kind.CGROUP, Kind.SERVER})


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something of no use any more.

    Attributes:
        kind: What it is.
        key: What tells it from others of its kind: an id, or the two parts of its name.
        user: Whose it is, where that is known.
        resource: What events call it.
        ticket: The place in the queue that it is.
    """

    kind: Kind
    key: tuple[str, ...]
    user: str | None
    resource: str
    ticket: Ticket | None = field(default=None, compare=False)

    @property
    def identity(self) -> tuple[str, ...]:
        """The same at every look."""
        return self.kind, *self.key

    @property
    def action(self) -> str:
        """The event's action when it is cleared away."""
        return _WORDS[self.kind].action

    @property
    def reason(self) -> str:
        """Why, as a sentence."""
        return _WORDS[self.kind].reason

    @property
    def is_doubtful(self) -> bool:
        """Whether two looks in a row must find it: it may be on its way back."""
        return self.kind in _SEEN_TWICE

    def __str__(self) -> str:
        whose = f"{self.user}: {self.resource}" if self.kind is Kind.SERVER else self.resource
        return _WORDS[self.kind].shown.format(whose)


def dead_tickets(tickets: Iterable[Ticket], now: datetime) -> tuple[Leftover, ...]:
    """Places in the queue that nobody waits with."""
    every = tuple(tickets)
    living = {ticket.id for ticket in alive(every, now)}
    return tuple(
        Leftover(Kind.TICKET, (each.id,), each.user, each.container_name, each)
        for each in every
        if each.id not in living
    )


def waited_seconds(ticket: Ticket) -> float:
    """How long somebody waited with a place in the queue, as far as they were seen."""
    return round(max((ticket.seen_at - ticket.created_at).total_seconds(), 0.0), 3)


def lapsed_reservations(
    reservations: Iterable[Reservation], containers: Iterable[Container], now: datetime
) -> tuple[Leftover, ...]:
    """Promises whose launch died."""
    return tuple(
        Leftover(Kind.RESERVATION, (each.id,), each.user, each.container_name)
        for each in lapsed(reservations, containers, now)
    )


def slugs_of(containers: Iterable[Container]) -> frozenset[str]:
    """The cgroups' names of everybody who owns one of these."""
    owners = {labels.owner_of(each.labels) for each in containers}
    return frozenset(cgroup_slug(owner) for owner in owners if owner is not None)


def empty_cgroups(
    people: Iterable[tuple[str, str]], used: Collection[str], known: Collection[str]
) -> tuple[Leftover, ...]:
    """Cgroups of people who have no container and are about to have none.

    Args:
        people: (group slug, person slug) of every person's cgroup.
        used: Slugs of those who have a container, or are promised one.
        known: Slugs of those who ever had one of this installation: the others' cgroups are those
            of another installation on the same engine.
    """
    return tuple(
        Leftover(Kind.CGROUP, (group, person), None, f"{group}/{person}")
        for group, person in sorted(people)
        if person in known and person not in used
    )


def server_of(user: str, container_name: str) -> ServerKey:
    """The hub's server that a container of this engine name would be."""
    name = container_name.partition(SEPARATOR)[0]
    return user, "" if name == DEFAULT_SERVER else name


def servers_in(containers: Iterable[Container]) -> frozenset[ServerKey]:
    """The hub's servers that these are."""
    return frozenset(
        labels.hub_server_of(each.labels)
        for each in containers
        if each.labels.get(labels.INTERFACE) == labels.Interface.HUB
    )


def lost_servers(
    ready: Iterable[ServerKey], had: Collection[ServerKey], present: Collection[ServerKey]
) -> tuple[Leftover, ...]:
    """Servers that the hub has and whose container is gone.

    Args:
        ready: Those that the hub has and does nothing with now.
        had: Those that had a container here: another spawner's are not ours.
        present: Those that have one now.
    """
    return tuple(
        Leftover(Kind.SERVER, (user, name), user, name or "the default server")
        for user, name in sorted(ready)
        if (user, name) in had and (user, name) not in present
    )
