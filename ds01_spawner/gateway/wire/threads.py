"""Runs what may block beside the event loop; nobody takes every thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar
from weakref import WeakValueDictionary

from ds01_spawner.domain.errors import DS01Error, Unavailable

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

    async def run(
        self, user: str, deed: Callable[[], _T], undo: Callable[[_T], None] | None = None
    ) -> _T:
        """What `deed` returns, run for `user`, with the context variables of the caller.

        A caller that is cancelled leaves it running, and its turn is given back when it is done.
        With `undo`, what nobody waits for any more is undone then.

        Raises:
            Unavailable: The pool is closed.
        """
        turn = self._turns.get(user)
        if turn is None:
            turn = self._turns[user] = asyncio.Semaphore(self._each)
        await turn.acquire()
        try:
            within = copy_context()
            future = asyncio.get_running_loop().run_in_executor(self._pool, within.run, deed)
        except RuntimeError as exc:
            turn.release()
            raise Unavailable("The gateway is stopping.", "Try again in a moment.") from exc
        kept = turn  # alive until the deed is done
        future.add_done_callback(lambda _done: kept.release())
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if undo is not None:
                given_up = undo
                future.add_done_callback(lambda done: self._undo(given_up, done))
            raise

    def _undo(self, undo: Callable[[_T], None], done: asyncio.Future[_T]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._pool.submit(_undone, undo, done.result())

    def close(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _undone(undo: Callable[[_T], None], result: _T) -> None:
    with suppress(DS01Error):  # it ends by itself: a promise, a place in the queue
        undo(result)
