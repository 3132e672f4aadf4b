import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.docker.containers.watching import watch
from fakes.calls import FakeReply, a_call


class Endless:
    """Values until a test ends them, or nothing more for ever."""

    def __init__(self, *values: Any, error: Exception | None = None) -> None:
        self.values = values
        self.error = error
        self.waiting = asyncio.Event()
        self.closed = False

    async def stream(self) -> AsyncIterator[Any]:
        try:
            for value in self.values:
                yield value
            if self.error:
                raise self.error
            self.waiting.set()
            await asyncio.Event().wait()
        finally:
            self.closed = True


class WatchedReply(FakeReply):
    """Says when its head was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        await super().begin(status, headers)
        self.begun.set()


async def test_the_engines_stream_is_closed_when_the_client_goes() -> None:
    source, call, reply = Endless({"n": 1}), a_call("GET"), FakeReply()
    watching = asyncio.create_task(watch(call, reply, source.stream(), dict, head_within=5))
    await asyncio.wait_for(source.waiting.wait(), 5)
    call.gone.set()
    await asyncio.wait_for(watching, 5)
    assert source.closed
    assert reply.content == b'{"n":1}\n'
    assert not reply.finished


async def test_the_engines_stream_is_closed_when_the_handler_is_cancelled() -> None:
    source = Endless()
    call, reply = a_call("GET"), FakeReply()
    watching = asyncio.create_task(watch(call, reply, source.stream(), dict, head_within=5))
    await asyncio.wait_for(source.waiting.wait(), 5)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(watching, 5)
    assert source.closed


async def test_the_head_is_sent_before_the_first_value() -> None:
    source, call, reply = Endless(), a_call("GET"), WatchedReply()
    watching = asyncio.create_task(watch(call, reply, source.stream(), dict, head_within=0.01))
    await asyncio.wait_for(reply.begun.wait(), 5)
    assert reply.status == 200
    call.gone.set()
    await asyncio.wait_for(watching, 5)


async def test_an_engine_that_refuses_at_once_is_told_before_the_head() -> None:
    source, reply = Endless(error=Unavailable("The engine is away.")), FakeReply()
    with pytest.raises(Unavailable):
        await watch(a_call("GET"), reply, source.stream(), dict, head_within=5)
    assert reply.status == 0
    assert source.closed


async def test_what_is_not_shown_leaves_no_line() -> None:
    async def values() -> AsyncIterator[Any]:
        for number in (1, 2, 3):
            yield number

    reply = FakeReply()
    await watch(
        a_call("GET"), reply, values(), lambda n: None if n == 2 else {"n": n}, head_within=5
    )
    assert reply.content == b'{"n":1}\n{"n":3}\n'
    assert reply.finished
