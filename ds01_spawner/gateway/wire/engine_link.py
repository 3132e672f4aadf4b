"""The way to the engine, on the event loop: questions, answers handed on, and raw streams.

Each question has a connection of its own: 0.1 ms on a Unix socket, and no answer can ever be taken
for that of another question.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.wire.body import Chunks
from ds01_spawner.gateway.wire.call import Answer, Call, Query, Reply, Rewrite
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.gateway.wire.errors import ClientGone
from ds01_spawner.gateway.wire.flow import Flow, Pipes
from ds01_spawner.gateway.wire.hangups import Hangups
from ds01_spawner.gateway.wire.line import Line
from ds01_spawner.gateway.wire.lines import Lines
from ds01_spawner.gateway.wire.raw import Junction
from ds01_spawner.gateway.wire.reply import WireReply
from ds01_spawner.gateway.wire.request import flat, quoted_query
from ds01_spawner.gateway.wire.upstream import Question, Upstream, asked

_REWRITE_SECONDS: Final = 120.0
"""How long a list or an inspection may take; what only passes through may take its time."""

_MOST_LINE_BYTES: Final = 4 * 1024 * 1024
_PASSED_ON: Final = frozenset(
    {
        "api-version",
        "builder-version",
        "content-encoding",
        "content-type",
        "ostype",
        "server",
        "x-docker-container-path-stat",
    }
)
_RAW: Final = "application/vnd.docker.raw-stream"
_ERROR: Final = 400


class UnixEngineLink:
    """The engine on its Unix socket.

    Args:
        engine_socket: Path of the socket.
    """

    def __init__(self, engine_socket: str) -> None:
        self._socket = engine_socket
        self._departures: Hangups | None = None
        self._pipes = Pipes()

    def close(self) -> None:
        """Give back what its streams used; none of them may run any more."""
        self._pipes.close()
        if self._departures is not None:
            self._departures.close()
            self._departures = None

    async def ask(  # noqa: PLR0913 - the parts of one request
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        version: str = "",
        seconds: float = 30.0,
    ) -> Answer:
        """See `EngineLink`."""
        question = _question(method, _target(version, path, query), body)
        async with _within(seconds), asked(self._socket, question, self._pipes) as answer:
            return Answer(answer.head.status, await answer.value())

    async def relay(  # noqa: PLR0913 - the parts of one request
        self,
        call: Call,
        reply: Reply,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: Any = None,
        stream: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        rewrite: Rewrite | None = None,
    ) -> int:
        """See `EngineLink`."""
        question = _question(
            method, _target(call.version, path, query), body, stream=stream, headers=headers
        )
        if rewrite is None:
            async with asked(self._socket, question, self._pipes) as answer:
                return await _hand_on(answer, reply, self._pipes)
        seconds = _REWRITE_SECONDS if method in {"GET", "HEAD"} else None
        async with _within(seconds), asked(self._socket, question, self._pipes) as answer:
            status, value = answer.head.status, await answer.value()
            passed = _passed_on(answer)
        passed.pop("Content-Type", None)
        await _rewritten(reply, status, value, passed, rewrite)
        return status

    async def hijack(
        self, call: Call, reply: Reply, path: str, query: Query | None = None, *, body: Any = None
    ) -> int:
        """See `EngineLink`."""
        question = _question("POST", _target(call.version, path, query), body, upgrade="tcp")
        async with asked(self._socket, question, self._pipes) as answer:
            return await self._stream_or_hand_on(answer, call, reply)

    async def relay_all(self, call: Call, reply: Reply) -> int:
        """See `EngineLink`."""
        passage = call.passage
        if passage is None:
            raise ValueError("only an administrator's request is handed on as it is")
        version = f"/v{call.version}" if call.version else ""
        question = Question(
            call.method,
            f"{version}{passage.path}{quoted_query(passage.query)}",
            stream=None if passage.length == 0 else call.body.chunks(),
            length=passage.length,
            headers=passage.headers,
            upgrade=call.upgrade,
        )
        async with asked(self._socket, question, self._pipes) as answer:
            return await self._stream_or_hand_on(answer, call, reply)

    async def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        version: str = "",
        begun: Callable[[], None] = lambda: None,
    ) -> AsyncGenerator[Any, None]:
        """See `EngineLink`."""
        question = _question(method, _target(version, path, query))
        async with asked(self._socket, question, self._pipes) as answer:
            if answer.head.status >= _ERROR:
                checked(Answer(answer.head.status, await answer.value()))
            begun()
            lines = Lines(_MOST_LINE_BYTES)
            while part := await answer.part():
                for line in lines.of(part):
                    yield json.loads(line)

    async def parts(
        self, method: str, path: str, query: Query | None = None
    ) -> AsyncGenerator[bytes, None]:
        """See `EngineLink`."""
        question = _question(method, _target("", path, query))
        async with asked(self._socket, question, self._pipes) as answer:
            if answer.head.status >= _ERROR:
                checked(Answer(answer.head.status, await answer.value()))
            while part := await answer.part():
                yield part

    async def _stream_or_hand_on(self, answer: Upstream, call: Call, reply: Reply) -> int:
        if not answer.is_raw:
            return await _hand_on(answer, reply, self._pipes)
        if not isinstance(reply, WireReply):
            raise TypeError("this reply cannot become a raw stream")
        content = _passed_on(answer).get("Content-Type", _RAW)
        headers = {"Content-Type": content}
        status = int(HTTPStatus.OK)
        if call.upgrade:
            status = HTTPStatus.SWITCHING_PROTOCOLS
            headers |= {"Connection": "Upgrade", "Upgrade": call.upgrade}
        client = await reply.take(status, headers)
        if self._departures is None:
            self._departures = Hangups()
        await Junction(client, answer.line, self._departures, self._pipes).run()
        return answer.head.status


def _question(  # noqa: PLR0913 - the parts of one request
    method: str,
    target: str,
    body: Any = None,
    *,
    stream: AsyncIterator[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    upgrade: str = "",
) -> Question:
    content = {} if body is None else {"Content-Type": "application/json"}
    return Question(
        method,
        target,
        body=None if body is None else json.dumps(body).encode(),
        stream=stream,
        length=stream.length if isinstance(stream, Chunks) else None,
        headers={**content, **(headers or {})},
        upgrade=upgrade,
    )


def _target(version: str, path: str, query: Query | None) -> str:
    return f"{f'/v{version}' if version else ''}{path}{quoted_query(flat(query))}"


@asynccontextmanager
async def _within(seconds: float | None) -> AsyncIterator[None]:
    """A deadline for a question: `Unavailable` when it passes."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as exc:
        raise Unavailable(
            f"The container engine did not answer within {seconds:g} seconds.",
            "Try again in a minute; if it stays so, tell your administrator.",
        ) from exc


async def _hand_on(answer: Upstream, reply: Reply, pipes: Pipes) -> int:
    """Give the client what the engine answers, as it comes."""
    head, headers = answer.head, _passed_on(answer)
    if head.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        await reply.empty(head.status, headers)
        return head.status
    if head.chunked and answer.is_last and isinstance(reply, WireReply) and not answer.is_here:
        client = await reply.pour(head.status, headers)
        if client is not None:
            await _pour(answer, client, pipes)
            await reply.finish()
            return head.status
    if head.length is not None:
        headers["Content-Length"] = str(head.length)
    await reply.begin(head.status, headers)
    while part := await answer.part():
        await reply.write(part)
    await reply.finish()
    return head.status


async def _pour(answer: Upstream, client: Line, pipes: Pipes) -> None:
    """Pass on chunks as they are, to the end of the engine's connection."""
    flow = Flow(answer.line, client, pipes)
    try:
        await flow.start()
        if not await flow.over:
            raise ClientGone
    finally:
        flow.stop()


async def _rewritten(
    reply: Reply, status: int, value: Any, headers: Mapping[str, str], rewrite: Rewrite
) -> None:
    if status >= _ERROR:
        message = str(value.get("message", "")) if isinstance(value, dict) else ""
        await reply.json(rewrite({"message": message}), status, headers)
    elif value is None:
        await reply.empty(status, headers)
    else:
        await reply.json(rewrite(value), status, headers)


def _passed_on(answer: Upstream) -> dict[str, str]:
    """The engine's headers that the client gets."""
    return {
        "-".join(word.capitalize() for word in name.split("-")): value
        for name, value in answer.head.headers
        if name in _PASSED_ON or name.startswith("docker-")
    }
