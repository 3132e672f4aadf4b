"""Runs what may block beside the event loop; nobody takes every thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakValueDictionary

_T = TypeVar("_T")

THREADS = 32
EACH = 6
"""How many calls of one person run at a time; the others wait their turn."""


class Threads:
    """A pool of threads, shared fairly by people."""

    def __init__(self, count: int = THREADS, each: int = EACH) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="gateway")
        self._each = each
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def run(self, user: str, deed: Callable[[], _T]) -> _T:
        """What `deed` returns, run for `user`.

        A caller that is cancelled leaves it running: what it does must be safe to complete, and its
        turn is given back when it is done.
        """
        turn = self._turns.get(user)
        if turn is None:
            turn = self._turns[user] = asyncio.Semaphore(self._each)
        await turn.acquire()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._pool, deed)
        except BaseException:
            turn.release()
            raise
        kept = turn  # alive until the deed is done
        future.add_done_callback(lambda _done: kept.release())
        return await asyncio.shield(future)

    def close(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
