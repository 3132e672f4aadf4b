"""Nothing of a person's begins to run while the engine copies their files as root.

For `docker cp` the engine mounts a container's volumes where their paths lead at that moment. Who
runs in the container, or writes into one of its volumes, could swap a folder on the way for a link,
and the engine would mount the volume over any folder of the host (tried: 53 requests).
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ds01_spawner.domain.errors import Conflict

PATIENCE_SECONDS = 30.0


class Stillness:
    """Starts and copies, each waiting for the other. Safe to use from many threads.

    Args:
        patience_seconds: How long either waits.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._changed = threading.Condition()
        self._starts: Counter[str] = Counter()
        self._copies: Counter[str] = Counter()

    @contextmanager
    def starting(self, user: str, container_id: str) -> Iterator[None]:
        """While a container begins to run.

        Raises:
            Conflict: Copies that it would disturb go on for long.
        """
        self.begin_start(user, container_id)
        try:
            yield
        finally:
            self.end_start(user, container_id)

    def begin_start(self, user: str, container_id: str) -> None:
        """From here until `end_start`, it may run; raises as `starting`."""
        self._begin(
            self._starts,
            (user, container_id),
            self._copies,
            "Files are being copied with docker cp, and no container may start meanwhile.",
        )

    def end_start(self, user: str, container_id: str) -> None:
        """It runs, so that copies see it; or it does not."""
        self._end(self._starts, (user, container_id))

    def begin_copy(self, key: str) -> None:
        """From here until `end_copy`, nothing begins to run.

        Args:
            key: A container's full id, or a person, whose containers all wait.

        Raises:
            Conflict: A start goes on for long.
        """
        self._begin(
            self._copies,
            (key,),
            self._starts,
            "A container of yours is just being started, and nothing is copied meanwhile.",
        )

    def end_copy(self, key: str) -> None:
        """It is copied."""
        self._end(self._copies, (key,))

    def _begin(
        self, mine: Counter[str], keys: tuple[str, ...], others: Counter[str], busy: str
    ) -> None:
        with self._changed:
            free = self._changed.wait_for(
                lambda: not any(others[key] for key in keys), self._patience_seconds
            )
            if not free:
                raise Conflict(busy, "Try again when that is done.")
            mine.update(keys)

    def _end(self, mine: Counter[str], keys: tuple[str, ...]) -> None:
        with self._changed:
            mine.subtract(keys)
            for key in keys:
                if not mine[key]:
                    del mine[key]
            self._changed.notify_all()
