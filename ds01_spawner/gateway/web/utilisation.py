"""How busy each GPU slot was of late: a bounded memory of this process, and a graph of it."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise, takewhile

from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.allocation.gpu_status import read_gpu_status

EVERY = timedelta(seconds=15)
KEPT = timedelta(hours=2)
IDLE_BELOW = 0.05
"""Of one; a driver that only waits reports a little now and then."""

_GAP = 3 * EVERY
_READER = "utilisation"
_MAX_AGE = timedelta(seconds=5)
_log = logging.getLogger(__name__)

Samples = Mapping[str, float | None]
"""By slot, from 0 to 1; `None` where it could not be read."""


class Utilisation:
    """What was measured in the last two hours; for one thread."""

    def __init__(self) -> None:
        self._kept: deque[tuple[datetime, Samples]] = deque()

    def record(self, at: datetime, samples: Samples) -> None:
        """Keep one look at all slots, and forget what is older than is kept."""
        while self._kept and at - self._kept[0][0] > KEPT:
            self._kept.popleft()
        self._kept.append((at, dict(samples)))

    @property
    def since(self) -> datetime | None:
        """The oldest look that is kept."""
        return self._kept[0][0] if self._kept else None

    def idle_since(self, slot: str) -> datetime | None:
        """From when on each look at a slot found it idle; `None` when it is not, or not known.

        A gap ends it: what nobody saw was perhaps not idle.
        """
        newest_first = [(at, samples.get(slot)) for at, samples in reversed(self._kept)]
        idle = [
            at
            for at, used in takewhile(
                lambda look: look[1] is not None and look[1] < IDLE_BELOW, newest_first
            )
        ]
        unbroken = idle[:1]
        for later, earlier in pairwise(idle):
            if later - earlier > _GAP:
                break
            unbroken.append(earlier)
        return unbroken[-1] if unbroken else None

    def points(self, slot: str, now: datetime) -> tuple[tuple[tuple[float, float], ...], ...]:
        """A slot's utilisation as lines; a gap ends one and begins another.

        Each point is where in the time that is kept (0 is its begin, 1 is now), and how busy.
        """
        lines: list[list[tuple[float, float]]] = []
        before: datetime | None = None
        for at, samples in self._kept:
            used = samples.get(slot)
            if used is None:
                before = None
                continue
            if before is None or at - before > _GAP:
                lines.append([])
            lines[-1].append((max(0.0, 1 - (now - at) / KEPT), min(max(used, 0.0), 1.0)))
            before = at
        return tuple(map(tuple, lines))


async def keep_sampling(platform: Platform, threads: Threads, utilisation: Utilisation) -> None:
    """Look at every slot again and again, until cancelled."""
    failing = False
    while True:
        try:
            status = await threads.run(
                _READER,
                lambda: read_gpu_status(platform.admission, platform.gpu_config, _MAX_AGE),
            )
        except DS01Error as exc:
            if not failing:
                _log.warning("The utilisation of the GPUs is not known: %s", exc)
            failing = True
        else:
            failing = False
            utilisation.record(
                status.taken_at,
                {
                    each.use.slot.id: None if each.activity is None else each.activity.utilisation
                    for each in status.slots
                },
            )
        await asyncio.sleep(EVERY.total_seconds())
