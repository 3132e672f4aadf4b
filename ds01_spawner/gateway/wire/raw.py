"""A raw stream both ways: half-close, back-pressure, and nobody left behind."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from ds01_spawner.gateway.wire.departures import Departures
from ds01_spawner.gateway.wire.line import Line
from ds01_spawner.gateway.wire.pipes import Pipes

_LEFTOVERS_SECONDS: Final = 5.0
"""How long the engine may take for what a client sent before it went away."""


async def join(client: Line, engine: Line, departures: Departures, pipes: Pipes) -> None:
    """Pass on what either side sends until both have ended, or one has gone.

    The end of one direction is passed on as such (`shutdown(SHUT_WR)`). A client that has gone
    takes its connection to the engine with it, and the other way round; what was sent before is
    delivered.
    """
    client_gone, engine_gone = asyncio.Event(), asyncio.Event()
    departures.watch(client.sock, client_gone.set)
    departures.watch(engine.sock, engine_gone.set)
    tasks = {
        "up": asyncio.ensure_future(_pass_on(client, engine, pipes)),
        "down": asyncio.ensure_future(_pass_on(engine, client, pipes)),
        "client": asyncio.ensure_future(client_gone.wait()),
        "engine": asyncio.ensure_future(engine_gone.wait()),
    }
    try:
        await _until_over(tasks)
    finally:
        departures.leave(client.sock)
        departures.leave(engine.sock)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _until_over(tasks: Mapping[str, asyncio.Future[bool]]) -> None:
    up, down = tasks["up"], tasks["down"]
    while not (up.done() and down.done()):
        waiting = [task for task in tasks.values() if not task.done()]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if tasks["client"].done() or (down.done() and not down.result()):
            await asyncio.wait([up], timeout=_LEFTOVERS_SECONDS)
            return
        if tasks["engine"].done():
            await asyncio.wait([down, tasks["client"]], return_when=asyncio.FIRST_COMPLETED)
            return


async def _pass_on(source: Line, sink: Line, pipes: Pipes) -> bool:
    """Whether everything up to the source's end could be passed on."""
    with suppress(ConnectionError):
        if source.early:
            await sink.send(await source.receive())
        while await pipes.move(source, sink):
            pass
        sink.end()
        return True
    source.refuse_more()
    return False
