"""What becomes of an answer when the line to its client breaks."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

from ds01_spawner.gateway.api.bridge import Bridge
from ds01_spawner.gateway.wire.head import parse_request_head
from fakes.calls import ALICE

HEAD = parse_request_head(b"GET /told HTTP/1.1\r\nHost: x")


class Empty:
    """A body of nothing."""

    async def read(self, limit_bytes: int) -> bytes:
        del limit_bytes
        return b""

    def chunks(self) -> Any:
        raise NotImplementedError


class Line:
    """A client's side that breaks at one of the steps of an answer."""

    def __init__(self, breaks_at: str) -> None:
        self._breaks_at = breaks_at
        self.reached = asyncio.Event()
        self.hangs = breaks_at.startswith("hang ")

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        del status, headers
        await self._step("begin")

    async def write(self, chunk: bytes) -> None:
        del chunk
        await self._step("write")

    async def finish(self) -> None:
        await self._step("finish")

    async def _step(self, name: str) -> None:
        if name in self._breaks_at:
            self.reached.set()
            if self.hangs:
                await asyncio.Event().wait()
            raise BrokenPipeError


class Ends(list[str]):
    """How a request ended."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = asyncio.Event()


class Teller(RequestHandler):
    """Says two words, and notes how it ended."""

    def initialize(self, ends: Ends) -> None:
        self._ends = ends

    async def get(self) -> None:
        try:
            for word in ("one", "two"):
                self.write(word)
                await self.flush()
        except StreamClosedError:
            self._ends.append("closed")
            self._ends.closed.set()
            raise
        self._ends.append("told")

    def on_connection_close(self) -> None:
        self._ends.append("gone")


@pytest.mark.parametrize("step", ["begin", "write"])
async def test_whoever_writes_when_the_line_breaks_is_told(step: str) -> None:
    ends = Ends()
    bridge = Bridge(Application([("/told", Teller, {"ends": ends})]))
    async with asyncio.timeout(5):
        await bridge(ALICE, HEAD, Empty(), asyncio.Event(), Line(step))  # type: ignore[arg-type]
        await ends.closed.wait()
    assert sorted(ends) == ["closed", "gone"]


async def test_whoever_writes_when_the_call_is_cancelled_is_told() -> None:
    ends = Ends()
    line = Line("hang write")
    bridge = Bridge(Application([("/told", Teller, {"ends": ends})]))
    call = asyncio.create_task(bridge(ALICE, HEAD, Empty(), asyncio.Event(), line))  # type: ignore[arg-type]
    async with asyncio.timeout(5):
        await line.reached.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await ends.closed.wait()
    assert sorted(ends) == ["closed", "gone"]


async def test_whoever_listens_to_the_end_ends_as_usual() -> None:
    ends = Ends()
    bridge = Bridge(Application([("/told", Teller, {"ends": ends})]))
    async with asyncio.timeout(5):
        await bridge(ALICE, HEAD, Empty(), asyncio.Event(), Line("never"))  # type: ignore[arg-type]
    assert ends[0] == "told"
