"""Servers of JupyterHub are started and stopped by the hub, so that it knows."""

import time
from collections.abc import Callable

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.ports import HubClient

STOP_SECONDS = 90.0
_LOOK_SECONDS = 0.3


class HubServers:
    """Blocks: only within threads.

    Args:
        hub: Asked to start and stop; `None` where none is known.
        sleep: Waits between two looks.
        monotonic: The time, in seconds.
    """

    def __init__(
        self,
        hub: HubClient | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hub = hub
        self._sleep = sleep
        self._monotonic = monotonic

    def start(self, container: Container) -> None:
        """Have the hub start the server that a stopped container was, with the options it had.

        Raises:
            Conflict: The hub starts or stops it already.
            Refused: It may not start; the hub says why.
            Unavailable: The hub does not answer.
        """
        user, server = labels.hub_server_of(container.labels)
        self._known().start(user, server)

    def stop(self, container: Container, runs: Callable[[], bool]) -> None:
        """Have the hub stop a server; returns when its container has stopped.

        Raises:
            Conflict: The hub starts or stops it already.
            Unavailable: The hub does not answer, or the container does not stop.
        """
        user, server = labels.hub_server_of(container.labels)
        self._known().stop(user, server)
        deadline = self._monotonic() + STOP_SECONDS
        while runs():
            if self._monotonic() >= deadline:
                raise Unavailable("The hub takes long to stop the server.", "Look again later.")
            self._sleep(_LOOK_SECONDS)

    def abandon(self, user: str, server: str) -> bool:
        """Have the hub break off a start that waits; whether it had one."""
        if self._hub is None or (user, server) not in self._hub.servers():
            return False
        self._hub.stop(user, server)
        return True

    def _known(self) -> HubClient:
        if self._hub is None:
            raise Unavailable(
                "This is a server of JupyterHub, and the gateway does not know where the hub is.",
                "Start or stop it on JupyterHub's home page.",
            )
        return self._hub
