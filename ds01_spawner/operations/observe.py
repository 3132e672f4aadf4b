"""One reading of engine and GPUs, shared by everybody who decides at the same moment."""

import threading
from datetime import timedelta

from ds01_spawner.domain.occupancy import Snapshot
from ds01_spawner.ports import Clock, Engine, GpuProbe

AT_ONCE = timedelta(0)
MAX_AGE = timedelta(seconds=15)
"""No decision looks at anything older; `launch.SETTLE_TIME` is longer, see decision 001."""


class Observer:
    """Takes snapshots; threads that ask at the same time share one reading."""

    def __init__(self, clock: Clock, engine: Engine, probe: GpuProbe) -> None:
        self._clock = clock
        self._engine = engine
        self._probe = probe
        self._lock = threading.Lock()
        self._last: Snapshot | None = None

    def snapshot(self, max_age: timedelta = AT_ONCE) -> Snapshot:
        """What exists now; begun no earlier than `max_age` before this call.

        Raises:
            Unavailable: Engine or GPUs cannot be read.
        """
        oldest = self._clock.now() - max_age
        with self._lock:
            if self._last is None or not oldest <= self._last.taken_at <= self._clock.now():
                self._last = self._read()
            return self._last

    def _read(self) -> Snapshot:
        taken_at = self._clock.now()
        return Snapshot(
            taken_at=taken_at,
            inventory=self._probe.inventory(),
            activity=self._probe.activity(),
            containers=self._engine.containers(),
        )
