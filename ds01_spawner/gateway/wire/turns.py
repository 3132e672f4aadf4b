"""What the engine does for few at a time: everybody waits their turn, and nobody everybody's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """Turns in the order in which they were asked for, for each person and for all.

    Who waits for one of all has one of their own by then, so that a person with a thousand wishes
    is at most `each` ahead of anybody else.

    Args:
        each: How many one person has at a time.
        everybody: How many all have.
    """

    def __init__(self, each: int, everybody: int) -> None:
        self._each = each
        self._everybody = asyncio.Semaphore(everybody)
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        """A turn of `user`'s, once it comes."""
        own = self._own.get(user)
        if own is None:
            own = self._own[user] = asyncio.Semaphore(self._each)
        async with own, self._everybody:
            yield
