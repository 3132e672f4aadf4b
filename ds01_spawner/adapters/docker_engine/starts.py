"""Waiting for containers to start, by the engine's events: whoever starts them."""

import json
import time
from collections.abc import Callable
from urllib.parse import urlencode

from ds01_spawner.adapters.docker_engine.connection import Call, Connection

_FILTERS = json.dumps({"type": ["container"], "event": ["start"]})
_MARGIN_SECONDS = 10.0
_ONE_BYTE = 1


class ContainerStarts:
    """The `StartWatch` port. For one thread at a time.

    Args:
        connection: The engine's socket.
        now: Seconds since 1970, by the clock that the engine's events have.
    """

    def __init__(self, connection: Connection, now: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._now = now
        self._since = now()

    def wait(self, seconds: float) -> bool:
        """Return when a container has started since the last call, or after so long; whether one.

        Raises:
            Unavailable: The engine does not tell of its events.
        """
        until = self._now() + seconds
        span = {"since": f"{self._since:.9f}", "until": f"{until:.9f}", "filters": _FILTERS}
        call = Call(
            "GET",
            f"/events?{urlencode(span)}",
            "wait for a container to start",
            seconds=seconds + _MARGIN_SECONDS,
        )
        # The engine answers when the first event is there, or nothing at the end of the time.
        started = bool(self._connection.beginning(call, _ONE_BYTE))
        self._since = self._now()
        return started
