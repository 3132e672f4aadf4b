"""The tunnel through the hub into a real container; `cat` stands for the SSH server."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.netutil import bind_sockets
from tornado.websocket import WebSocketClientConnection, websocket_connect

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET
from ds01_spawner.client import on_socket
from ds01_spawner.domain.errors import Conflict
from ds01_spawner.gateway.api.application import http_server
from ds01_spawner.gateway.api.ask import Api
from ds01_spawner.gateway.api.hub_service import hub_application
from ds01_spawner.gateway.api.serving import served_by
from ds01_spawner.gateway.api.tunnel import Tunnels
from ds01_spawner.gateway.wire.engine_link import UnixEngineLink
from ds01_spawner.gateway.wire.threads import Threads
from integration.gateway.gateway_process import Gateway, engine_docker, eventually
from integration.gateway.people import Person
from stubs.hub_users import hub_users, model

pytestmark = pytest.mark.timeout(120)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB6HSU5PATOV+dkU6E6SY+WTP38GHY1Awr+69C+ZSI3r laptop"


@pytest.fixture
def hub(alice: Person, bob: Person) -> Iterator[str]:
    with hub_users({"a": model(alice.name), "b": model(bob.name)}) as url:
        yield url


@asynccontextmanager
async def service(gateway: Gateway, hub: str, command: tuple[str, ...]) -> AsyncIterator[str]:
    """Where tunnels are opened."""
    link, threads = UnixEngineLink(DEFAULT_SOCKET), Threads(4)
    served = served_by(Api(gateway.platform, threads, link))
    environment = {"JUPYTERHUB_API_TOKEN": "x", "JUPYTERHUB_API_URL": hub}
    application = hub_application(served, environment, b"c" * 32, Tunnels(served.api, command))
    (listener,) = bind_sockets(0, "127.0.0.1")
    server = http_server(application)
    server.add_socket(listener)
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/services/ds01/api/ssh/tunnel"
    finally:
        server.stop()
        await server.close_all_connections()
        threads.close()
        link.close()


async def connected(url: str, token: str = "a", **headers: str) -> WebSocketClientConnection:
    said = {"Authorization": f"token {token}"} if token else {}
    return await websocket_connect(HTTPRequest(url, headers={**said, **headers}))


@pytest.fixture
def container(alice: Person, tiny_image: str) -> Iterator[str]:
    name = alice.named("tunnel")
    alice.try_docker("rm", "-f", name)
    script = "trap exit TERM; while :; do sleep 0.2; done"
    alice.docker("run", "-d", "--name", name, tiny_image, "sh", "-c", script)
    added = alice.run(lambda: _give_key(alice))
    yield name
    if added:
        alice.run(lambda: _take_key(alice, added))


def _give_key(person: Person) -> str:
    """The id of a key that is added: nothing is opened for who has none; empty where one was."""
    with on_socket(person.socket) as client, suppress(Conflict):
        return client.add_ssh_key(KEY).id
    return ""


def _take_key(person: Person, key: str) -> None:
    with on_socket(person.socket) as client:
        client.remove_ssh_key(key)


async def test_bytes_go_both_ways_whole_and_the_server_ends_with_the_connection(
    gateway: Gateway, alice: Person, hub: str, container: str
) -> None:
    async with service(gateway, hub, ("cat",)) as url:
        socket = await connected(f"{url}/{container}")
        sent = os.urandom(2_000_000)

        async def send() -> None:
            for begin in range(0, len(sent), 50_000):
                await socket.write_message(sent[begin : begin + 50_000], binary=True)

        sending = asyncio.ensure_future(send())
        received = b""
        while len(received) < len(sent):
            part = await asyncio.wait_for(socket.read_message(), 20)
            assert isinstance(part, bytes)
            received += part
        await sending
        assert received == sent
        assert "cat" in alice.docker("top", container)
        socket.close()

        def ended() -> bool:
            return "cat" not in alice.docker("top", container)

        await asyncio.to_thread(eventually, ended)
    event = gateway.events("container.tunnel", alice.name)[-1]
    assert event["details"]["request_id"]
    assert event["resource"] == f"{container}._.{alice.name}"


async def test_the_server_runs_as_the_person(
    gateway: Gateway, alice: Person, hub: str, container: str
) -> None:
    async with service(gateway, hub, ("id", "-u")) as url:
        socket = await connected(f"{url}/{container}")
        assert await asyncio.wait_for(socket.read_message(), 20) == b"%d\n" % alice.account.uid
        assert await asyncio.wait_for(socket.read_message(), 20) is None
        assert socket.close_code == 1000


@pytest.mark.parametrize(
    ("command", "words"),
    [(("/usr/sbin/sshd", "-i"), "no shell"), (("sh", "-c", "echo no keys >&2"), "no keys")],
)
async def test_a_server_that_does_not_start_says_why(
    gateway: Gateway, hub: str, container: str, command: tuple[str, ...], words: str
) -> None:
    async with service(gateway, hub, command) as url:
        socket = await connected(f"{url}/{container}")
        text = b""
        while (part := await asyncio.wait_for(socket.read_message(), 20)) is not None:
            text += part if isinstance(part, bytes) else part.encode()
        assert words in f"{socket.close_reason} {text.decode(errors='replace')}"


@pytest.mark.parametrize(
    ("token", "name", "status"),
    [("b", "", 404), ("", "", 401), ("x", "", 401), ("a", "nothing", 404), ("b", "owner", 404)],
)
async def test_nobody_else_gets_in(  # noqa: PLR0917 - fixtures are arguments
    gateway: Gateway, alice: Person, hub: str, container: str, token: str, name: str, status: int
) -> None:
    if name == "owner":
        name = f"{container}._.{alice.name}"
    async with service(gateway, hub, ("cat",)) as url:
        with pytest.raises(HTTPClientError) as caught:
            await connected(f"{url}/{name or container}", token)
        assert caught.value.code == status
        answer = caught.value.response
        assert answer is not None
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_container_that_does_not_run_is_started_by_connecting(
    gateway: Gateway, alice: Person, hub: str, container: str
) -> None:
    alice.docker("stop", container)
    async with service(gateway, hub, ("cat",)) as url:
        socket = await connected(f"{url}/{container}")
        await socket.write_message(b"x", binary=True)
        assert await asyncio.wait_for(socket.read_message(), 20) == b"x"
        socket.close()


async def test_the_container_ends_the_tunnel(
    gateway: Gateway, alice: Person, hub: str, container: str
) -> None:
    async with service(gateway, hub, ("cat",)) as url:
        socket = await connected(f"{url}/{container}")
        await socket.write_message(b"x", binary=True)
        assert await asyncio.wait_for(socket.read_message(), 20) == b"x"
        await asyncio.to_thread(engine_docker, "kill", f"{container}._.{alice.name}")
        assert await asyncio.wait_for(socket.read_message(), 20) is None
