"""Lets only a few servers start at a time, first come, first served.

Booting a server is a second of pure CPU. When a class of 32 starts at once, as many boots as there
are cores finish one after the other; all together, each would take as long as all of them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

LONGEST_TURN_SECONDS = 20.0
"""A boot that takes longer waits for something else than CPU, and others need not wait for it."""


class BootGate:
    """A first-in, first-out gate that tells everybody how many are before them.

    Among those who wait, who has fewest places inside comes first: a person whose many servers
    hang while they start does not stand before everybody else.

    Args:
        limit: How many may be inside.
        longest_turn: Seconds after which somebody inside no longer counts.
    """

    def __init__(self, limit: int, longest_turn: float = LONGEST_TURN_SECONDS) -> None:
        self.limit = limit
        self._longest_turn = longest_turn
        self._inside: list[str] = []
        self._queue: list[_Waiting] = []

    @asynccontextmanager
    async def turn(self, user: str, on_place: Callable[[int], None]) -> AsyncIterator[None]:
        """Wait for a turn and hold it; `on_place` is called with the place whenever it changes."""
        waiting = _Waiting(user, on_place)
        self._queue.append(waiting)
        try:
            self._admit()
            await waiting.admitted.wait()
            loop = asyncio.get_running_loop()
            overtime = loop.call_later(self._longest_turn, self._leave, waiting)
            try:
                yield
            finally:
                overtime.cancel()
        finally:
            self._leave(waiting)

    def _leave(self, waiting: "_Waiting") -> None:
        if waiting.gone:
            return
        waiting.gone = True
        if waiting.admitted.is_set():
            self._inside.remove(waiting.user)
        else:
            self._queue.remove(waiting)
        self._admit()

    def _admit(self) -> None:
        while self._queue and len(self._inside) < self.limit:
            following = min(self._queue, key=lambda each: self._inside.count(each.user))
            self._queue.remove(following)
            self._inside.append(following.user)
            following.admitted.set()
        for place, waiting in enumerate(self._queue, start=1):
            waiting.tell(place)


class _Waiting:
    def __init__(self, user: str, on_place: Callable[[int], None]) -> None:
        self.user = user
        self.admitted = asyncio.Event()
        self.gone = False
        self._on_place = on_place
        self._place = 0

    def tell(self, place: int) -> None:
        if place != self._place:
            self._place = place
            self._on_place(place)
