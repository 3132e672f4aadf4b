"""A process that the engine runs in a container: its raw streams, for as long as they last."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.body import RequestBody
from ds01_spawner.gateway.wire.call import Call, EngineLink
from ds01_spawner.gateway.wire.head import RequestHead
from ds01_spawner.gateway.wire.line import Line
from ds01_spawner.gateway.wire.reply import WireReply

STDOUT, STDERR = 1, 2
PIECE_BYTES = 64 * 1024
_HEAD_BYTES = 8
_MOST_WORDS = 64 * 1024
_BEGIN = RequestHead("POST", "/", (), 0, keep_alive=False, chunks_understood=True)


class RawExec:
    """Bytes to and from a process.

    Args:
        reader: What the engine sends.
        writer: What it is sent.
        tty: Whether the process has a terminal, so that there is one stream alone.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, tty: bool
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._tty = tty

    async def begin(self) -> str | None:
        """Why the process was not started, in the engine's words; `None` where it was.

        Raises:
            Unavailable: The engine does not answer.
        """
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            raise Unavailable("The container engine does not answer.", "Try again.") from exc
        if head.startswith(b"HTTP/1.1 101"):
            return None
        with suppress(ConnectionError):
            return _message(await self._reader.read(_MOST_WORDS))
        return ""

    async def send(self, data: bytes) -> None:
        """Give it input; returns when it may be given more.

        Raises:
            ConnectionError: It takes none any more.
        """
        self._writer.write(data)
        await self._writer.drain()

    def end_input(self) -> None:
        """There is no more input; its output goes on."""
        with suppress(OSError):
            self._writer.write_eof()

    async def parts(self) -> AsyncIterator[tuple[int, bytes]]:
        """What it says, until it ends: which stream, and a piece of at most `PIECE_BYTES`."""
        try:
            while True:
                if self._tty:
                    part = await self._reader.read(PIECE_BYTES)
                    if not part:
                        return
                    yield STDOUT, part
                    continue
                head = await self._reader.readexactly(_HEAD_BYTES)
                stream = STDERR if head[0] == STDERR else STDOUT
                size = int.from_bytes(head[4:], "big")
                while size:
                    part = await self._reader.read(min(size, PIECE_BYTES))
                    if not part:
                        return
                    size -= len(part)
                    yield stream, part
        except (asyncio.IncompleteReadError, ConnectionError):
            return


def _message(content: bytes) -> str:
    """What an error of the engine says."""
    try:
        said = json.loads(content)
    except ValueError:
        return ""
    return str(said.get("message") or "") if isinstance(said, dict) else ""


@asynccontextmanager
async def raw_exec(
    engine: EngineLink, caller: Caller, exec_id: str, *, tty: bool = False
) -> AsyncIterator[RawExec]:
    """A process that was made ready, started; its input ends with the context.

    Args:
        engine: The way to the engine.
        caller: Whose container it runs in.
        exec_id: The engine's id of it.
        tty: Whether it was made with a terminal.
    """
    here, there = socket.socketpair()
    for end in (here, there):
        end.settimeout(0)
    running = asyncio.ensure_future(_run(engine, caller, exec_id, there, tty=tty))
    reader, writer = await asyncio.open_connection(sock=here)
    try:
        yield RawExec(reader, writer, tty=tty)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        running.cancel()
        await asyncio.wait([running])
        there.close()


async def _run(
    engine: EngineLink, caller: Caller, exec_id: str, there: socket.socket, *, tty: bool
) -> None:
    line = Line(there)
    body = RequestBody(line, _BEGIN, 1.0)
    call = Call(
        id=exec_id[:12],
        caller=caller,
        method="POST",
        version="",
        parts={},
        query={},
        headers={},
        body=body,
        upgrade="tcp",
        gone=asyncio.Event(),
    )
    try:
        await engine.hijack(
            call,
            WireReply(line, _BEGIN, body),
            f"/exec/{exec_id}/start",
            body={"Detach": False, "Tty": tty},
        )
    finally:
        with suppress(OSError):
            there.shutdown(socket.SHUT_RDWR)
