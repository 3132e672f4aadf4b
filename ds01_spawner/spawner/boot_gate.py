"""Lets only a few servers start at a time, first come, first served.

Booting a server is a second of pure CPU. When a class of 32 starts at once, as many boots as there
are cores finish one after the other; all together, each would take as long as all of them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class BootGate:
    """A first-in, first-out gate that tells everybody how many are before them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._inside = 0
        self._queue: deque[_Waiting] = deque()

    @asynccontextmanager
    async def turn(self, on_place: Callable[[int], None]) -> AsyncIterator[None]:
        """Wait for a turn and hold it; `on_place` is called with the place whenever it changes."""
        waiting = _Waiting(on_place)
        self._queue.append(waiting)
        try:
            self._admit()
            await waiting.admitted.wait()
            yield
        finally:
            if waiting.admitted.is_set():
                self._inside -= 1
            else:
                self._queue.remove(waiting)
            self._admit()

    def _admit(self) -> None:
        while self._queue and self._inside < self.limit:
            self._inside += 1
            self._queue.popleft().admitted.set()
        for place, waiting in enumerate(self._queue, start=1):
            waiting.tell(place)


class _Waiting:
    def __init__(self, on_place: Callable[[int], None]) -> None:
        self.admitted = asyncio.Event()
        self._on_place = on_place
        self._place = 0

    def tell(self, place: int) -> None:
        if place != self._place:
            self._place = place
            self._on_place(place)
