import asyncio
import json
import secrets
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from ds01_spawner.adapters.docker_engine import DEFAULT_SOCKET, DockerEngine
from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict, DS01Error, Forbidden, NotFound, QuotaExceeded
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.networks import networks as module
from ds01_spawner.gateway.docker.networks.lookup import OwnNetworks
from ds01_spawner.gateway.docker.networks.networks import Networks
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer, EngineLink, Query
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.audit.lines import Audit
from fakes.calls import FakeReply, a_call, person
from fakes.clock import FakeClock
from fakes.event_log import FakeEventLog

INSTANCE = f"test{secrets.token_hex(4)}"


class _UnixConnection(HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(DEFAULT_SOCKET)


class PlainLink:
    """Questions to this machine's engine, and nothing else of the way to it."""

    async def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        version: str = "",
        seconds: float = 30.0,
    ) -> Answer:
        del version, seconds
        return await asyncio.to_thread(self._ask, method, path, query or {}, body)

    def _ask(self, method: str, path: str, query: Query, body: Any) -> Answer:
        connection = _UnixConnection("localhost")
        try:
            content = None if body is None else json.dumps(body)
            kind = {"Content-Type": "application/json"} if content else {}
            url = f"/v1.41{path}?{urlencode(query, doseq=True)}"
            connection.request(method, url, content, kind)
            answer = connection.getresponse()
            told = answer.read()
            return Answer(answer.status, json.loads(told) if told.strip() else None)
        finally:
            connection.close()


class Lab:
    """The handlers on the real engine, for two people of this run."""

    def __init__(self, engine: DockerEngine, image: str) -> None:
        self.image = image
        self.events = FakeEventLog()
        link = cast("EngineLink", PlainLink())
        audit = Audit(FakeClock(), self.events, "gateway")
        platform = cast("Platform", SimpleNamespace(engine=engine, audit=audit))
        door = Door(platform, link, Threads(4))
        owned = Owned(link, INSTANCE)
        self.finder = OwnNetworks(door, owned)
        self.networks = Networks(door, owned, self.finder)
        self.handlers = self.networks.handlers()
        end = secrets.token_hex(3)
        self.alice, self.bob = person(f"alice{end}"), person(f"bob{end}", 1002)

    async def ask(
        self, caller: Caller, endpoint: str, ref: str = "", body: Any = None, **query: str
    ) -> Any:
        reply = FakeReply()
        method, _, path = endpoint.partition(" ")
        parts = {"id": ref} if ref else {}
        call = a_call(method, path, caller=caller, parts=parts, body=body, **query)
        await self.handlers[endpoint](call, reply)
        assert reply.finished
        return reply.value

    async def make(self, caller: Caller, name: str, **more: Any) -> str:
        made = await self.ask(caller, "POST /networks/create", body={"Name": name, **more})
        return str(made["Id"])

    async def names(self, caller: Caller, **filters: list[str]) -> list[str]:
        query = {"filters": json.dumps(filters)} if filters else {}
        return sorted(each["Name"] for each in await self.ask(caller, "GET /networks", **query))

    def container(self, caller: Caller, name: str, **marks: str) -> str:
        known = {
            labels.MANAGED: "true",
            labels.USER: caller.user,
            labels.INSTANCE: INSTANCE,
            labels.INTERFACE: "docker",
            **{f"ds01.{key}": value for key, value in marks.items()},
        }
        marked = [part for key, value in known.items() for part in ("--label", f"{key}={value}")]
        command = ["docker", "run", "-d", "--name", f"{name}._.{caller.user}", *marked]
        return output(*command, "--network", "none", self.image, "sleep", "600")


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def removed(kind: str, *listing: str) -> None:
    for each in output("docker", kind, "ls", "-q", *listing).split():
        subprocess.run(["docker", kind, "rm", "-f", each], capture_output=True, check=False)


@pytest.fixture
def lab(docker_engine: DockerEngine, tiny_image: str) -> Lab:
    return Lab(docker_engine, tiny_image)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    label = f"label={labels.INSTANCE}={INSTANCE}"
    removed("container", "-a", "--filter", label)
    for each in output("docker", "network", "ls", "-q", "--filter", label).split():
        subprocess.run(["docker", "network", "rm", each], capture_output=True, check=False)


async def test_a_network_of_ones_own_is_made_seen_and_removed(lab: Lab) -> None:
    made = await lab.make(lab.alice, "web", Labels={"a": "b", "ds01.user": "bob"})

    seen = await lab.ask(lab.alice, "GET /networks/{id}", "web")
    (known,) = json.loads(output("docker", "network", "inspect", made))
    assert seen["Id"] == made == known["Id"]
    assert (seen["Name"], known["Name"]) == ("web", f"web._.{lab.alice.user}")
    assert seen["Labels"] == {"a": "b"}
    assert seen["Options"] == {}
    assert known["Labels"][labels.USER] == lab.alice.user
    assert known["Options"]["com.docker.network.bridge.name"].startswith("ds01-")
    assert known["IPAM"]["Config"][0]["Subnet"].startswith("10.201.")
    assert await lab.names(lab.alice) == ["none", "web"]

    await lab.ask(lab.alice, "DELETE /networks/{id}", made[:12])

    assert await lab.names(lab.alice) == ["none"]
    assert lab.events.actions == ["network.create", "network.remove"]


async def test_the_network_that_everybody_has_is_made_when_it_is_named(lab: Lab) -> None:
    own = f"ds01-{lab.alice.user}"

    for ref in ("bridge", "default", own):
        assert (await lab.ask(lab.alice, "GET /networks/{id}", ref))["Name"] == own

    assert await lab.names(lab.alice) == [own, "none"]
    with pytest.raises(Forbidden, match="cannot be removed"):
        await lab.ask(lab.alice, "DELETE /networks/{id}", own)
    await lab.ask(lab.alice, "POST /networks/prune")
    assert await lab.names(lab.alice) == [own, "none"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "GET /networks/{id}",
        "DELETE /networks/{id}",
        "POST /networks/{id}/connect",
        "POST /networks/{id}/disconnect",
    ],
)
async def test_anothers_network_does_not_exist(lab: Lab, endpoint: str) -> None:
    bobs = await lab.make(lab.bob, "secret")
    lab.container(lab.alice, "spy")
    engines = f"secret._.{lab.bob.user}"

    for ref in ("secret", engines, bobs, bobs[:12], bobs[:3], "host", "missing"):
        body = {"Container": "spy"} if endpoint.startswith("POST") else None
        with pytest.raises(NotFound, match=rf"^network {ref} not found$"):
            await lab.ask(lab.alice, endpoint, ref, body)
    with pytest.raises(NotFound, match="No such container: spy"):
        await lab.ask(lab.bob, "POST /networks/{id}/connect", "secret", {"Container": "spy"})

    assert await lab.names(lab.bob) == ["none", "secret"]
    assert await lab.names(lab.alice) == ["none"]


async def test_two_people_may_use_one_name_and_one_person_may_not_twice(lab: Lab) -> None:
    await lab.make(lab.alice, "web")
    await lab.make(lab.bob, "web")

    with pytest.raises(Conflict, match=r"^network with name web already exists$"):
        await lab.make(lab.alice, "web")


async def test_networks_made_at_once_are_one_for_each_name(lab: Lab) -> None:
    tries = [lab.make(lab.alice, name) for name in ("one", "two", "one", "two", "three")]
    done = await asyncio.gather(*tries, return_exceptions=True)

    assert [type(each) for each in done if isinstance(each, DS01Error)] == [Conflict] * 2
    assert await lab.names(lab.alice) == ["none", "one", "three", "two"]


async def test_networks_are_bounded_for_each_person(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_NETWORKS", 2)
    await lab.finder.network(lab.alice, "bridge")
    tries = [lab.make(lab.alice, name) for name in ("one", "two", "three")]

    done = await asyncio.gather(*tries, return_exceptions=True)

    assert [type(each) for each in done if isinstance(each, DS01Error)] == [QuotaExceeded]
    await lab.make(lab.bob, "mine")


async def test_a_range_may_be_chosen_from_the_pool_when_it_is_free(lab: Lab) -> None:
    wanted = {"Driver": "default", "Config": [{"Subnet": "10.201.255.224/28"}]}
    await lab.make(lab.alice, "web", IPAM=wanted)

    seen = await lab.ask(lab.alice, "GET /networks/{id}", "web")
    assert seen["IPAM"]["Config"][0]["Subnet"] == "10.201.255.224/28"
    with pytest.raises(Forbidden, match=r"10\.201\.255\.224/27 is in use"):
        await lab.make(lab.bob, "web", IPAM={"Config": [{"Subnet": "10.201.255.224/27"}]})


async def test_containers_join_by_name_and_leave(lab: Lab) -> None:
    await lab.make(lab.alice, "shop")
    for name in ("db", "web"):
        container = lab.container(lab.alice, name)
        await lab.ask(lab.alice, "POST /networks/{id}/disconnect", "none", {"Container": name})
        said = {"Aliases": [f"{name}-alias"], "Links": ["db:store"] if name == "web" else None}
        await lab.ask(
            lab.alice,
            "POST /networks/{id}/connect",
            "shop",
            {"Container": container[:12], "EndpointConfig": said},
        )

    seen = await lab.ask(lab.alice, "GET /networks/{id}", "shop")
    assert sorted(each["Name"] for each in seen["Containers"].values()) == ["db", "web"]
    for name in ("db", "db-alias", "store"):
        told = output("docker", "exec", f"web._.{lab.alice.user}", "ping", "-c1", "-W2", name)
        assert "1 packets received" in told
    with pytest.raises(Forbidden, match=r"already exists in network shop$"):
        await lab.ask(lab.alice, "POST /networks/{id}/connect", "shop", {"Container": "db"})
    with pytest.raises(Forbidden, match="has active endpoints"):
        await lab.ask(lab.alice, "DELETE /networks/{id}", "shop")
    await lab.ask(lab.alice, "POST /networks/prune")
    assert await lab.names(lab.alice, name=["sho"]) == ["shop"]

    for name in ("db", "web"):
        await lab.ask(
            lab.alice, "POST /networks/{id}/disconnect", "shop", {"Container": name, "Force": True}
        )
    pruned = await lab.ask(lab.alice, "POST /networks/prune")
    assert pruned == {"NetworksDeleted": ["shop"]}


async def test_a_server_of_the_hub_stays_where_the_hub_reaches_it(lab: Lab) -> None:
    lab.container(lab.alice, "jupyter", interface="hub")
    await lab.make(lab.alice, "shop")
    await lab.ask(lab.alice, "POST /networks/{id}/disconnect", "none", {"Container": "jupyter"})
    for network in ("bridge", "shop"):
        await lab.ask(lab.alice, "POST /networks/{id}/connect", network, {"Container": "jupyter"})

    with pytest.raises(Forbidden, match="a server of the hub"):
        await lab.ask(
            lab.alice, "POST /networks/{id}/disconnect", "default", {"Container": "jupyter"}
        )
    await lab.ask(lab.alice, "POST /networks/{id}/disconnect", "shop", {"Container": "jupyter"})


async def test_a_network_made_anew_under_the_same_name_is_not_the_one_that_was_checked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await lab.make(lab.alice, "web")
    checked = await lab.finder.network(lab.alice, "web")
    await lab.ask(lab.alice, "DELETE /networks/{id}", "web")
    second = await lab.make(lab.alice, "web")
    monkeypatch.setattr(
        lab.networks._networks, "network", lambda *_: asyncio.sleep(0, result=checked)
    )

    with pytest.raises(NotFound, match=r"^network web not found$"):
        await lab.ask(lab.alice, "DELETE /networks/{id}", "web")

    assert first != second
    assert second in output("docker", "network", "ls", "-q", "--no-trunc")
