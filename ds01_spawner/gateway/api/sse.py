"""Event streams: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from ds01_spawner.client.models import Wire
from ds01_spawner.client.problems import TooManyRequests
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.gateway.api.ask import StreamEvent
from ds01_spawner.gateway.api.plain import PlainHandler

MOST_OF_ONE = 10
MOST_OF_ALL = 500
HEARTBEAT_SECONDS = 15.0
"""Sent when nothing happens, so that no proxy takes the stream for dead."""

_RETRY_SECONDS = 5


class Listeners:
    """How many streams are open, and whose."""

    def __init__(
        self, each: int = MOST_OF_ONE, every: int = MOST_OF_ALL, what: str = "event streams"
    ) -> None:
        self._what = what
        self._each = each
        self._every = every
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_more(self, user: str) -> Iterator[None]:
        """While a stream of that person's is open.

        Raises:
            TooManyRequests: There are enough.
        """
        if self._open[user] >= self._each or self._open.total() >= self._every:
            raise TooManyRequests(
                f"You have {self._open[user]} {self._what} open; {self._each} are the most.",
                "Close one.",
                retry_after_seconds=_RETRY_SECONDS,
            )
        self._open[user] += 1
        try:
            yield
        finally:
            self._open[user] -= 1
            if not self._open[user]:
                del self._open[user]


async def send_events(
    handler: PlainHandler,
    events: AsyncIterator[StreamEvent],
    gone: asyncio.Event,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> None:
    """Send events as they come, until there are no more or nobody listens.

    What fails before the first event is raised; what fails later is an event `problem`.
    """
    leaving = asyncio.ensure_future(gone.wait())
    try:
        event = await _next(events, leaving, heartbeat_seconds, None)
        handler.set_header("Content-Type", "text/event-stream")
        handler.set_header("X-Accel-Buffering", "no")
        while event is not None:
            await _write(handler, _text(event.name, event.value))
            try:
                event = await _next(events, leaving, heartbeat_seconds, handler)
            except DS01Error as exc:
                await _write(handler, _text("problem", handler.problem_of(exc)))
                return
    except StreamClosedError:
        return
    finally:
        leaving.cancel()
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


async def _next(
    events: AsyncIterator[StreamEvent],
    leaving: "asyncio.Future[Any]",
    heartbeat_seconds: float,
    handler: RequestHandler | None,
) -> StreamEvent | None:
    """The next event; `None` when there are no more, or nobody listens.

    While it is waited for, `handler` sends heartbeats.
    """
    following = asyncio.ensure_future(anext(events))
    try:
        while not following.done() and not leaving.done():
            await asyncio.wait(
                {following, leaving},
                timeout=heartbeat_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if handler is not None and not following.done() and not leaving.done():
                await _write(handler, ": still here\n\n")
        return await following if following.done() else None
    except StopAsyncIteration:
        return None
    finally:
        if not following.done():
            following.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, DS01Error):
                await following


async def _write(handler: RequestHandler, text: str) -> None:
    handler.write(text)
    await handler.flush()


def _text(name: str, value: Wire) -> str:
    return f"event: {name}\ndata: {value.model_dump_json(exclude_unset=True)}\n\n"
