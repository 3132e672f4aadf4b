import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ds01_spawner.spawner import readiness
from ds01_spawner.spawner.readiness import answers

pytestmark = pytest.mark.enable_socket


@asynccontextmanager
async def server(reply: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that sends `reply` to every request, or is silent; its URL and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if reply is None:
            await reader.read()
        else:
            writer.write(reply)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield f"http://127.0.0.1:{port}/user/alice/", asked


@pytest.mark.parametrize(
    ("reply", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n{}", True),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", True),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", True),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", True),
        (b"HTTP/1.1 500 Oops\r\n\r\n", False),
        (b"HTTP/1.1 503 Not yet\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH\r\n", False),
        (b"HTTP/1.1 \r\n", False),
        (b"HTTP/1.1 abc\r\n", False),
        (b"", False),
    ],
    ids=str,
)
async def test_an_answer_below_500_is_ready(reply: bytes, ready: bool) -> None:
    async with server(reply) as (url, asked):
        assert await answers(url) is ready
        assert asked[0].startswith(b"GET /user/alice/api HTTP/1.1\r\n")


async def test_a_server_that_says_nothing_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_ATTEMPT_SECONDS", 0.05)
    async with server(None) as (url, _):
        assert not await answers(url)


async def test_nobody_listening_is_not_ready() -> None:
    async with server(b"") as (url, _):
        pass
    assert not await answers(url)


@pytest.mark.parametrize("url", ["", "http://", "http://127.0.0.1:99999/"])
async def test_an_address_that_is_none_is_not_ready(url: str) -> None:
    assert not await answers(url)
