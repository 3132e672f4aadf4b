"""One reading for everybody who asks at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SharedReading(Generic[T]):
    """Reads; whoever asks while it is read shares the next reading with others who do.

    So nobody is told what was so before they asked, and 30 who ask at once cost two readings.

    Args:
        read: Reads.
    """

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._running: asyncio.Future[T] | None = None
        self._next: asyncio.Future[T] | None = None

    async def __call__(self) -> T:
        """What a reading found that began after this was called; raises what it raises."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._after(self._running))
            self._next.add_done_callback(_taken_note)
        return await asyncio.shield(self._next)

    async def _after(self, before: "asyncio.Future[T] | None") -> T:
        if before is not None:
            await asyncio.wait({before})
        self._running, self._next = self._next, None
        return await self._read()


def _taken_note(done: "asyncio.Future[Any]") -> None:
    """Whoever asked may have gone; asyncio would complain that nobody looked."""
    if not done.cancelled():
        done.exception()
