"""One question to the engine on a connection of its own, and its answer part by part."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.wire.body import Chunks
from ds01_spawner.gateway.wire.flow import Flow, Pipes
from ds01_spawner.gateway.wire.framing import Framing, InChunks, OfLength, UntilEnd
from ds01_spawner.gateway.wire.head import Malformed, ResponseHead, parse_response_head, written
from ds01_spawner.gateway.wire.line import Line

_CONNECT_SECONDS: Final = 10.0
_MOST_WHOLE_BYTES: Final = 64 * 1024 * 1024
_LAST_CHUNK: Final = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Question:
    """What the engine is asked.

    Attributes:
        method: HTTP method.
        target: Path, with version and parameters.
        body: The whole body; `None` without one.
        stream: A body that is sent as it comes, instead.
        length: How long that is; `None` when only its end will tell.
        headers: More headers.
        upgrade: The protocol to go on with, or empty.
    """

    method: str
    target: str
    body: bytes | None = None
    stream: AsyncIterator[bytes] | None = None
    length: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    upgrade: str = ""

    def head(self) -> bytes:
        """As it is sent, up to the body."""
        headers = {"host": "docker", "user-agent": "ds01-gateway", **self.headers}
        if self.body is not None:
            headers["Content-Length"] = str(len(self.body))
        elif self.stream is not None and self.length is not None:
            headers["Content-Length"] = str(self.length)
        elif self.stream is not None:
            headers["Transfer-Encoding"] = "chunked"
        elif self.method in {"POST", "PUT"}:
            headers["Content-Length"] = "0"
        headers["Connection"] = "Upgrade" if self.upgrade else "close"
        if self.upgrade:
            headers["Upgrade"] = self.upgrade
        return written(f"{self.method} {self.target} HTTP/1.1", headers.items())


class Upstream:
    """The engine's answer.

    Attributes:
        line: The connection.
        head: Status and headers.
        is_raw: Whether what follows is a raw stream both ways.
        is_last: Whether the engine was told to close the connection behind it.
    """

    def __init__(self, line: Line, head: ResponseHead, question: Question) -> None:
        self.line = line
        self.head = head
        method = question.method
        unframed = not head.chunked and head.length is None
        is_ok = head.status == HTTPStatus.OK and method == "POST" and unframed
        self.is_raw = head.status == HTTPStatus.SWITCHING_PROTOCOLS or is_ok
        self.is_last = not question.upgrade
        self._framing = _framing(head, method)

    @property
    def is_here(self) -> bool:
        """Whether the body, in chunks, has come with the head already."""
        trial = InChunks()
        trial.feed(self.line.early)
        return trial.done

    async def part(self) -> bytes:
        """The next part of the body; empty at its end.

        Raises:
            Unavailable: The engine broke it off.
        """
        try:
            return await self.line.receive_body(self._framing)
        except (OSError, Malformed) as exc:
            raise Unavailable("The container engine broke off its answer.", "Try again.") from exc

    async def whole(self) -> bytes:
        """All of the body.

        Raises:
            Unavailable: The engine broke it off, or there is no end to it.
        """
        content = bytearray()
        while part := await self.part():
            content += part
            if len(content) > _MOST_WHOLE_BYTES:
                raise Unavailable(
                    f"The container engine's answer is longer than {_MOST_WHOLE_BYTES >> 20} MiB."
                )
        return bytes(content)

    async def value(self) -> Any:
        """The body as JSON; `None` without one; text that is no JSON as a `message`.

        Raises:
            Unavailable: As for `whole`.
        """
        content = await self.whole()
        if not content.strip():
            return None
        try:
            return json.loads(content)
        except ValueError:
            return {"message": content.decode(errors="replace").strip()}


@asynccontextmanager
async def asked(engine_socket: str, question: Question, pipes: Pipes) -> AsyncIterator[Upstream]:
    """The answer to a question; the connection lives as long as the context.

    Raises:
        Unavailable: The engine cannot be reached, or ends the connection without an answer.
        DS01Error: What the question's stream raises before there is an answer.
    """
    line = Line(await _connected(engine_socket))
    sending = None
    try:
        if question.stream is None:
            await _send(line, question, pipes)
            head = await _received_head(line)
        else:
            sending = asyncio.ensure_future(_send(line, question, pipes))
            head = await _head(line, sending)
        yield Upstream(line, head, question)
    finally:
        if sending is not None:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        line.close()


async def _connected(engine_socket: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            while True:
                try:
                    await asyncio.get_running_loop().sock_connect(made, engine_socket)
                except BlockingIOError:
                    # A Unix socket whose backlog is full says so at once (connect(2), EAGAIN).
                    await asyncio.sleep(0.01)
                else:
                    return made
    except OSError as exc:  # TimeoutError among them
        made.close()
        raise Unavailable(
            "The container engine cannot be reached.",
            "Try again in a minute; if it stays so, tell your administrator.",
        ) from exc
    except BaseException:
        made.close()
        raise


async def _send(line: Line, question: Question, pipes: Pipes) -> None:
    """Send a question. An engine that takes no more has answered already, or will not."""
    framed = question.length is None
    try:
        await line.send(question.head() + (question.body or b""))
        if question.stream is None or await _poured(line, question, pipes):
            return
        while parts := await _next_parts(question.stream):
            if framed:
                size = b"%x\r\n" % sum(map(len, parts))
                await line.send(size, *parts, b"\r\n")
            else:
                await line.send(*parts)
        if framed:
            await line.send(_LAST_CHUNK)
    except ConnectionError:
        return


async def _poured(line: Line, question: Question, pipes: Pipes) -> bool:
    """Whether the body was one that is passed on as it is framed; then, it has been.

    A client that sends another request behind its body sends it into the void: the engine was told
    that it will get no other, and must not look for one (RFC 9112, section 9.6).
    """
    stream = question.stream
    if question.upgrade or not isinstance(stream, Chunks):
        return False
    source = await stream.pour()
    if source is None:
        return False
    flow = Flow(source, line, pipes)
    try:
        await flow.start()
        if await flow.over:
            line.end()
    finally:
        flow.stop()
    return True


async def _next_parts(stream: AsyncIterator[bytes]) -> Sequence[bytes | memoryview]:
    if isinstance(stream, Chunks):
        return await stream.parts()
    while (part := await anext(stream, None)) == b"":
        pass
    return () if part is None else (part,)


async def _head(line: Line, sending: asyncio.Task[None]) -> ResponseHead:
    """The head of the answer, while the question is still being sent."""
    receiving = asyncio.ensure_future(_received_head(line))
    try:
        waiting: set[asyncio.Future[Any]] = {receiving, sending}
        while not receiving.done():
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if sending in done:
                sending.result()
                waiting.discard(sending)
        return receiving.result()
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


async def _received_head(line: Line) -> ResponseHead:
    try:
        while (text := await line.receive_head()) is not None:
            head = parse_response_head(text)
            if head.status >= HTTPStatus.OK or head.status == HTTPStatus.SWITCHING_PROTOCOLS:
                return head
    except (OSError, Malformed) as exc:
        raise Unavailable("The container engine gave no answer.", "Try again.") from exc
    raise Unavailable("The container engine gave no answer.", "Try again.")


def _framing(head: ResponseHead, method: str) -> Framing:
    if method == "HEAD" or not head.has_body:
        return OfLength(0)
    if head.chunked:
        return InChunks()
    return UntilEnd() if head.length is None else OfLength(head.length)
