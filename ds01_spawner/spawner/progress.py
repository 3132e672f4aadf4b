"""What a spawn says while it runs, to any number of listeners, early or late."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from enum import StrEnum
from typing import NotRequired, TypedDict


class Stage(StrEnum):
    """The steps of a start, in their order; most starts leave some out."""

    LIMITS = "limits"
    IMAGE = "image"
    QUEUE = "queue"
    GPU = "gpu"
    LINE = "line"
    CREATE = "create"
    START = "start"
    ANSWER = "answer"
    READY = "ready"


class ProgressEvent(TypedDict):
    """One event as JupyterHub sends it to the pending page.

    Events of the same `step` are one step, told again. `place` and `length` are the place in the
    GPU queue and how many compete there; `reason` is what it waits for. `wait` is how long that is
    likely to take, in words, and `wait_seconds` the same for programs; both only where something
    tells. `refusal` is why it failed, for programs; the hub tells pages.
    """

    progress: int
    step: Stage
    message: str
    place: NotRequired[int]
    length: NotRequired[int]
    reason: NotRequired[str]
    wait: NotRequired[str]
    wait_seconds: NotRequired[float]
    refusal: NotRequired[Mapping[str, object]]


class Place(TypedDict):
    """A place in the GPU queue, as an event has it."""

    place: int
    length: int
    reason: str
    wait: NotRequired[str]
    wait_seconds: NotRequired[float]


PERCENT = {
    Stage.LIMITS: 5,
    Stage.IMAGE: 8,
    Stage.QUEUE: 10,
    Stage.GPU: 20,
    Stage.LINE: 25,
    Stage.CREATE: 40,
    Stage.START: 60,
    Stage.ANSWER: 80,
    Stage.READY: 95,
}
"""How far a start is at each of its steps."""


class ProgressLog:
    """The steps of one spawn. Belongs to the hub's event loop."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._begins: list[tuple[Stage, float]] = []
        self._events: list[ProgressEvent] = []
        self._changed = asyncio.Event()
        self._closed = False

    def say(self, stage: Stage, message: str, place: Place | None = None) -> None:
        """Add a step, unless it repeats the last one."""
        event = ProgressEvent(progress=PERCENT[stage], step=stage, message=message)
        if place is not None:
            event = {**event, **place}
        if self._events and self._events[-1] == event:
            return
        if not self._begins or self._begins[-1][0] is not stage:
            self._begins.append((stage, self._monotonic()))
        self._tell(event)

    def refuse(self, message: str, refusal: Mapping[str, object]) -> None:
        """Say why it failed, for programs: last, and in the step that it failed in."""
        step = self._events[-1]["step"] if self._events else Stage.LIMITS
        self._tell(
            ProgressEvent(progress=PERCENT[step], step=step, message=message, refusal=refusal)
        )

    def durations(self) -> Mapping[Stage, float]:
        """Seconds of each step so far; the last one goes on."""
        found: dict[Stage, float] = {}
        ends = [*(began for _, began in self._begins[1:]), self._monotonic()]
        for (stage, began), end in zip(self._begins, ends, strict=False):
            found[stage] = found.get(stage, 0.0) + end - began
        return found

    @property
    def told(self) -> tuple[ProgressEvent, ...]:
        """Every step so far."""
        return tuple(self._events)

    @property
    def closed(self) -> bool:
        """Whether there will be no more steps."""
        return self._closed

    def close(self) -> None:
        """There will be no more steps."""
        self._closed = True
        self._wake()

    async def follow(self) -> AsyncIterator[ProgressEvent]:
        """Every step so far, then each new one, until the log is closed."""
        shown = 0
        while True:
            changed = self._changed
            while shown < len(self._events):  # more may be said while a listener is busy
                shown += 1
                yield self._events[shown - 1]
            if self._closed:
                return
            await changed.wait()

    def _tell(self, event: ProgressEvent) -> None:
        self._events.append(event)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
