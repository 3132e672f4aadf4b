"""A proxy in front of the engine's socket that fails on demand."""

import asyncio
import re
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_MAX_HEAD = 64 * 1024
_MAX_CONNECTIONS = 256
_LONGEST_SECONDS = 300.0
_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")


class Mode(StrEnum):
    """What happens to a request.

    `DELAY` hands it on after some seconds; `LATE` hands it on at once and holds the answer back,
    as an engine does that has done the deed and cannot say so.
    """

    PASS = "pass"
    SILENT = "silent"
    FAIL = "fail"
    DELAY = "delay"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    mode: Mode
    seconds: float


class EngineProxy:
    """Listens on `socket_path` while its `with` block lasts.

    Attributes:
        requests: `METHOD /path` of every request, without the API version.
    """

    def __init__(self, socket_path: Path, upstream: str = "/var/run/docker.sock") -> None:
        self.socket_path = socket_path
        self.requests: list[str] = []
        self._upstream = upstream
        self._rules: list[_Rule] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine-proxy")

    def rule(self, pattern: str, mode: Mode, seconds: float = 0.0) -> None:
        """From now on, requests whose `METHOD /path` matches are treated so; the last rule wins."""
        self._rules = [_Rule(re.compile(pattern), mode, seconds), *self._rules]

    def clear(self) -> None:
        """Pass everything again, and answer those who wait with a closed connection."""
        self._rules = []
        self._run(self._drop_connections())

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(
            asyncio.start_unix_server(self._serve, self.socket_path, limit=_MAX_HEAD)
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _shut(self) -> None:
        self._server.close()
        await self._drop_connections()

    async def _drop_connections(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if len(self._tasks) <= _MAX_CONNECTIONS:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    await self._answer(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        request = f"{method} {_VERSION.sub('', path)}"
        self.requests.append(request)
        rule = next((one for one in self._rules if one.pattern.search(request)), None)
        mode, seconds = (rule.mode, rule.seconds) if rule else (Mode.PASS, 0.0)
        if mode is Mode.SILENT:
            await asyncio.Event().wait()
        if mode is Mode.FAIL:
            writer.write(_failure())
            await writer.drain()
            return
        if mode is Mode.DELAY:
            await asyncio.sleep(seconds)
        held = seconds if mode is Mode.LATE else 0.0
        await self._pass(_one_request(head), reader, writer, held)

    async def _pass(
        self,
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        held: float,
    ) -> None:
        answers, upstream = await asyncio.open_unix_connection(self._upstream)
        upstream.write(head)
        sending = asyncio.create_task(_pump(reader, upstream))
        try:
            await asyncio.sleep(held)
            await _pump(answers, writer)
        finally:
            sending.cancel()
            upstream.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    with suppress(OSError, RuntimeError):
        sink.write_eof()


def _one_request(head: bytes) -> bytes:
    """The head with `Connection: close`, so that each request gets a rule of its own."""
    lines = head[:-4].split(b"\r\n")
    upgrades = any(line.lower().startswith(b"upgrade:") for line in lines)
    if upgrades:
        return head
    kept = [line for line in lines if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*kept, b"Connection: close"]) + b"\r\n\r\n"


def _failure() -> bytes:
    body = b'{"message":"the proxy was told to fail"}'
    head = (
        "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
