"""A raw stream both ways: half-close, back-pressure, and nobody left behind."""

import asyncio
from typing import Final

from ds01_spawner.gateway.wire.flow import Flow, Pipes
from ds01_spawner.gateway.wire.hangups import Hangups
from ds01_spawner.gateway.wire.line import Line

_LEFTOVERS_SECONDS: Final = 5.0
"""How long the engine may take for what a client sent before it went away."""


class Junction:
    """Joins a client and the engine.

    The end of one direction is passed on as such (`shutdown(SHUT_WR)`). A client that has gone
    takes its connection to the engine with it, and the other way round; what was sent before is
    delivered.

    Args:
        client: The client's connection.
        engine: The engine's.
        hangups: Tells when either has gone.
        pipes: What bytes are moved through.
    """

    def __init__(self, client: Line, engine: Line, hangups: Hangups, pipes: Pipes) -> None:
        loop = asyncio.get_running_loop()
        self._client = client
        self._engine = engine
        self._departures = hangups
        self._up = Flow(client, engine, pipes)
        self._down = Flow(engine, client, pipes)
        self._client_gone: asyncio.Future[bool] = loop.create_future()
        self._engine_gone: asyncio.Future[bool] = loop.create_future()

    async def run(self) -> None:
        """Pass on what either side sends, until both have ended or one has gone."""
        self._departures.watch(self._client.sock, lambda: _settle(self._client_gone))
        self._departures.watch(self._engine.sock, lambda: _settle(self._engine_gone))
        self._up.over.add_done_callback(lambda over: _end(over, self._client, self._engine))
        self._down.over.add_done_callback(lambda over: _end(over, self._engine, self._client))
        try:
            await self._down.start()
            await self._up.start()
            await self._until_over()
        finally:
            self._departures.leave(self._client.sock)
            self._departures.leave(self._engine.sock)
            for flow in (self._up, self._down):
                flow.stop()
                flow.over.cancel()

    async def _until_over(self) -> None:
        up, down = self._up.over, self._down.over
        while not (up.done() and down.done()):
            every = (up, down, self._client_gone, self._engine_gone)
            waiting = [each for each in every if not each.done()]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                up.result()
            if self._client_gone.done() or (down.done() and not down.result()):
                await asyncio.wait([up], timeout=_LEFTOVERS_SECONDS)
                return
            if self._engine_gone.done():
                await asyncio.wait([down, self._client_gone], return_when=asyncio.FIRST_COMPLETED)
                return


def _settle(gone: "asyncio.Future[bool]") -> None:
    if not gone.done():
        gone.set_result(True)


def _end(over: "asyncio.Future[bool]", source: Line, sink: Line) -> None:
    """Pass on the end of one direction; what nobody takes must not be sent either."""
    if over.cancelled() or over.exception() is not None:
        return
    if over.result():
        sink.end()
    else:
        source.refuse_more()
