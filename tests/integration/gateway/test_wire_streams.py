import asyncio
import io
import json
import secrets
import shutil
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET
from ds01_spawner.domain.errors import InvalidRequest, NotFound, Unavailable
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.attendance import Attendance, Standing, standing
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Reply
from ds01_spawner.gateway.wire.connection import Bounds
from ds01_spawner.gateway.wire.engine_link import UnixEngineLink
from fakes.accounts import FakeAccounts
from fakes.calls import FakeReply, a_call
from integration.gateway.gateway_process import engine_docker
from integration.gateway.wire_server import (
    Client,
    answer,
    condition,
    passing_on,
    reachable_folder,
    serving,
)

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ATTACH = (
    b"POST /v1.41/containers/a/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\n"
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
)
UPGRADED = (
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
)
INFO = b"GET /info HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def engine(script: Script) -> AsyncIterator[str]:
    """An engine that does with each connection what a test says."""
    folder = reachable_folder()
    path = str(folder / "engine.sock")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(connected, path)
    yield path
    server.close()
    shutil.rmtree(folder)


@asynccontextmanager
async def before(script: Script) -> AsyncIterator[Path]:
    """A server before such an engine."""
    async with engine(script) as path:
        link = UnixEngineLink(path)
        async with serving(passing_on(link)) as (wire, server):
            yield wire
            await condition(lambda: server.connections == 0)
        link.close()


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def test_both_ends_are_passed_on_one_by_one() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(UPGRADED + b"early")
        assert await reader.read() == b"input"
        writer.write(b"after the end of input")

    async with before(script) as wire:
        client = Client(wire)
        await client.send(ATTACH + b"in")
        await client.until(b"early")
        await client.send(b"put")
        client.end()

        assert await client.rest() == b"after the end of input"
        client.close()


async def test_an_engine_that_has_ended_its_output_still_gets_input() -> None:
    got: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(UPGRADED + b"out")
        writer.write_eof()
        got.append(await reader.read())

    async with before(script) as wire:
        client = Client(wire)
        await client.send(ATTACH)
        assert (await client.rest()).endswith(b"out")
        await client.send(b"late input")
        client.end()

        await condition(lambda: got)
        client.close()
    assert got == [b"late input"]


@pytest.mark.parametrize("ended_first", [True, False])
async def test_a_client_that_goes_leaves_nothing_open(ended_first: bool) -> None:
    ended = asyncio.Event()
    gone = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(UPGRADED)
        await reader.read()
        ended.set()
        with pytest.raises(ConnectionError):
            await _write_on(writer)
        gone.set()

    async with before(script) as wire:
        client = Client(wire)
        await client.send(ATTACH + b"some input")
        await client.until(b"\r\n\r\n")
        if ended_first:
            client.end()
            await asyncio.wait_for(ended.wait(), 10)
        client.close()
        await asyncio.wait_for(gone.wait(), 10)


async def test_a_silent_stream_whose_client_goes_after_its_input_is_reaped() -> None:
    ended = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(UPGRADED)
        await reader.read()
        ended.set()
        await asyncio.sleep(3600)

    async with before(script) as wire:  # fails unless no connection is left open
        client = Client(wire)
        await client.send(ATTACH)
        await client.until(b"\r\n\r\n")
        client.end()
        await asyncio.wait_for(ended.wait(), 10)
        client.close()


@pytest.mark.parametrize("request_of", [ATTACH, None], ids=["a stream", "between requests"])
async def test_who_is_not_let_in_any_more_is_cut_off_on_both_sides(
    request_of: bytes | None,
) -> None:
    accounts = FakeAccounts(UnixAccount("alice", 1001, 1001, "/home/alice", groups=("students",)))
    attendance = Attendance()
    gone = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(UPGRADED)
        await reader.read()
        gone.set()

    async def identify(pid: int, uid: int, _gid: int) -> Caller:
        return Caller(uid, pid, "alice", accounts.people["alice"], is_admin=True)

    async def look(caller: Caller) -> Standing:
        return standing(replace(caller, uid=1001), accounts, "students")

    async with engine(script) as path:
        link = UnixEngineLink(path)
        passing = passing_on(link)
        async with serving(passing, identify=identify, attendance=attendance) as (wire, server):
            client = Client(wire)
            if request_of is not None:
                await client.send(request_of)
                await client.until(b"\r\n\r\n")
            await condition(lambda: server.connections)
            await condition(lambda: attendance._present)
            await attendance.look_once(look)
            accounts.people["alice"] = replace(accounts.people["alice"], groups=())
            await attendance.look_once(look)
            assert server.connections == 1
            await attendance.look_once(look)
            assert await client.rest() == b""
            if request_of is not None:
                await asyncio.wait_for(gone.wait(), 10)
            await condition(lambda: server.connections == 0)
            assert not attendance._present
        link.close()


async def test_what_a_client_sent_before_it_went_is_delivered() -> None:
    content = secrets.token_bytes(150_000)
    got: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(UPGRADED)
        got.append(await reader.read())

    async with before(script) as wire:
        client = Client(wire)
        await client.send(ATTACH)
        await client.until(b"\r\n\r\n")
        await client.send(content)
        client.close()
        await condition(lambda: got)
    assert got == [content]


async def test_an_engine_that_goes_takes_the_stream_with_it_after_all_it_said() -> None:
    content = secrets.token_bytes(1_000_000)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(UPGRADED + content)
        await writer.drain()

    async with before(script) as wire:
        client = Client(wire)
        await client.send(ATTACH)

        assert (await client.rest()).endswith(content)
        client.close()


async def test_an_engine_that_goes_without_having_read_all_is_heard_to_the_end() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(UPGRADED + b"enough")
        await writer.drain()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)

    async with before(script) as wire:
        client = Client(wire)
        await client.send(ATTACH)
        told = await client.until(b"\r\n\r\n")
        await client.send(b"y\n" * 1000)

        async with asyncio.timeout(3):
            assert (told + await client.rest()).endswith(b"enough")
        client.close()


async def test_a_half_open_upgrade_is_given_up_with_its_client() -> None:
    asked = asyncio.Event()

    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await head(reader)
        asked.set()
        assert await reader.read() == b""

    async with before(script) as wire:
        client = Client(wire)
        await client.send(ATTACH)
        await asyncio.wait_for(asked.wait(), 10)
        client.close()


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_reader_that_stops_holds_back_the_engine_and_nobody_else(chunked: bool) -> None:
    sent = 0
    block = b"%x\r\n%b\r\n" % (60_000, b"x" * 60_000) if chunked else b"x" * 60_000

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        if (await head(reader)).startswith(b"GET /info"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" if chunked else UPGRADED
        )
        while True:
            writer.write(block)
            await writer.drain()
            sent += len(block)

    async with before(script) as wire:
        client = Client(wire)
        await client.send(ATTACH)
        await condition(lambda: sent > 100_000)
        still = -1
        while still != sent:
            still = sent
            assert (await answer(wire, INFO)).endswith(b"{}")
            await asyncio.sleep(0.1)

        assert sent < 4_000_000
        client.close()


async def test_an_answer_that_the_engine_breaks_off_has_no_end() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal")

    async with before(script) as wire:
        told = await answer(wire, INFO)

    assert told.endswith(b"5\r\nhal")


async def test_an_engine_that_ends_without_an_answer_is_unavailable() -> None:
    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await head(reader)

    async with before(script) as wire:
        told = await answer(wire, INFO)

    assert told.startswith(b"HTTP/1.1 503 ")


async def test_an_engine_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        await UnixEngineLink(str(tmp_path / "none.sock")).ask("GET", "/info")


async def test_an_engine_that_does_not_answer_is_not_waited_for() -> None:
    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with engine(script) as path:
        with pytest.raises(Unavailable, match=r"0\.2 seconds"):
            await UnixEngineLink(path).ask("GET", "/info", seconds=0.2)


async def test_an_upload_arrives_as_it_was_sent_in_chunks_of_ours() -> None:
    content = secrets.token_bytes(700_000)
    got: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Transfer-Encoding: chunked" in await head(reader)
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readline() == b"\r\n"
        got.append(body)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with before(script) as wire:
        chunks = [content[at : at + 33_333] for at in range(0, len(content), 33_333)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        told = await answer(
            wire,
            b"PUT /containers/a/archive?path=/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
            b"Connection: close\r\n\r\n" + framed + b"0\r\n\r\n",
        )

    assert got == [content]
    assert told.startswith(b"HTTP/1.1 200 ")


async def test_an_upload_that_breaks_off_has_no_end() -> None:
    got: list[bytes] = []

    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await head(reader)
        got.append(await reader.read())

    async with before(script) as wire:
        client = Client(wire)
        await client.send(
            b"PUT /containers/a/archive?path=/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n"
        )
        client.end()
        await client.rest()
        client.close()
        await condition(lambda: got)

    assert got == [b"5\r\nhello\r\n"]


async def test_an_early_refusal_of_the_engine_comes_through_a_big_upload() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await reader.readexactly(100_000)
        message = b'{"message":"no"}'
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\n" + message)
        await writer.drain()
        await reader.read()

    async with before(script) as wire:
        client = Client(wire)
        await client.send(b"PUT /containers/a/archive HTTP/1.1\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(50):
            await client.send(b"x" * 1_000_000)
        client.end()

        told = await client.rest()
        client.close()
    assert told.startswith(b"HTTP/1.1 404 ")
    assert told.endswith(b'{"message":"no"}')


async def test_a_stream_that_turns_out_to_be_forbidden_never_ends_for_the_engine() -> None:
    got: list[bytes] = []

    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await head(reader)
        got.append(await reader.read())

    async def stream() -> AsyncIterator[bytes]:
        yield b"one"
        raise InvalidRequest("line 2 of the Dockerfile")

    async with engine(script) as path:
        with pytest.raises(InvalidRequest, match="line 2"):
            await UnixEngineLink(path).relay(
                a_call("POST"), FakeReply(), "POST", "/build", stream=stream()
            )
        await condition(lambda: got)
    assert got == [b"3\r\none\r\n"]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"Name": "x"}, {"saw": {"Name": "x"}}),
        (404, {"message": "No such", "detail": "inner"}, {"saw": {"message": "No such"}}),
    ],
)
async def test_an_answer_and_an_error_are_rewritten(
    status: int, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await head(reader)).startswith(b"GET /v1.41/volumes/x?a=1&a=%26 HTTP/1.1\r\n")
        text = json.dumps(body).encode()
        writer.write(
            b"HTTP/1.1 %d X\r\nApi-Version: 1.41\r\nX-Secret: s\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(text), text)
        )

    reply = FakeReply()
    async with engine(script) as path:
        await UnixEngineLink(path).relay(
            a_call("GET"),
            reply,
            "GET",
            "/volumes/x",
            {"a": ["1", "&"]},
            rewrite=lambda value: {"saw": value},
        )

    assert (reply.status, reply.value) == (status, expected)
    assert reply.headers == {"Api-Version": "1.41"}


async def test_an_endless_answer_is_given_value_by_value_and_ended_with_its_reader() -> None:
    closed = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b'{"a":', b'1}\n{"a":2}\n{"a"'):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await reader.read()
        closed.set()

    async with engine(script) as path:
        stream = UnixEngineLink(path).stream("GET", "/events")
        assert [await anext(stream), await anext(stream)] == [{"a": 1}, {"a": 2}]
        await stream.aclose()
        await asyncio.wait_for(closed.wait(), 10)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, InvalidRequest), (404, NotFound), (500, Unavailable)]
)
async def test_an_endless_answer_that_is_refused(status: int, kind: type[Exception]) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        message = b'{"message":"why"}'
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 17\r\n\r\n%b" % (status, message))

    async with engine(script) as path:
        with pytest.raises(kind, match="why"):
            await anext(UnixEngineLink(path).stream("GET", "/events"))


async def test_an_upgrade_whose_own_body_does_not_come_is_the_client_s_fault() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(UPGRADED)
        await reader.read()

    async with engine(script) as path:
        link = UnixEngineLink(path)

        async def dispatch(_endpoint: str | None, call: Call, reply: Reply) -> None:
            await link.hijack(call, reply, "/containers/a/attach")

        async with serving(dispatch, bounds=Bounds(silence_seconds=0.2)) as (wire, _):
            client = Client(wire)
            await client.send(ATTACH.replace(b"Host: docker", b"Content-Length: 5"))
            assert (await client.until(b"}")).startswith(b"HTTP/1.1 400 ")
            client.close()


@pytest.fixture
def container(tiny_image: str) -> Any:
    """A container of the real engine that says back what it is told, once."""
    name = f"ds01test-wire-{secrets.token_hex(4)}"
    engine_docker("run", "-d", "--name", name, tiny_image, "sleep", "300")
    yield name
    engine_docker("rm", "-f", name)


async def test_the_end_of_input_reaches_a_process_and_all_of_its_output_comes_back(
    container: str,
) -> None:
    link = UnixEngineLink(DEFAULT_SOCKET)

    async def dispatch(_endpoint: str | None, call: Call, reply: Reply) -> None:
        body = json.loads(await call.body.read(1000))
        await link.hijack(call, reply, f"/exec/{call.parts['id']}/start", body=body)

    made = await link.ask(
        "POST",
        f"/containers/{container}/exec",
        body={"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True},
    )
    content = secrets.token_bytes(3_000_000)
    got = b""
    async with serving(dispatch) as (path, server):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(
            b"POST /v1.41/exec/%b/start HTTP/1.1\r\nContent-Length: 28\r\n"
            b'Content-Type: application/json\r\n\r\n{"Detach":false,"Tty":false}'
            % made.value["Id"].encode()
        )
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        sending = asyncio.ensure_future(_all(writer, content))
        while frame := await reader.read(8):
            frame += await reader.readexactly(8 - len(frame))
            got += await reader.readexactly(int.from_bytes(frame[4:], "big"))
        await sending
        writer.close()
        await condition(lambda: server.connections == 0)
    link.close()

    assert got == content


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_request_hidden_behind_an_upload_is_never_read_by_the_engine(
    container: str, chunked: bool
) -> None:
    archive = _archive(400_000)
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(archive)
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(archive), archive) if chunked else archive
    hidden = f"POST /v1.41/containers/{container}/pause HTTP/1.1\r\nHost: d\r\n\r\n".encode()
    async with serving(passing_on(UnixEngineLink(DEFAULT_SOCKET))) as (path, _):
        client = Client(path)
        await client.send(
            b"PUT /v1.41/containers/%b/archive?path=/tmp HTTP/1.1\r\n%b\r\n\r\n%b"
            % (container.encode(), framing, body + hidden)
        )
        told = await client.until(b"\r\n\r\n")
        await client.send(hidden)
        client.end()
        told += await client.rest()
        client.close()

    assert told.startswith(b"HTTP/1.1 200 ")
    assert told.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in told
    assert engine_docker("inspect", "-f", "{{.State.Status}}", container) == "running"
    assert engine_docker("exec", container, "stat", "-c", "%s", "/tmp/file") == "400000"


def _archive(size: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("file")
        entry.size = size
        archive.addfile(entry, io.BytesIO(bytes(size)))
    return buffer.getvalue()


async def _write_on(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _all(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(content)
    await writer.drain()
    writer.write_eof()
