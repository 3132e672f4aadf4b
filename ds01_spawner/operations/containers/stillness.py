"""A container does not begin to run while the engine copies its files as root.

For `docker cp` the engine mounts what a container has (the notices, `/etc/hosts`) where the paths
lead at that moment. What runs in it could swap a folder on the way for a link, and the engine would
mount that over any folder of the host (tried: 53 requests). Only containers without volumes are
copied so: through those, others could do the same.
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
    def starting(self, container_id: str) -> Iterator[None]:
        """While a container begins to run.

        Raises:
            Conflict: Copies that it would disturb go on for long.
        """
        self.begin_start(container_id)
        try:
            yield
        finally:
            self.end_start(container_id)

    def begin_start(self, container_id: str) -> None:
        """From here until `end_start`, it may run; raises as `starting`."""
        self._begin(
            self._starts,
            container_id,
            self._copies,
            "Files are being copied with docker cp, and the container may not start meanwhile.",
        )

    def end_start(self, container_id: str) -> None:
        """It runs, so that copies see it; or it does not."""
        self._end(self._starts, container_id)

    def begin_copy(self, container_id: str) -> None:
        """From here until `end_copy`, it does not begin to run.

        Raises:
            Conflict: A start goes on for long.
        """
        self._begin(
            self._copies,
            container_id,
            self._starts,
            "The container is just being started, and nothing is copied meanwhile.",
        )

    def end_copy(self, container_id: str) -> None:
        """It is copied."""
        self._end(self._copies, container_id)

    def _begin(
        self, mine: Counter[str], container_id: str, others: Counter[str], busy: str
    ) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: not others[container_id], self._patience_seconds):
                raise Conflict(busy, "Try again when that is done.")
            mine[container_id] += 1

    def _end(self, mine: Counter[str], container_id: str) -> None:
        with self._changed:
            mine[container_id] -= 1
            if not mine[container_id]:
                del mine[container_id]
            self._changed.notify_all()
