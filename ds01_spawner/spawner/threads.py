"""Blocking calls of the platform, beside the hub's event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """A pool wide enough that one slow call never holds up another person's."""

    def __init__(self, limit: int) -> None:
        self._pool = ThreadPoolExecutor(limit, thread_name_prefix="ds01")

    async def run(self, call: Callable[[], T], *, undo: Callable[[T], object] | None = None) -> T:
        """The result of `call`, made in a thread.

        A thread cannot be interrupted. When the waiting task is cancelled, `call` goes on, and
        `undo` is called with what it returned, so that nothing it made is left behind.
        """
        future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: self._finish(done, undo))
            raise

    def begin(self, call: Callable[[], object]) -> None:
        """Let `call` be made in a thread; nobody waits for it."""
        self._pool.submit(call)

    def _finish(self, done: "asyncio.Future[T]", undo: Callable[[T], object] | None) -> None:
        if not done.cancelled() and done.exception() is None and undo is not None:
            self._pool.submit(undo, done.result())
