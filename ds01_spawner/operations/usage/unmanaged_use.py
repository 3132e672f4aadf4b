"""Keeps in the books what containers past the platform hold."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.attribution import Owner
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import Inventory
from ds01_spawner.domain.occupancy import Snapshot
from ds01_spawner.domain.usage_unmanaged import Held, as_held, held, only, starts, with_unread

Owners = Callable[[Iterable[Container]], Mapping[str, Owner]]
"""Whose containers are, by id; of one that is not in it that cannot be found out now."""

Inspect = Callable[[str], Container | None]


LOOKS_LEFT_OUT = 20
"""So many looks in which nothing is asked about a container of which the engine told nothing."""


@dataclass(frozen=True, slots=True)
class Past:
    """What containers past the platform hold at one moment.

    Attributes:
        taken_at: The moment.
        inventory: What there is.
        found: They.
        owners: Whose they are, by id; of who is missing that cannot be found out now.
        ended: Those that held something at the last look and do not run, by id.
    """

    taken_at: datetime
    inventory: Inventory
    found: tuple[Held, ...] = ()
    owners: Mapping[str, Owner] = field(default_factory=dict)
    ended: Mapping[str, Container] = field(default_factory=dict)


class UnmanagedUse:
    """Sees it in each pass. What waits for its owner to be found out is booked from its begin.

    The engine is asked about each of these containers: its list does not tell when one was
    started. They are few.

    Args:
        owners: Asked whose containers are.
        inspect: Asked when one was started, or ended.
        spares: Asked what is the lab's own, and nobody's use.
    """

    def __init__(
        self,
        owners: Owners,
        inspect: Inspect,
        spares: Callable[[Owner], bool] = lambda _owner: False,
    ) -> None:
        self._owners = owners
        self._inspect = inspect
        self._spares = spares
        self._running: frozenset[str] = frozenset()
        self._waiting: dict[str, datetime | None] = {}
        self._found_out: dict[str, datetime | None] = {}
        self._unanswered: dict[str, int] = {}

    def look(self, snapshot: Snapshot) -> Past:
        """What they hold now; asks for names and moments, so not within a transaction."""
        found = held(snapshot)
        owners = self._owners([each.container for each in found]) if found else {}
        ids = {each.container.id for each in found}
        waited = self._waiting
        self._waiting = {key: waited[key] for key in waited if key in ids - owners.keys()}
        self._found_out = {key: waited[key] for key in waited if key in ids & owners.keys()}
        kept = tuple(
            each
            if each.container.id in self._unanswered
            else replace(each, container=self._looked_up(each.container))
            for each in found
            if not self._is_spared(owners.get(each.container.id))
        )
        ended = {
            each.id: self._looked_up(each)
            for each in snapshot.containers
            if each.id in self._running and not each.state.is_live
        }
        self._running = frozenset(each.container.id for each in kept)
        self._unanswered = {
            key: looks - 1 for key, looks in self._unanswered.items() if looks and key in ids
        }
        return Past(snapshot.taken_at, snapshot.inventory, kept, owners, ended)

    def told(
        self, past: Past, known: Collection[UsageInterval], before: datetime | None
    ) -> tuple[tuple[Event, ...], Mapping[str, Container]]:
        """What a log would have told, and the containers as the books take them, by id.

        Args:
            past: What they hold.
            known: Intervals that are known of them.
            before: When somebody looked last; `None` for never.
        """
        events: list[Event] = []
        shown = dict(past.ended)
        for found in with_unread(past.found, known, past.inventory):
            each, key = found, found.container.id
            owner = past.owners.get(key)
            theirs = [interval for interval in known if interval.container_id == key]
            if owner is None:  # what is booked already goes on
                self._waiting.setdefault(key, before)
                each = only(each, theirs)
            else:
                since = self._found_out.get(key, before)
                events += starts(each, owner, theirs, since, past.taken_at)
            shown[key] = as_held(each, owner)
        return tuple(events), shown

    def _is_spared(self, owner: Owner | None) -> bool:
        return owner is not None and self._spares(owner)

    def _looked_up(self, container: Container) -> Container:
        """With the begin or the end of its run, as far as the engine tells it now."""
        try:
            found = self._inspect(container.id)
        except Unavailable:  # it may have taken its whole time for that
            self._unanswered[container.id] = LOOKS_LEFT_OUT
            return container
        if found is None or found.state.is_live != container.state.is_live:
            return container
        return replace(container, started_at=found.started_at, finished_at=found.finished_at)
