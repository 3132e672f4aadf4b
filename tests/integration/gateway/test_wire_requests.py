import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ds01_spawner.domain.errors import Forbidden, NotFound, PolicyError, PolicyProblem
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Reply
from ds01_spawner.gateway.wire.connection import Bounds
from ds01_spawner.gateway.wire.server import Server
from integration.gateway.wire_server import Client, answer, condition, serving

QUICK = Bounds(
    head_seconds=0.3,
    idle_seconds=0.6,
    silence_seconds=0.3,
    linger_seconds=5.0,
    connections_each=3,
    connections=5,
)
NOBODY = 61234


@dataclass
class Told:
    """A dispatcher that keeps what it is asked, and answers with it."""

    calls: list[tuple[str | None, Call]] = field(default_factory=list)
    cancelled: int = 0
    started: int = 0

    async def __call__(self, endpoint: str | None, call: Call, reply: Reply) -> None:
        self.calls.append((endpoint, call))
        wish = call.parts.get("id", "")
        if wish == "missing":
            raise NotFound("No such container: missing")
        if wish == "broken":
            raise RuntimeError("a secret of the handler")
        if wish == "half":
            await reply.begin(200, {})
            await reply.write(b"half")
            raise NotFound("too late")
        if wish == "endless":
            await self._wait()
        if wish == "silent":
            return
        if wish == "read":
            content = await call.body.read(1000)
            await reply.json({"length": len(content)})
        elif wish == "parts":
            await reply.begin(200, {"Content-Type": "text/plain"})
            await reply.write(b"one")
            await reply.write(b"two")
            await reply.finish()
        else:
            await reply.json({"endpoint": endpoint})

    async def _wait(self) -> None:
        self.started += 1
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


@dataclass
class Wire:
    path: Path
    server: Server
    told: Told


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A server with short deadlines, and what it was asked."""
    told = Told()
    async with serving(told, bounds=QUICK) as (path, server):
        yield Wire(path, server, told)


def request(target: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: docker", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


CLOSE = "Connection: close"


async def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    told = await answer(
        wire.path,
        request("/info") + request("/containers/missing/json") + request("/version", CLOSE),
    )

    places = [told.index(text) for text in (b"GET /info", b"No such container", b"GET /version")]
    assert places == sorted(places)
    assert told.count(b"HTTP/1.1 ") == 3


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(
            request("/info", "Content-Length: 5", "Transfer-Encoding: chunked"), id="two lengths"
        ),
        pytest.param(request("/info", "Content-Length: 1", "Content-Length: 2"), id="lengths"),
        pytest.param(request("/info", "Transfer-Encoding: xchunked"), id="coding"),
        pytest.param(request("/info", "Transfer-Encoding:\x0bchunked"), id="vertical tab"),
        pytest.param(b"GET /info HTTP/1.1\nHost: a\n\n", id="bare line feeds"),
        pytest.param(b"GET /info HTTP/1.1\r\nA: b\r\n c\r\n\r\n", id="folded"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="tls"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http 2"),
        pytest.param(b"\r\n\r\n", id="nothing"),
    ],
)
async def test_what_cannot_be_read_ends_the_connection(wire: Wire, raw: bytes) -> None:
    hidden = request("/containers/smuggled/json")
    client = Client(wire.path)
    await client.send(raw + hidden)
    client.end()

    told = await client.rest()

    client.close()
    assert told.startswith(b"HTTP/1.1 400 ")
    assert told.count(b"HTTP/1.1 ") == 1
    assert wire.told.calls == []


@pytest.mark.parametrize(
    "body", [b"5\nhello\r\n", b"zz\r\n", b"5;a=b\r\nhello\r\n", b"5\r\nhelloX"]
)
async def test_a_body_in_bad_chunks_ends_the_connection(wire: Wire, body: bytes) -> None:
    raw = request(
        "/containers/read/json", "Transfer-Encoding: chunked", body=body + request("/version")
    )
    client = Client(wire.path)
    await client.send(raw)
    client.end()

    told = await client.rest()

    client.close()
    assert told.startswith(b"HTTP/1.1 400 ")
    assert len(wire.told.calls) == 1


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"GET /" + b"a" * 200_000, id="target"),
        pytest.param(request("/info", "A: " + "b" * 200_000), id="header"),
        pytest.param(request("/info", *(f"A{n}: b" for n in range(200))), id="many headers"),
    ],
)
async def test_a_huge_head_is_refused(wire: Wire, raw: bytes) -> None:
    client = Client(wire.path)
    await client.send(raw)
    client.end()

    assert (await client.rest()).startswith(b"HTTP/1.1 400 ")

    client.close()


async def test_a_head_that_comes_byte_by_byte_is_not_waited_for(wire: Wire) -> None:
    client = Client(wire.path)
    with suppress(ConnectionError):
        for byte in request("/info", "A: " + "b" * 500):
            await client.send(bytes([byte]))
            await asyncio.sleep(0.01)

    assert b"HTTP/1.1 400 " in await client.rest()

    client.close()


async def test_an_idle_connection_is_closed(wire: Wire) -> None:
    client = Client(wire.path)

    assert await client.rest() == b""

    client.close()
    await condition(lambda: wire.server.connections == 0)


async def test_a_body_that_does_not_come_is_not_waited_for(wire: Wire) -> None:
    told = await answer(wire.path, request("/containers/read/json", "Content-Length: 10"))

    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"0.3 seconds" in told


@pytest.mark.parametrize("headers", [["Content-Length: 60000000"], ["Transfer-Encoding: chunked"]])
@pytest.mark.parametrize(("wish", "status"), [("missing", 404), ("read", 413)])
async def test_an_answer_comes_through_before_a_big_upload_ends(
    wire: Wire, headers: list[str], wish: str, status: int
) -> None:
    client = Client(wire.path)
    await client.send(request(f"/containers/{wish}/archive?path=/", *headers, method="PUT"))
    chunk = b"%x\r\n%b\r\n" % (60_000, b"x" * 60_000)
    for _ in range(400):
        await client.send(chunk if "chunked" in headers[0] else b"x" * 60_000)
    client.end()

    told = await client.rest()

    client.close()
    assert told.startswith(b"HTTP/1.1 %d " % status)
    assert told.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in told


async def test_a_client_that_expects_to_be_asked_is_asked(wire: Wire) -> None:
    client = Client(wire.path)
    await client.send(
        request("/containers/read/json", "Expect: 100-continue", "Content-Length: 3", CLOSE)
    )
    assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(b"abc")

    assert b'{"length": 3}' in await client.rest()

    client.close()


async def test_a_client_that_expects_to_be_asked_is_spared_a_body_nobody_wants(wire: Wire) -> None:
    client = Client(wire.path)
    await client.send(
        request("/containers/missing/json", "Expect: 100-continue", "Content-Length: 3")
    )
    client.end()

    told = await client.rest()

    client.close()
    assert told.startswith(b"HTTP/1.1 404 ")
    assert b"100 Continue" not in told


async def test_a_form_body_counts_for_nothing(wire: Wire) -> None:
    body = b"name=other&fromImage=x"
    await answer(
        wire.path,
        request(
            "/images/create?tag=1",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
            CLOSE,
            method="POST",
            body=body,
        ),
    )

    [(endpoint, call)] = wire.told.calls
    assert endpoint == "POST /images/create"
    assert call.query == {"tag": ["1"]}


async def test_a_small_body_that_nobody_read_is_not_the_next_request(wire: Wire) -> None:
    hidden = request("/containers/smuggled/json")
    told = await answer(
        wire.path,
        request("/info", f"Content-Length: {len(hidden)}", body=hidden)
        + request("/version", CLOSE),
    )

    assert told.count(b"HTTP/1.1 200") == 2
    assert [endpoint for endpoint, _ in wire.told.calls] == ["GET /info", "GET /version"]


async def test_what_goes_wrong_in_the_gateway_has_a_number_and_tells_nothing(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    told = await answer(wire.path, request("/containers/broken/json", CLOSE))

    message = json.loads(told.split(b"\r\n\r\n")[1])["message"]
    number = wire.told.calls[0][1].id
    assert told.startswith(b"HTTP/1.1 500 ")
    assert number in message
    assert "secret" not in message
    assert number in caplog.text


async def test_a_handler_without_an_answer_is_the_gateway_s_fault(wire: Wire) -> None:
    told = await answer(wire.path, request("/containers/silent/json", CLOSE))

    assert told.startswith(b"HTTP/1.1 500 ")


async def test_an_answer_that_breaks_off_has_no_end(wire: Wire) -> None:
    told = await answer(wire.path, request("/containers/half/json"))

    assert told.endswith(b"4\r\nhalf\r\n")


async def test_an_answer_in_parts(wire: Wire) -> None:
    told = await answer(wire.path, request("/containers/parts/json", CLOSE))

    assert told.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_an_old_client_gets_no_chunks(wire: Wire) -> None:
    told = await answer(wire.path, b"GET /containers/parts/json HTTP/1.0\r\n\r\n")

    assert told.endswith(b"\r\n\r\nonetwo")
    assert b"Transfer-Encoding" not in told


async def test_a_question_for_the_head_gets_no_body(wire: Wire) -> None:
    told = await answer(wire.path, request("/_ping", CLOSE, method="HEAD"))

    assert told.endswith(b"\r\n\r\n")
    assert b"Content-Length: 28" in told


async def test_a_client_that_goes_takes_its_request_with_it(wire: Wire) -> None:
    client = Client(wire.path)
    await client.send(request("/containers/endless/json"))
    await condition(lambda: wire.told.started)

    client.close()

    await condition(lambda: wire.told.cancelled)
    assert wire.told.calls[0][1].gone.is_set()
    await condition(lambda: wire.server.connections == 0)


async def test_a_client_that_has_only_ended_its_input_gets_its_answer(wire: Wire) -> None:
    client = Client(wire.path)
    await client.send(request("/containers/parts/json"))
    client.end()

    assert b"two" in await client.rest()

    client.close()


@contextmanager
def being(uid: int) -> Iterator[None]:
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def connected_as(uid: int, path: Path) -> Client:
    with being(uid):
        return Client(path)


async def test_nobody_takes_all_connections(wire: Wire) -> None:
    taken = [connected_as(NOBODY, wire.path) for _ in range(3)]
    await condition(lambda: wire.server.connections == 3)
    fourth = connected_as(NOBODY, wire.path)
    await fourth.send(request("/info", CLOSE))
    told = await fourth.rest()
    other = connected_as(NOBODY + 1, wire.path)
    await other.send(request("/info", CLOSE))

    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"3 of 3 connections" in told
    assert (await other.rest()).startswith(b"HTTP/1.1 200 ")
    assert (await answer(wire.path, request("/info", CLOSE))).startswith(b"HTTP/1.1 200 ")
    for client in (*taken, fourth, other):
        client.close()


async def test_everybody_together_leaves_room_for_root(wire: Wire) -> None:
    taken = [connected_as(NOBODY + number, wire.path) for number in range(5)]
    await condition(lambda: wire.server.connections == 5)
    late = connected_as(NOBODY + 9, wire.path)
    await late.send(request("/info", CLOSE))

    assert b"5 of 5 connections" in await late.rest()
    assert (await answer(wire.path, request("/info", CLOSE))).startswith(b"HTTP/1.1 200 ")
    for client in (*taken, late):
        client.close()


async def test_the_kernel_says_who_calls() -> None:
    told = Told()

    async def identify(pid: int, uid: int, gid: int) -> Caller:
        assert pid == os.getpid()
        if uid == NOBODY:
            raise Forbidden("Nobody with this user id has an account.", "Log in.")
        assert gid == os.getegid()
        return Caller(uid, pid, f"user-{uid}", None)

    async with serving(told, identify=identify) as (path, _):
        with being(1234):
            told_own = await answer(path, request("/info", CLOSE))
        stranger = connected_as(NOBODY, path)
        await stranger.send(request("/info") + request("/info", CLOSE))
        told_stranger = await stranger.rest()
        stranger.close()

    assert told_own.startswith(b"HTTP/1.1 200 ")
    assert told_stranger.count(b"HTTP/1.1 403 ") == 2
    assert b"has an account" in told_stranger
    [(_, call)] = told.calls
    assert (call.caller.user, call.passage) == ("user-1234", None)


async def test_a_gateway_that_cannot_tell_who_calls_serves_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told()

    async def identify(_pid: int, _uid: int, _gid: int) -> Caller:
        raise ValueError("no such thing")

    async with serving(told, identify=identify) as (path, _):
        answered = await answer(path, request("/info", CLOSE))

    assert answered.startswith(b"HTTP/1.1 500 ")
    assert told.calls == []
    assert "no such thing" in caplog.text


async def test_a_server_that_ends_finishes_what_it_is_asked(wire: Wire) -> None:
    idle, busy = Client(wire.path), Client(wire.path)
    await busy.send(request("/containers/endless/json"))
    await condition(lambda: wire.told.started and wire.server.connections == 2)

    await wire.server.close(grace_seconds=0.2)

    assert await idle.rest() == b""
    assert await busy.rest() == b""
    assert wire.told.cancelled == 1
    idle.close()
    busy.close()


@pytest.mark.parametrize(("is_admin", "said"), [(True, b"/x/images.yaml:3: a title"), (False, b"")])
async def test_what_is_wrong_with_the_platforms_files_is_told_to_administrators_alone(
    is_admin: bool,
    said: bytes,
) -> None:
    async def identify(pid: int, uid: int, _gid: int) -> Caller:
        return Caller(uid, pid, "alice", None, is_admin=is_admin)

    async def dispatch(_endpoint: str | None, _call: Call, _reply: Reply) -> None:
        raise PolicyError((PolicyProblem("/x/images.yaml", 3, "", "a title"),))

    async with serving(dispatch, identify=identify) as (path, _server):
        told = await answer(path, request("/info", "Connection: close"))
    assert told.startswith(b"HTTP/1.1 503 ")
    assert said in told
    assert is_admin == (b"settings cannot be read" not in told)
    assert is_admin == (b"images.yaml" in told)
