"""Reads side by side, each in a thread of its own, and waits for none of them beyond a bound.

What hangs keeps its one thread: it is not asked again before it returns, so that threads do not
pile up. The threads are daemons: the process can always end.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.exporter.threads import DaemonThreads

T = TypeVar("T")

BOUND_SECONDS = 2.5
"""Prometheus gives up after 10 s, and its scrapes should not take a good part of their interval."""

_THREADS = DaemonThreads()

_log = logging.getLogger("ds01.exporter")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a source gave.

    Attributes:
        value: `None` where it failed or is late.
        problem: Why; empty where it did not.
        seconds: How long it took, or has been taking.
    """

    value: T | None
    problem: str = ""
    seconds: float = 0.0


class Round:
    """One reading of all sources; a source may wait in it for another."""

    def __init__(self, futures: Mapping[str, "Future[Any]"], bound_seconds: float) -> None:
        self._futures = futures
        self._bound = bound_seconds

    def of(self, source: "Source[T]") -> T:
        """What another source gave in this round.

        Raises:
            Unavailable: It failed, or is late.
        """
        try:
            found: T = self._futures[source.name].result(self._bound)
        except TimeoutError as exc:
            raise _late(source.name, self._bound) from exc
        return found


class Source(Generic[T]):
    """Something that is read.

    Attributes:
        name: What it is called.

    Args:
        name: What it is called.
        read: Reads it; called by one thread at a time.
        every_seconds: What is younger than that is taken as it is; what is older is read again,
            and taken as it is meanwhile, up to `lasts_seconds`.
        lasts_seconds: What is older is not taken.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[Round], T],
        *,
        every_seconds: float = 0.0,
        lasts_seconds: float = 0.0,
    ) -> None:
        self.name = name
        self._read = read
        self._every = every_seconds
        self._lasts = lasts_seconds
        self._running: Future[T] | None = None
        self._began = 0.0
        self._last: tuple[float, T] | None = None
        self._said = ""

    def begin(self, round_of: Callable[[], Round], now: float) -> "Future[T]":
        """What it gives in this round; read now, unless it is young, or still being read."""
        kept = self._last
        young = kept is not None and now - kept[0] < self._every
        if not young and (self._running is None or self._running.done()):
            self._start(round_of, now)
        if kept is not None and now - kept[0] < self._lasts:
            done: Future[T] = Future()
            done.set_result(kept[1])
            return done
        assert self._running is not None  # noqa: S101 - narrows the type
        if self._began < now:  # of an earlier round: it hangs
            failed: Future[T] = Future()
            failed.set_exception(_late(self.name, now - self._began))
            return failed
        return self._running

    def taking(self, now: float) -> float:
        """For how many seconds it has been read, by the clock of `begin`; 0 where it is not."""
        running = self._running
        return now - self._began if running is not None and not running.done() else 0.0

    def _start(self, round_of: Callable[[], Round], now: float) -> None:
        future: Future[T] = Future()
        self._running, self._began = future, now
        _THREADS.run(f"read {self.name}", lambda: self._settle(future, round_of, now))

    def _settle(self, future: "Future[T]", round_of: Callable[[], Round], began: float) -> None:
        try:
            value = self._read(round_of())
        except DS01Error as exc:
            self._say(str(exc))
            future.set_exception(exc)
        except Exception as exc:  # noqa: BLE001 - the top of a thread: said, the others go on
            _log.exception("%s cannot be read", self.name)
            future.set_exception(exc)
        else:
            self._say("")
            self._last = began, value
            future.set_result(value)

    def _say(self, problem: str) -> None:
        if problem and problem != self._said:
            _log.warning("%s: %s", self.name, problem)
        self._said = problem


class Readings:
    """What all sources gave in one round."""

    def __init__(self, outcomes: Mapping[str, Outcome[Any]]) -> None:
        self._outcomes = outcomes

    def of(self, source: Source[T]) -> T | None:
        """What a source gave; `None` where it did not."""
        found: T | None = self._outcomes[source.name].value
        return found

    def problem(self, name: str) -> str:
        """Why a source gave nothing; empty where it did."""
        return self._outcomes[name].problem

    def seconds(self, name: str) -> float:
        """How long it took."""
        return self._outcomes[name].seconds


def gather(
    sources: Sequence[Source[Any]], bound_seconds: float = BOUND_SECONDS, now: float | None = None
) -> Readings:
    """Read all of them, and wait until each has given or failed, for so long at most.

    Args:
        sources: What is read.
        bound_seconds: How long.
        now: This moment, by a clock that never jumps: tells what is young.
    """
    began = time.monotonic()
    now = began if now is None else now
    futures: dict[str, Future[Any]] = {}
    ends: dict[str, float] = {}
    ready = threading.Event()

    def round_of() -> Round:
        ready.wait()
        return Round(futures, bound_seconds)

    def ended(name: str) -> Callable[[object], None]:
        return lambda _future: ends.__setitem__(name, time.monotonic())

    for source in sources:
        futures[source.name] = source.begin(round_of, now)
        futures[source.name].add_done_callback(ended(source.name))
    ready.set()
    outcomes = {}
    for name, future in futures.items():
        left = max(began + bound_seconds - time.monotonic(), 0.0)
        outcomes[name] = _outcome(name, future, left, bound_seconds)
    for source in sources:
        found, seconds = outcomes[source.name], ends.get(source.name, time.monotonic()) - began
        if found.problem:  # of an earlier round, it may hang since then
            seconds = max(seconds, source.taking(now))
        outcomes[source.name] = replace(found, seconds=seconds)
    return Readings(outcomes)


def _outcome(name: str, future: "Future[T]", left: float, bound_seconds: float) -> Outcome[T]:
    try:
        return Outcome(future.result(left))
    except TimeoutError:
        if not future.done():
            return Outcome(None, str(_late(name, bound_seconds)))
        return Outcome(None, str(future.exception()))
    except DS01Error as exc:
        return Outcome(None, str(exc))
    except Exception as exc:  # noqa: BLE001 - it is in the log; the other sources go on
        return Outcome(None, f"{type(exc).__name__}: {exc}")


def _late(name: str, seconds: float) -> Unavailable:
    return Unavailable(f"{name} has not been read for {seconds:.1f} s.")
