"""Calls into a library that may never return, without hanging and without piling up threads."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

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


class KeyedGuard:
    """Runs calls side by side, each in a thread of its own, and stops waiting at a deadline.

    A call that hangs keeps its thread. Until it returns, calls with its key fail at once, and so
    does every call while `most` hang: threads do not pile up beyond what callers began together.

    Args:
        what: What is asked, at the beginning of a sentence.
        deadline_seconds: How long each call may take.
        most: How many may hang.
        next_step: What to do about it.
    """

    def __init__(self, what: str, deadline_seconds: float, most: int, next_step: str) -> None:
        self._what = what
        self._deadline_seconds = deadline_seconds
        self._most = most
        self._next_step = next_step
        self._lock = threading.Lock()
        self._late: dict[object, str] = {}

    def run(self, key: str, call: Callable[[], T]) -> T:
        """What `call` returns or raises.

        Raises:
            Unavailable: It did not return in time, or earlier ones still have not.
        """
        with self._lock:
            if len(self._late) >= self._most or key in self._late.values():
                raise self._unavailable()
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
            hanging = object()
            with self._lock:
                self._late[hanging] = key
            outcome.add_done_callback(lambda _done: self._returned(hanging))
            raise self._unavailable() from None

    def _returned(self, hanging: object) -> None:
        with self._lock:
            del self._late[hanging]

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            f"{self._what} has not answered for {self._deadline_seconds:g} s.", self._next_step
        )


class GuardedCalls(Generic[T]):
    """Makes calls one after the other in one thread, and leaves it at the first that hangs.

    For many calls that take less time than starting a thread does. Run once.

    Args:
        name: The thread's.
        calls: What to call.
        deadline_seconds: How long each may take.
    """

    def __init__(
        self, name: str, calls: Sequence[Callable[[], T]], deadline_seconds: float
    ) -> None:
        self._name = name
        self._calls = calls
        self._deadline_seconds = deadline_seconds
        self._change = threading.Condition()
        self._outcomes: list[Future[T]] = []
        self._call_began = 0.0
        self._left = False
        self._ended = False

    @property
    def hanging(self) -> bool:
        """Whether a call that missed its deadline has not returned yet."""
        return self._left and not self._ended

    def run(self) -> Sequence[Future[T]]:
        """The outcomes, in order; where one is missing, that call hangs and none came after it."""
        self._call_began = time.monotonic()
        threading.Thread(target=self._make, name=self._name, daemon=True).start()
        with self._change:
            while not self._ended:
                seconds = self._call_began + self._deadline_seconds - time.monotonic()
                if seconds <= 0:
                    self._left = True
                    break
                self._change.wait(seconds)
            return tuple(self._outcomes)

    def _make(self) -> None:
        for call in self._calls:
            with self._change:
                if self._left:
                    break
                self._call_began = time.monotonic()
            outcome: Future[T] = Future()
            _settle(call, outcome)
            with self._change:
                if not self._left:
                    self._outcomes.append(outcome)
        with self._change:
            self._ended = True
            self._change.notify_all()


def _settle(call: Callable[[], T], outcome: "Future[T]") -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
        outcome.set_exception(error)
    else:
        outcome.set_result(result)
