"""`docker events`: one's own only."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ds01_spawner.domain.errors import QuotaExceeded
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.containers.watching import watch
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.system.event_view import (
    Viewer,
    check_moments,
    engine_filters,
    event_for,
    filters_of,
    wants_nothing,
)
from ds01_spawner.gateway.wire.call import Call, Handler, Reply

MOST_WATCHES = 32
"""Streams of one person: each event costs 50 µs of everybody's time in each of them."""

_HEAD_WITHIN_SECONDS = 0.05


class Events:
    """Each watcher has a stream of the engine's of their own, which costs nothing while idle."""

    def __init__(self, door: Door, owned: Owned) -> None:
        self._engine = door.engine
        self._clock = door.platform.clock
        self._owned = owned
        self._watches: Counter[str] = Counter()

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {"GET /events": self.events}

    async def events(self, call: Call, reply: Reply) -> None:
        """Events as they happen, or those of a time."""
        caller = call.caller
        filters = filters_of(call.first("filters"), caller.user)
        since, until = call.first("since"), call.first("until")
        check_moments(since, until)
        # The client takes the head of the answer for "from now on nothing is missed", and gets it
        # before the engine's stream is open. The engine remembers its last 256 events.
        query = {
            "since": [since or f"{self._clock.now().timestamp():.6f}"],
            "filters": [engine_filters(filters)],
        }
        if until:
            query["until"] = [until]
        viewer = Viewer(caller.user, lambda marks: self._owned.is_own(marks, caller))

        def shown(event: Any) -> Any:
            return None if wants_nothing(filters) else event_for(event, viewer, filters)

        with self._place(caller.user):
            values = self._engine.stream("GET", "/events", query, version=call.version)
            await watch(call, reply, values, shown, head_within=_HEAD_WITHIN_SECONDS)

    @contextmanager
    def _place(self, user: str) -> Iterator[None]:
        held = self._watches[user]
        if held >= MOST_WATCHES:
            raise QuotaExceeded(
                f"You have {held} of {MOST_WATCHES} streams of events open.",
                "End one of your docker events, or the program that watches.",
                limit="event_streams",
                used=held,
                asked=1,
                allowed=MOST_WATCHES,
            )
        self._watches[user] += 1
        try:
            yield
        finally:
            self._watches[user] -= 1
            if not self._watches[user]:
                del self._watches[user]
