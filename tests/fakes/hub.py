"""A hub in memory."""

from collections.abc import Callable, Mapping
from datetime import datetime

from ds01_spawner.domain.errors import Conflict, Unavailable
from ds01_spawner.domain.people import HubEntry
from ds01_spawner.ports import HubServer


class FakeHub:
    """The ports `HubClient` and `HubPeople`.

    Attributes:
        known: What the hub has, by user and server name.
        down: When set, every call raises `Unavailable`.
        stopped: Every (user, server name) that it was asked to stop and did.
        on_stop: What a stop does besides: a test lets the container end here.
        started: Every (user, server name) that it was asked to start and did.
        on_start: What a start does besides: a test lets a container run here.
        people: Whom it lists.
        may_remove: Whether it lets its client remove them.
    """

    def __init__(self, *servers: tuple[str, str]) -> None:
        self.known: dict[tuple[str, str], HubServer] = {}
        self.down = False
        self.stopped: list[tuple[str, str]] = []
        self.on_stop: Callable[[str, str], None] = lambda _user, _server: None
        self.started: list[tuple[str, str]] = []
        self.on_start: Callable[[str, str], None] = lambda _user, _server: None
        self.people: set[str] = set()
        self.may_remove = True
        for user, name in servers:
            self.add(user, name)

    def add(
        self,
        user: str,
        name: str = "",
        *,
        ready: bool = True,
        last_activity: datetime | None = None,
    ) -> None:
        """Let the hub have a server."""
        self.known[user, name] = HubServer(user, name, ready, last_activity)

    def servers(self) -> Mapping[tuple[str, str], HubServer]:
        self._answer()
        return dict(self.known)

    def stop(self, user: str, server: str) -> None:
        self._answer()
        known = self.known.get((user, server))
        if known is None:
            return
        if not known.ready:
            raise Conflict(f"The hub starts or stops {user}'s server {server!r} already.")
        del self.known[user, server]
        self.stopped.append((user, server))
        self.on_stop(user, server)

    def start(self, user: str, server: str) -> None:
        self._answer()
        known = self.known.get((user, server))
        if known is None:
            self.add(user, server)
            self.started.append((user, server))
            self.on_start(user, server)

    def entry(self, user: str) -> HubEntry:
        self._answer()
        return HubEntry(user in self.people, self.may_remove)

    def remove_entry(self, user: str) -> None:
        self._answer()
        if any(user == owner for owner, _ in self.known):
            raise Conflict(f"{user} has a server.")
        self.people.discard(user)

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("The hub does not answer.")
