"""Tunnels and commands through the hub, of people who are not let in any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from tornado.httpclient import HTTPRequest
from tornado.testing import bind_unused_port
from tornado.websocket import WebSocketClientConnection, websocket_connect

from ds01_spawner.client import models as m
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.api.application import http_server
from ds01_spawner.gateway.api.execs import Entered
from ds01_spawner.gateway.api.hub_service import hub_application
from ds01_spawner.gateway.api.tunnel import Prepared, Tunnels
from ds01_spawner.gateway.attendance import LOOKS, Standing, standing
from ds01_spawner.gateway.identity import Caller
from fakes.api_lab import ApiLab
from stubs.hub_users import hub_users, model

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

ALICE = UnixAccount("alice", 1001, 1001, "/home/alice")
CALLER = Caller(ALICE.uid, 0, ALICE.name, ALICE)
ACCESS = m.SshAccess(name="run", user="alice", host_keys=("k",), command=("x",), started=False)


class Program:
    """It greets, says back what it is told, and knows whether it still has a connection.

    Attributes:
        lives: Set while there is one.
        ended: Set when it is gone.
    """

    words = ""

    def __init__(self) -> None:
        self.lives = asyncio.Event()
        self.ended = asyncio.Event()
        self._said: asyncio.Queue[bytes] = asyncio.Queue()

    async def prepare(self, *_given: object) -> Any:
        return Prepared(CALLER, "e1", "c1", ACCESS)

    @asynccontextmanager
    async def opened(self, *_given: object, **_more: object) -> AsyncIterator["Program"]:
        self.lives.set()
        try:
            yield self
        finally:
            self.ended.set()

    async def begin(self) -> None:
        return None

    async def send(self, data: bytes) -> None:
        self._said.put_nowait(data)

    async def parts(self) -> AsyncIterator[Any]:
        while True:
            yield await self._said.get()


class Command(Program):
    """The same as a command."""

    async def enter(self, *_given: object) -> Entered:
        return Entered(CALLER, "run", {}, "r1")

    async def prepare(self, *_given: object) -> Any:
        return "e1"

    async def parts(self) -> AsyncIterator[Any]:
        async for part in super().parts():
            yield 1, part


class Session:
    """A websocket of Alice's, and what it leads to."""

    def __init__(self, lab: ApiLab, program: Program, socket: WebSocketClientConnection) -> None:
        self.lab = lab
        self.program = program
        self.socket = socket

    async def look(self, times: int = LOOKS) -> None:
        for _ in range(times):
            await self.lab.served.attendance.look_once(self._standing)

    async def _standing(self, caller: Caller) -> Standing:
        return standing(caller, self.lab.lab.accounts, "ds01-admin")

    async def echo(self, text: bytes) -> None:
        await self.socket.write_message(text, binary=True)
        answer = await self.receive()
        assert isinstance(answer, bytes)
        assert answer.removeprefix(b"\x01") == text

    async def receive(self) -> str | bytes | None:
        return await asyncio.wait_for(self.socket.read_message(), 20)


@pytest.fixture(params=["tunnel", "command"])
async def session(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Session]:
    lab = ApiLab(tmp_path)
    lab.lab.accounts.people["alice"] = ALICE
    is_tunnel = request.param == "tunnel"
    program = Program() if is_tunnel else Command()
    if not is_tunnel:
        monkeypatch.setattr("ds01_spawner.gateway.api.hub_service.ApiExecs", lambda _api: program)
    path = "ssh/tunnel/run" if is_tunnel else "containers/run/exec"
    listener, port = bind_unused_port()
    with hub_users({"token-of-alice": model()}) as hub:
        environment = {"JUPYTERHUB_API_TOKEN": "of-the-service", "JUPYTERHUB_API_URL": hub}
        tunnels = cast("Tunnels", program)
        server = http_server(hub_application(lab.served, environment, b"secret" * 8, tunnels))
        server.add_socket(listener)
        headers = {"Authorization": "token token-of-alice"}
        url = f"ws://127.0.0.1:{port}/services/ds01/api/{path}"
        socket = await websocket_connect(HTTPRequest(url, headers=headers))
        made = Session(lab, program, socket)
        if not is_tunnel:
            await socket.write_message('{"command": ["cat"]}')
            assert await made.receive() == "{}"
        await made.echo(b"it runs")
        yield made
        socket.close()
        server.stop()
        await server.close_all_connections()
        lab.api.threads.close()


async def test_a_session_of_who_was_closed_out_is_ended_and_says_why(session: Session) -> None:
    session.lab.lab.accounts.closed.add("alice")
    await session.look()
    assert await session.receive() is None
    assert session.socket.close_code == 1008
    assert "closed" in str(session.socket.close_reason)
    await asyncio.wait_for(session.program.ended.wait(), 20)


async def test_a_session_of_who_is_let_in_goes_on(session: Session) -> None:
    await session.look(10)
    session.lab.lab.accounts.stuck = True
    await session.look(10)
    await session.echo(b"it still runs")
    assert not session.program.ended.is_set()


async def test_a_session_that_ended_by_itself_is_looked_at_no_more(session: Session) -> None:
    session.socket.close()
    await asyncio.wait_for(session.program.ended.wait(), 20)
    assert not session.lab.served.attendance._present
