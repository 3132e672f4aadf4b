"""Endless answers, rewritten value by value, that end when their client has gone."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from ds01_spawner.gateway.wire.call import Call, Reply

Shown = Callable[[Any], Any]
"""From a value of the engine's to the one that the client gets; `None` for none."""

_HEADERS = {"Content-Type": "application/json"}
_END = object()


async def watch(
    call: Call, reply: Reply, values: AsyncIterator[Any], shown: Shown, *, head_within: float
) -> None:
    """Hand on `values` as lines of JSON, until they end or the client goes; then close them.

    Args:
        call: What the client asked.
        reply: Where the lines go.
        values: From the engine.
        shown: Rewrites each.
        head_within: Seconds after which the head of the answer is sent without a first value. An
            engine that refuses does so sooner, and then the client gets a status that says so.
    """
    passing = asyncio.create_task(_pass_on(reply, values, shown, head_within))
    gone = asyncio.create_task(call.gone.wait())
    try:
        await asyncio.wait({passing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if passing.done():
            await passing
    finally:
        gone.cancel()
        await _cancelled(passing)


async def _pass_on(
    reply: Reply, values: AsyncIterator[Any], shown: Shown, head_within: float
) -> None:
    following = asyncio.ensure_future(anext(values, _END))
    try:
        await asyncio.wait({following}, timeout=head_within)
        if following.done():
            following.result()
        await reply.begin(200, _HEADERS)
        while (value := await following) is not _END:
            told = shown(value)
            if told is not None:
                await reply.write(json.dumps(told, separators=(",", ":")).encode() + b"\n")
            following = asyncio.ensure_future(anext(values, _END))
        await reply.finish()
    finally:
        await _cancelled(following)
        close = getattr(values, "aclose", None)
        if close is not None:
            await close()


async def _cancelled(task: asyncio.Future[Any]) -> None:
    """Return when it has ended; what it says then is of no interest."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
