from dataclasses import dataclass, field
from typing import Any

import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, Unavailable
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.system.system import System, registry_host
from ds01_spawner.gateway.wire.call import Answer, Call
from fakes.calls import FakeReply, a_call
from fakes.door import a_door
from fakes.engine_json import INSTANCE, own
from fakes.engine_link import FakeEngineLink

VERSION = {"ApiVersion": "1.52", "Os": "linux", "Version": "29", "Components": []}


def an_engine() -> FakeEngineLink:
    return FakeEngineLink(
        containers=[own("web", "alice"), own("old", "alice", status="exited"), own("db", "bob")],
        answers={
            "HEAD /_ping": Answer(200, None),
            "GET /version": Answer(200, VERSION),
            "GET /info": Answer(200, {"ID": "X", "NCPU": 2, "Containers": 3, "Images": 9}),
            "POST /auth": Answer(200, {"Status": "Login Succeeded", "More": "x"}),
        },
    )


@dataclass
class Lab:
    """A system of one engine."""

    link: FakeEngineLink = field(default_factory=an_engine)
    registries: frozenset[str] = frozenset({"docker.io", "registry.lab:5000"})

    def __post_init__(self) -> None:
        async def five(_call: Call) -> int:
            return 5

        self.system = System(
            a_door(self.link),
            Owned(self.link, INSTANCE),
            count_images=five,
            may_login=self.registries.__contains__,
        )

    async def ask(self, method: str, path: str, body: Any = None) -> FakeReply:
        reply = FakeReply()
        await self.system.handlers()[f"{method} {path}"](a_call(method, path, body=body), reply)
        return reply


@pytest.fixture
def lab() -> Lab:
    return Lab()


async def test_ping_says_that_builds_are_classic_and_knows_no_swarm(lab: Lab) -> None:
    reply = await lab.ask("GET", "/_ping")
    assert (reply.status, reply.content, reply.finished) == (200, b"OK", True)
    assert reply.headers["Builder-Version"] == "1"
    assert reply.headers["Content-Length"] == "2"
    assert "Swarm" not in reply.headers


async def test_ping_offers_no_newer_api_than_is_understood(lab: Lab) -> None:
    for method in ("GET", "HEAD"):
        assert (await lab.ask(method, "/_ping")).headers["Api-Version"] == "1.47"
    assert (await lab.ask("GET", "/version")).value["ApiVersion"] == "1.47"


async def test_ping_asks_each_time_whether_the_engine_answers_and_seldom_for_its_version(
    lab: Lab,
) -> None:
    await lab.ask("HEAD", "/_ping")
    await lab.ask("HEAD", "/_ping")
    asked = [each.path for each in lab.link.asked]
    assert (asked.count("/_ping"), asked.count("/version")) == (2, 1)


async def test_ping_fails_when_the_engine_does(lab: Lab) -> None:
    lab.link.answers["HEAD /_ping"] = Answer(500, None)
    with pytest.raises(Unavailable):
        await lab.ask("GET", "/_ping")


async def test_info_counts_what_is_the_callers(lab: Lab) -> None:
    told = (await lab.ask("GET", "/info")).value
    assert told["ContainersRunning"] == told["ContainersStopped"] == 1
    assert (told["Containers"], told["Images"], told["NCPU"]) == (2, 5, 2)


@pytest.mark.parametrize(
    ("address", "engine_address"),
    [
        ("https://index.docker.io/v1/", "https://index.docker.io/v1/"),
        ("", "https://index.docker.io/v1/"),
        ("registry.lab:5000", "registry.lab:5000"),
        ("https://Registry.Lab:5000/v2/", "registry.lab:5000"),
    ],
)
async def test_login_to_an_allowed_registry_is_said_anew(
    lab: Lab, address: str, engine_address: str
) -> None:
    body = {"username": "a", "password": "p", "serveraddress": address, "email": "a@b"}
    reply = await lab.ask("POST", "/auth", body)
    assert reply.value == {"Status": "Login Succeeded"}
    assert lab.link.asked[-1].body == {
        "username": "a",
        "password": "p",
        "identitytoken": "",
        "serveraddress": engine_address,
    }


@pytest.mark.parametrize("address", ["evil.example", "169.254.169.254", "registry.lab"])
async def test_login_elsewhere_never_reaches_the_engine(lab: Lab, address: str) -> None:
    body = {"username": "a", "password": "secret", "serveraddress": address}
    with pytest.raises(Forbidden) as caught:
        await lab.ask("POST", "/auth", body)
    assert "secret" not in str(caught.value)
    assert lab.link.deeds() == []


@pytest.mark.parametrize(
    "body",
    [
        {"username": "a", "ServerAddress": "docker.io", "serveraddress": "evil.example"},
        {"username": ["a"]},
        [],
    ],
)
async def test_login_that_two_programs_would_read_differently_is_refused(
    lab: Lab, body: Any
) -> None:
    with pytest.raises(InvalidRequest):
        await lab.ask("POST", "/auth", body)
    assert lab.link.deeds() == []


async def test_a_failed_login_says_what_the_registry_said(lab: Lab) -> None:
    lab.link.answers["POST /auth"] = Answer(401, {"message": "unauthorized"})
    reply = await lab.ask("POST", "/auth", {"username": "a", "password": "p"})
    assert (reply.status, reply.value) == (401, {"message": "unauthorized"})


@pytest.mark.parametrize("address", ["a b", "user:pass@host", "host:port", "[::1]", "a?b", "-a"])
def test_what_names_no_registry_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest):
        registry_host(address)
