"""A clock that moves only when a test says so."""

import threading
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class FakeClock:
    """The `Clock` port; starts at `EPOCH`."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self._now = now
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Seconds, for adapters that measure spans."""
        return self.now().timestamp()

    def advance(self, span: timedelta) -> None:
        with self._lock:
            self._now += span

    def set(self, now: datetime) -> None:
        with self._lock:
            self._now = now
