"""Calls into a library that may never return, without hanging and without piling up threads."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ds01_spawner.domain.errors import Unavailable

T = TypeVar("T")


class HangGuard:
    """Runs one call at a time in a thread of its own and stops waiting at a deadline.

    A call that hangs cannot be interrupted. It keeps its one thread, and until it returns every
    further call fails at once, so that no second thread hangs too. The thread is a daemon: a
    process can always end.
    """

    def __init__(self, what: str, deadline_seconds: float) -> None:
        self._what = what
        self._deadline_seconds = deadline_seconds
        self._turn = threading.Lock()
        self._late: Future[object] | None = None

    @property
    def hanging(self) -> bool:
        """Whether a call that missed its deadline has not returned yet."""
        return self._late is not None and not self._late.done()

    def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises.

        Raises:
            Unavailable: It did not return in time, or an earlier one still has not.
        """
        if not self._turn.acquire(timeout=self._deadline_seconds):
            raise self._unavailable()
        try:
            if self.hanging:
                raise self._unavailable()
            return self._wait(call)
        finally:
            self._turn.release()

    def _wait(self, call: Callable[[], T]) -> T:
        outcome: Future[T] = Future()
        thread = threading.Thread(
            target=_settle, args=(call, outcome), name=f"ds01 {self._what}", daemon=True
        )
        thread.start()
        try:
            return outcome.result(timeout=self._deadline_seconds)
        except TimeoutError:
            if outcome.done():
                raise
            self._late = outcome  # type: ignore[assignment]  # only done() is ever asked of it
            raise self._unavailable() from None

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            f"{self._what} has not answered for {self._deadline_seconds:g} s.",
            "Try again in a minute; if it stays, the administrator should look at the driver.",
        )


def _settle(call: Callable[[], T], outcome: "Future[T]") -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
        outcome.set_exception(error)
    else:
        outcome.set_result(result)
