"""What a spawn says while it runs, to any number of listeners, early or late."""

import asyncio
from collections.abc import AsyncIterator
from typing import NotRequired, TypedDict


class ProgressEvent(TypedDict):
    """One event as JupyterHub sends it to the pending page.

    Events of the same `progress` are one step, told again. `place` and `length` are the place in
    the GPU queue and how many compete there.
    """

    progress: int
    message: str
    place: NotRequired[int]
    length: NotRequired[int]


class ProgressLog:
    """The steps of one spawn. Belongs to the hub's event loop."""

    def __init__(self) -> None:
        self._events: list[ProgressEvent] = []
        self._changed = asyncio.Event()
        self._closed = False

    def say(self, percent: int, message: str, *, place: int = 0, length: int = 0) -> None:
        """Add a step, unless it repeats the last one."""
        event = ProgressEvent(progress=percent, message=message)
        if place:
            event |= {"place": place, "length": length}
        if self._events and self._events[-1] == event:
            return
        self._events.append(event)
        self._wake()

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

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
