"""One reading of engine and GPUs, shared by everybody who decides at the same moment."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from ds01_spawner.domain.monitors import containers_on, may_watch
from ds01_spawner.domain.occupancy import Snapshot
from ds01_spawner.ports import Clock, Engine, GpuProbe
from ds01_spawner.ports.attribution import ProcessTable

AT_ONCE = timedelta(0)
MAX_AGE = timedelta(seconds=15)
"""No decision looks at anything older; `launch.SETTLE_TIME` is longer, see decision 001."""


class Observer:
    """Takes snapshots; threads that ask at the same time share one reading.

    Args:
        clock: The time, which may jump.
        engine: Asked for containers.
        probe: Asked for GPUs.
        table: Asked whose processes compute, where a container may do nothing but watch.
        monotonic: Seconds that never jump: a reading is shared only when both clocks call it young.
    """

    def __init__(
        self,
        clock: Clock,
        engine: Engine,
        probe: GpuProbe,
        *,
        table: ProcessTable | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._table = table
        self._monotonic = monotonic
        self._engine = engine
        self._probe = probe
        self._lock = threading.Lock()
        self._last: Snapshot | None = None
        self._read_at = 0.0

    def snapshot(self, max_age: timedelta = AT_ONCE) -> Snapshot:
        """What exists now; begun no earlier than `max_age` before this call.

        Raises:
            Unavailable: Engine or GPUs cannot be read.
        """
        oldest = self._clock.now() - max_age
        earliest = self._monotonic() - max_age.total_seconds()
        with self._lock:
            last = self._last
            young = last is not None and oldest <= last.taken_at <= self._clock.now()
            if last is None or not young or self._read_at < earliest:
                self._last = last = self._read()
            return last

    def _read(self) -> Snapshot:
        self._read_at = self._monotonic()
        taken_at = self._clock.now()
        activity = self._probe.activity()  # reads the cards too, in the same call of the driver
        inventory = self._probe.inventory()
        containers = self._engine.containers()
        computing: Mapping[str, frozenset[str]] = {}
        if self._table is not None and any(map(may_watch, containers)):
            pids = {pid for each in activity.values() for pid in each.pids}
            computing = containers_on(activity, self._table.look(pids))
        return Snapshot(taken_at, inventory, activity, containers, computing)
