"""Answers that many who look again and again may share for a while."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class KeptAnswers(Generic[K, T]):
    """The last few answers, each to one question; for one event loop.

    A question names everything that its answer depends on, so whoever may ask it may have the
    answer that somebody else got.

    Args:
        most: How many are kept; the one that was longest not asked for is forgotten.
        monotonic: Seconds that never jump.
    """

    def __init__(self, most: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._monotonic = monotonic
        self._kept: OrderedDict[K, tuple[float, T]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def __call__(
        self, question: K, max_age: timedelta, read: Callable[[], Awaitable[T]]
    ) -> T:
        """An answer that was begun to be read no longer than `max_age` before this call.

        Who takes no older one has it read for themselves. Raises what reading raises; that is not
        kept.
        """
        if max_age <= timedelta(0):
            return await read()
        earliest = self._monotonic() - max_age.total_seconds()
        async with self._lock:
            found = self._kept.get(question)
            if found is None or found[0] < earliest:
                begun = self._monotonic()
                found = begun, await read()
                self._kept[question] = found
            self._kept.move_to_end(question)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return found[1]
