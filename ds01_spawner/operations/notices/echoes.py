"""What the platform writes to terminals, which a Jupyter server takes for use of them.

`pre_pty_read_hook` of jupyter_server_terminals moves `last_activity` at every output: without
this, whoever is warned in a terminal would count as active because of the warning.
"""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from ds01_spawner.domain.activity import Span
from ds01_spawner.domain.work import SentWarning

BEFORE = timedelta(seconds=1)
AFTER = timedelta(seconds=3)
"""Around a write: what the server says of it comes a little later."""

UNKNOWN = timedelta(seconds=30)
"""After a warning that another process wrote: it is delivered within seconds."""

_KEPT = 8


class Echoes:
    """When this process wrote to whose terminals. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: dict[str, list[Span]] = {}

    def wrote(self, container_id: str, begin: datetime, end: datetime) -> None:
        """Something was written to the terminals of a container."""
        with self._lock:
            spans = self._written.setdefault(container_id, [])
            spans.append((begin - BEFORE, end + AFTER))
            del spans[:-_KEPT]

    def of(self, container_id: str, warnings: Iterable[SentWarning]) -> tuple[Span, ...]:
        """When use of a container's terminals may have been ours.

        Args:
            container_id: Which.
            warnings: Those given to it: what this process did not write, another did.
        """
        with self._lock:
            known = tuple(self._written.get(container_id, ()))
        others = [
            (each.sent_at, each.sent_at + UNKNOWN)
            for each in warnings
            if not any(
                each.sent_at - BEFORE <= begin <= each.sent_at + UNKNOWN for begin, _ in known
            )
        ]
        return (*known, *others)

    def keep_only(self, container_ids: Iterable[str]) -> None:
        """Forget containers that are gone."""
        with self._lock:
            for gone in self._written.keys() - set(container_ids):
                del self._written[gone]
