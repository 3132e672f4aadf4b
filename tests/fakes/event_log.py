"""An audit log in memory."""

import threading
from collections.abc import Collection, Sequence

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event


class FakeEventLog:
    """The `EventLog` port, and the `EventReader` port.

    Attributes:
        events: Everything appended, oldest first.
        full: When set, nothing can be written, as on a full disk.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.full = False
        self._lock = threading.Lock()

    def append(self, event: Event) -> None:
        with self._lock:
            if self.full:
                raise Unavailable("The event log cannot be written: no space left on device.")
            self.events.append(event)

    def read(self, place: str, actions: Collection[str] | None) -> tuple[Sequence[Event], str]:
        begin = int(place) if place else len(self.events)
        told = [each for each in self.events[begin:] if actions is None or each.action in actions]
        return told, str(len(self.events))

    @property
    def actions(self) -> list[str]:
        """The actions of all events, in order."""
        return [event.action for event in self.events]

    def of(self, action: str) -> list[Event]:
        """The events of one action, in order."""
        return [event for event in self.events if event.action == action]
