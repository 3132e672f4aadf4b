"""What is asked again and again while somebody looks: by one thread a kernel, never too often."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

from ds01_spawner.domain.errors import DS01Error
from ds01_widgets.running import Cancelled, Running, our_fault

T = TypeVar("T")

LEAST_SECONDS = 2.0
_MOST_SECONDS = 60.0
_IDLE_SECONDS = 5.0


@dataclass(eq=False)
class Watch:
    """A question that is asked again and again, until it is stopped."""

    running: Running
    ask: Callable[[], Any]
    then: Callable[[Any], None]
    failed: Callable[[DS01Error], None]
    seconds: float
    next_at: float = field(default_factory=monotonic)
    misses: int = 0
    stopped: bool = False

    def stop(self) -> None:
        """Ask no more, and tell nothing of what is being asked."""
        self.stopped = True
        _poller.wake()


def watch(
    running: Running,
    ask: Callable[[], T],
    then: Callable[[T], None],
    failed: Callable[[DS01Error], None],
    every_seconds: float,
) -> Watch:
    """Ask now and every so often; not more often than `LEAST_SECONDS`, less often while it fails.

    Args:
        running: Hands over what is told.
        ask: The question; is called by the thread that asks.
        then: Is told each answer.
        failed: Is told why there is none.
        every_seconds: From one answer to the next question.
    """
    found = Watch(running, ask, then, failed, max(every_seconds, LEAST_SECONDS))
    _poller.add(found)
    return found


class _Poller:
    """The thread; it ends when there is nothing to ask."""

    def __init__(self) -> None:
        self._watches: list[Watch] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        with self._changed:
            self._watches.append(watch)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="ds01-widgets-poll", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def join(self, seconds: float = _IDLE_SECONDS) -> None:
        """Wait until the thread has ended, where there is nothing left to ask."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def _run(self) -> None:
        while (watch := self._due()) is not None:
            _asked(watch)

    def _due(self) -> Watch | None:
        """Waits for the next question; `None` when there is none."""
        with self._changed:
            while True:
                self._watches = [each for each in self._watches if not each.stopped]
                if not self._watches:
                    self._thread = None
                    return None
                first = min(self._watches, key=lambda each: each.next_at)
                wait = first.next_at - monotonic()
                if wait <= 0:
                    return first
                self._changed.wait(wait)


def _asked(watch: Watch) -> None:
    try:
        answer = watch.ask()
    except Cancelled:
        watch.stopped = True
        return
    except DS01Error as exc:
        error: DS01Error | None = exc
    except Exception:  # noqa: BLE001 - the thread is everybody's; told below
        error = our_fault()
    else:
        error = None
    watch.misses = watch.misses + 1 if error else 0
    watch.next_at = monotonic() + min(watch.seconds * 2**watch.misses, _MOST_SECONDS)

    def tell() -> None:
        if watch.stopped:
            return
        if error is None:
            watch.then(answer)
        else:
            watch.failed(error)

    with suppress(RuntimeError):
        watch.running.hand(tell)


_poller = _Poller()


def ended() -> None:
    """Wait until nothing is asked any more, where every watch has been stopped."""
    _poller.join()
