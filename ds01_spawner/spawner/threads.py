"""Blocking calls of the platform, beside the hub's event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

SLOW_CALLS = 4


class Threads:
    """A pool wide enough that one slow call never holds up another person's.

    Calls that take minutes, such as downloads, have a small pool of their own.
    """

    def __init__(self, limit: int) -> None:
        self._pool = ThreadPoolExecutor(limit, thread_name_prefix="ds01")
        self._under_way: dict[str, asyncio.Future[object]] = {}
        self._slow_pool = ThreadPoolExecutor(SLOW_CALLS, thread_name_prefix="ds01-slow")

    async def run_once(self, subject: str, call: Callable[[], object]) -> None:
        """Make a call that takes minutes; who asks for the same subject meanwhile waits for it."""
        future = self._under_way.get(subject)
        if future is None:
            future = asyncio.get_running_loop().run_in_executor(self._slow_pool, call)
            self._under_way[subject] = future
            future.add_done_callback(lambda _: self._under_way.pop(subject, None))
        await asyncio.shield(future)

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
