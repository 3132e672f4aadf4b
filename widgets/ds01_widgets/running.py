"""Long work of the wizards: in threads of its own, with its results on the kernel's loop.

A model starts work through a `Running` and is told of its end by callbacks. With `Inline` they have
been called when `start` returns, which is what scripts and tests want. With `Background` each job
has a thread, and what it tells is done by the thread that the wizard belongs to, between two cells:
no model and no widget is ever touched by two threads at a time.
"""

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TypeVar

from ds01_spawner.domain.errors import DS01Error

T = TypeVar("T")
Deed = Callable[[], None]

ONE_AT_A_TIME = threading.RLock()
"""Held by whoever touches a model or a widget. JupyterLab has what people click and type told by
a thread of the kernel (a subshell) beside the one that runs cells and the kernel's loop."""

_LONGEST_END_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Nobody wants what a job is doing any more."""


class Job:
    """One piece of work, from its start to its end.

    Args:
        hand: Takes what is to be done where the wizard is.
    """

    def __init__(self, hand: Callable[[Deed], None]) -> None:
        self._hand = hand
        self._cancelled = threading.Event()
        self._breakers: list[Deed] = []
        self._lock = threading.Lock()

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants it any more."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Return when somebody still wants it.

        Raises:
            Cancelled: Nobody does.
        """
        if self.cancelled:
            raise Cancelled

    def cancel(self) -> None:
        """End it; nothing that it tells from here on reaches anybody."""
        with self._lock:
            self._cancelled.set()
            breakers, self._breakers = self._breakers, []
        for each in breakers:
            each()

    def when_cancelled(self, deed: Deed) -> None:
        """Call this to break off what the job waits for; at once where it is cancelled already."""
        with self._lock:
            if not self.cancelled:
                self._breakers.append(deed)
                return
        deed()

    def tell(self, deed: Deed) -> None:
        """Do this where the wizard is, unless the job is cancelled by then.

        Raises:
            Cancelled: It is already.
        """
        self.check()
        self._hand(lambda: None if self.cancelled else deed())


Work = Callable[[Job], T]


class Running(ABC):
    """Starts work."""

    @abstractmethod
    def start(
        self,
        work: Work[T],
        done: Callable[[T], None],
        failed: Callable[[DS01Error], None],
    ) -> Job:
        """Begin something.

        Args:
            work: Is called with the job; may take as long as it likes.
            done: Is called with what it returns.
            failed: Is called with the error that it raises, or with one that says that it is our
                fault.
        """

    @abstractmethod
    def hand(self, deed: Deed) -> None:
        """Do something where the wizard is."""

    @abstractmethod
    def close(self) -> None:
        """Cancel everything, and wait a little until it has ended."""


class Inline(Running):
    """Everything is done when `start` returns."""

    def start(
        self,
        work: Work[T],
        done: Callable[[T], None],
        failed: Callable[[DS01Error], None],
    ) -> Job:
        """See `Running`."""
        job = Job(self.hand)
        end = _ended(job, work, done, failed)
        if end is not None:
            end()
        return job

    def hand(self, deed: Deed) -> None:
        """See `Running`."""
        deed()

    def close(self) -> None:
        """See `Running`."""


class Background(Running):
    """A thread for each job. To be made where the wizard is: on the kernel's loop.

    Without a loop, as in a script, what jobs tell is done by their threads, one at a time.
    """

    def __init__(self) -> None:
        self._inbox = _Inbox()
        self._threads: dict[threading.Thread, Job] = {}
        self._lock = threading.Lock()

    def start(
        self,
        work: Work[T],
        done: Callable[[T], None],
        failed: Callable[[DS01Error], None],
    ) -> Job:
        """See `Running`."""
        job = Job(self.hand)

        def run() -> None:
            end = _ended(job, work, done, failed)
            if end is not None:
                self.hand(lambda: None if job.cancelled else end())
            with self._lock:
                self._threads.pop(thread, None)

        thread = threading.Thread(target=run, name="ds01-widgets-job", daemon=True)
        with self._lock:
            self._threads[thread] = job
        thread.start()
        return job

    def hand(self, deed: Deed) -> None:
        """See `Running`."""
        self._inbox.put(deed)

    def settle(self, seconds: float = 60.0) -> bool:
        """Wait for the end of all jobs, doing what they tell; whether they ended in time.

        For cells that need the result: while a cell runs, the kernel's loop does nothing else.
        """
        end = monotonic() + seconds
        while True:
            self._inbox.drain()
            threads = self._alive()
            if not threads:
                self._inbox.drain()
                return True
            if monotonic() > end:
                return False
            threads[0].join(_LOOK_SECONDS)

    def close(self) -> None:
        """See `Running`."""
        with self._lock:
            jobs = list(self._threads.values())
        for job in jobs:
            job.cancel()
        end = monotonic() + _LONGEST_END_SECONDS
        for thread in self._alive():
            thread.join(max(0.0, end - monotonic()))

    def _alive(self) -> list[threading.Thread]:
        own = threading.current_thread()
        with self._lock:
            return [each for each in self._threads if each is not own]


class _Inbox:
    """What is to be done by the thread that made this."""

    def __init__(self) -> None:
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._deeds: deque[Deed] = deque()

    def put(self, deed: Deed) -> None:
        self._deeds.append(deed)
        if self._loop is None:
            self.drain()
            return
        with suppress(RuntimeError):  # the kernel ends
            self._loop.call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        with ONE_AT_A_TIME:
            while self._deeds:
                deed = self._deeds.popleft()
                try:
                    deed()
                except Exception:  # noqa: BLE001 - one that cannot draw holds up no other
                    _log.exception("A wizard could not show what it was told.")


def our_fault() -> DS01Error:
    """What is told of a failure that nobody expected; the log has it."""
    return DS01Error(
        "This failed inside the notebook.",
        "Run the cell again; if it stays so, tell your administrator.",
    )


def _ended(
    job: Job, work: Work[T], done: Callable[[T], None], failed: Callable[[DS01Error], None]
) -> Deed | None:
    """Do the work; what is to be told of its end, or `None` where nobody wants to know."""
    try:
        result = work(job)
    except Cancelled:
        return None
    except DS01Error as exc:
        error = exc
    except Exception:  # noqa: BLE001 - a thread's top: told, and logged
        if job.cancelled:  # its connection was closed under it
            return None
        _log.exception("A job of a wizard failed.")
        error = our_fault()
    else:
        return lambda: done(result)
    return None if job.cancelled else lambda: failed(error)
