"""A clock that moves only when a test says so."""

import threading
from datetime import UTC, datetime, timedelta

from ds01_spawner.domain.work import PassMark

EPOCH = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
UPTIME = timedelta(days=10)


class FakeClock:
    """The `Clock` port; starts at `EPOCH`, on a machine that runs for `UPTIME`."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self._now = now
        self._uptime = UPTIME
        self._boots = 1
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def mark(self) -> PassMark:
        with self._lock:
            return PassMark(f"boot-{self._boots}", self._now, self._uptime.total_seconds())

    def monotonic(self) -> float:
        """Seconds, for adapters that measure spans."""
        return self.mark().uptime_seconds

    def advance(self, span: timedelta) -> None:
        """Time passes."""
        with self._lock:
            self._now += span
            self._uptime += span

    def set(self, now: datetime) -> None:
        """Time passes until `now`."""
        self.advance(now - self.now())

    def jump(self, by: timedelta) -> None:
        """Somebody sets the wall clock; no time passes."""
        with self._lock:
            self._now += by

    def reboot(self, took: timedelta = timedelta(minutes=2)) -> None:
        """The machine starts again, and was away for so long."""
        with self._lock:
            self._now += took
            self._uptime = timedelta(seconds=20)
            self._boots += 1
