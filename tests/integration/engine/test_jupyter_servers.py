"""The starter image under a real hub answers the platform, and does not notice."""

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from ds01_spawner.adapters.docker_engine import DockerEngine
from ds01_spawner.adapters.hub_api import HubApi
from ds01_spawner.adapters.jupyter_servers import LONGEST_START, DirectJupyterServers
from ds01_spawner.domain.activity import JupyterSample
from ds01_spawner.domain.container import Container
from e2e.conftest import new_hub
from e2e.hub import Hub, Person, docker, eventually

__all__ = ["new_hub"]  # a fixture

TOKEN = "JUPYTERHUB_API_TOKEN"
OVER = "/tmp/over"
WORKS = f"import os, time\nwhile not os.path.exists({OVER!r}): time.sleep(0.1)"


@dataclass(frozen=True)
class Running:
    """A person's server that is ready.

    Attributes:
        person: Whose.
        engine: Knows its container.
        servers: What is tested.
    """

    person: Person
    engine: DockerEngine
    servers: DirectJupyterServers

    def container(self) -> Container:
        found = {each.name: each for each in self.engine.containers()}
        return found[self.person.container()]

    def sample(self) -> JupyterSample:
        container = self.container()
        return self.servers.look([container])[container.id]

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """As the person's browser asks, through the hub's proxy."""
        url = f"{self.person.hub.url}/user/{self.person.name}/{path}"
        answer = self.person.hub._session.request(method, url, json=body or None, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def active_at(self) -> str:
        """The server's own last activity, asked without making any."""
        return str(self.ask("GET", "api/status?no_track_activity=1")["last_activity"])

    async def connect(self, path: str) -> WebSocketClientConnection:
        place = f"{self.person.hub.url}/user/{self.person.name}/{path}".replace("http", "ws", 1)
        authorization = str(self.person.hub._session.headers["Authorization"])
        return await websocket_connect(HTTPRequest(place, headers={"Authorization": authorization}))


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    engine = DockerEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def running_hub(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    hub = new_hub()
    yield hub
    hub.begin_to_end()


@pytest.fixture(scope="module")
def alice(running_hub: Hub, engine: DockerEngine) -> Iterator[Running]:
    person = running_hub.person("al.ice@uni")
    person.start()
    yield Running(person, engine, DirectJupyterServers(engine))
    running_hub.empty()


def execute(code: str) -> str:
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
    return json.dumps(
        {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "channel": "shell",
            "content": {"code": code, "silent": False},
        }
    )


def test_a_server_answers_its_own_token_and_has_nothing_at_first(alice: Running) -> None:
    assert alice.sample() == JupyterSample()


def test_asking_is_no_activity(alice: Running) -> None:
    before = alice.active_at(), alice.person.server()["last_activity"]
    for _ in range(3):
        alice.sample()
    assert (alice.active_at(), alice.person.server()["last_activity"]) == before


def test_the_token_opens_no_other_server(alice: Running, running_hub: Hub) -> None:
    bob = running_hub.person("bob")
    bob.start()
    theirs = next(one for one in alice.engine.containers() if one.name == bob.container())
    mine = alice.engine.environment(alice.container().id, (TOKEN,))

    class AliceForBob:
        """Tells alice's token for bob's container."""

        def environment(self, container_id: str, names: tuple[str, ...]) -> dict[str, str]:
            return {**alice.engine.environment(container_id, names), **mine}

    servers = DirectJupyterServers(AliceForBob())  # type: ignore[arg-type]  # all that it asks
    assert servers.look([theirs]) == {}
    assert theirs.id in alice.servers.look([theirs])


async def test_a_cell_that_computes_silently_is_busy_with_or_without_a_browser(
    alice: Running,
) -> None:
    kernel = alice.ask("POST", "api/kernels", name="python3")["id"]
    browser = await alice.connect(f"api/kernels/{kernel}/channels")
    await browser.write_message(execute(WORKS))
    while json.loads(str(await browser.read_message()))["msg_type"] != "execute_input":
        pass  # A kernel that starts is busy, too.
    eventually(lambda: alice.sample().busy_kernels, what="the cell runs")
    sample = alice.sample()
    assert sample.busy_kernels == 1
    assert sample.connections == 1
    assert sample.kernels_active_at is not None
    browser.close()
    eventually(lambda: alice.sample().connections == 0, what="the browser is gone")
    assert alice.sample().busy_kernels == 1
    docker("exec", alice.person.container(), "touch", OVER)
    eventually(lambda: alice.sample().busy_kernels == 0, what="the cell has ended")
    quiet = alice.sample()
    assert quiet.kernels_active_at is not None
    assert quiet.kernels_active_at > sample.kernels_active_at
    assert alice.sample() == quiet
    alice.ask("DELETE", f"api/kernels/{kernel}")


def test_a_kernel_that_nobody_connected_to_is_busy_only_while_it_starts(alice: Running) -> None:
    kernel = alice.ask("POST", "api/kernels", name="python3")["id"]
    container = alice.container()
    later = DirectJupyterServers(alice.engine, now=lambda: datetime.now(UTC) + LONGEST_START)
    assert alice.sample().busy_kernels == 1
    assert later.look([container])[container.id].busy_kernels == 0
    alice.ask("DELETE", f"api/kernels/{kernel}")


async def test_a_terminal_that_is_used_is_told(alice: Running) -> None:
    name = alice.ask("POST", "api/terminals")["name"]
    before = alice.sample().terminals_active_at
    assert before is not None
    terminal = await alice.connect(f"terminals/websocket/{name}")
    await terminal.write_message(json.dumps(["stdin", "true\r"]))
    eventually(lambda: (alice.sample().terminals_active_at or before) > before)
    terminal.close()
    alice.ask("DELETE", f"api/terminals/{name}")


def test_the_hub_tells_its_servers_and_stops_them(running_hub: Hub, engine: DockerEngine) -> None:
    address = urlsplit(running_hub.url)
    api = HubApi(f"http://{address.netloc}/hub/api", running_hub._token)
    carol = running_hub.person("c\N{LATIN SMALL LETTER A WITH DIAERESIS}rol +@uni")
    carol.start()
    carol.start("thesis")
    mine = {key: one for key, one in api.servers().items() if key[0] == carol.name}
    assert set(mine) == {(carol.name, ""), (carol.name, "thesis")}
    assert all(one.ready for one in mine.values())

    for server in ("thesis", "", "thesis", "absent"):
        api.stop(carol.name, server)
    api.stop("nobody at all", "")
    eventually(lambda: not {key for key in api.servers() if key[0] == carol.name})
    with contextlib.suppress(StopIteration):
        container = next(one for one in engine.containers() if one.name == carol.container())
        assert not container.state.is_live
