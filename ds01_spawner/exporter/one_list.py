"""The engine's list of containers, asked for once in each scrape."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from ds01_spawner.domain.container import Container
from ds01_spawner.domain.container_owner import is_made_elsewhere
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.ports import ContainerList

_PATIENCE_SECONDS = 0.5


class OneList:
    """Tells everybody who reads for a scrape the same.

    Attribution asks after it has read the processes, so that the container of each is in the list;
    everybody else takes what it was told, unless it takes too long to ask.

    Args:
        engine: Asked for it.
        instance: Which installation this is.

    Attributes:
        elsewhere: Containers that another installation made, when it was last told: names by id.
    """

    def __init__(self, engine: Callable[[], ContainerList], instance: Callable[[], str]) -> None:
        self._engine = engine
        self._instance = instance
        self.elsewhere: Mapping[str, str] = {}
        self._lock = threading.Lock()
        self._told: Future[tuple[Container, ...]] = Future()

    def begin(self) -> None:
        """A scrape begins."""
        with self._lock:
            self._told = Future()

    def containers(self) -> tuple[Container, ...]:
        """Every container, as of now.

        Raises:
            Unavailable: The engine does not answer.
        """
        told = self._told
        try:
            instance = self._instance()
            found = self._engine().containers()
        except DS01Error as exc:
            with self._lock:
                if not told.done():
                    told.set_exception(exc)
            raise
        others = {each.id: each.name for each in found if is_made_elsewhere(each, instance)}
        with self._lock:
            self.elsewhere = others
            if not told.done():
                told.set_result(found)
        return found

    def shared(self) -> tuple[Container, ...]:
        """Every container, as of this scrape.

        Raises:
            Unavailable: The engine does not answer.
        """
        try:
            return self._told.result(_PATIENCE_SECONDS)
        except TimeoutError:
            return self.containers()
