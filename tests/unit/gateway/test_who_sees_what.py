"""Every row of `fakes.tried`, sent: the answer, and that nothing of the other's is in it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.testing import bind_unused_port
from tornado.web import create_signed_value

from ds01_spawner.client.models import Role
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.gateway.api.application import http_server
from ds01_spawner.gateway.api.hub_service import hub_application
from ds01_spawner.gateway.api.routes import ROUTES
from ds01_spawner.gateway.wire.call import Answer
from fakes.api_lab import PREFIX, ApiLab, Told, api_lab
from fakes.builder import FakeBuilder
from fakes.clock import EPOCH
from fakes.tried import (
    CLAIMS,
    FORBIDDEN,
    IMAGE_ID,
    NOT_ASKED,
    ROWS,
    Claim,
    ImagesOfBobby,
    Row,
    Thing,
    api_table,
    pages_table,
    paths_of,
    ways_table,
)
from fakes.web_lab import SECRET
from stubs.hub_users import ACCESS, hub_users, model

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(120)]

DOCS = Path(__file__).parents[3] / "docs/who-sees-what.md"
SECRETS = ("bobby", "bobs-", "BOBS-KEY")
FIRST_WORDS_SECONDS = 0.3
EVERY_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.operation)


@dataclass
class Bobbys:
    """A lab in which Bobby has everything, and what of it an address can name."""

    lab: ApiLab
    things: Mapping[str, Thing]
    was: str = ""

    def state(self) -> str:
        """Everything that Bobby has, in words."""
        lab = self.lab
        with lab.lab.ledger.transaction() as transaction:
            keys = [each.id for each in transaction.ssh_keys("bobby")]
        containers = sorted(
            (each.name, each.state.value)
            for each in lab.lab.engine.containers()
            if "bobby" in each.name
        )
        tickets = [each.id for each in lab.lab.tickets() if each.user == "bobby"]
        changed = [each for each in lab.link.asked if "bobby" in each.path and each.method != "GET"]
        deeds = [lab.hub.stopped, [each for each in lab.spawning.started if "bobby" in str(each)]]
        return repr((keys, containers, tickets, changed, deeds))


@pytest.fixture
async def bobbys(tmp_path: Path) -> AsyncIterator[Bobbys]:
    builder = FakeBuilder()
    async with api_lab(tmp_path, builder=builder) as lab:
        lab.server("bobby", gpu="none")
        lab.spawning.add("bobby")
        lab.spawning.add("bobby", "bobs-server", image="bobs-image")
        lab.spawning.add("alice")
        run = lab.container("bobby", "bobs-run", "mig")
        lab.lab.engine.outputs[run] = "bobs-output"
        ticket = lab.waiting("bobby", "bobs-wait")
        with lab.lab.ledger.transaction() as transaction:
            transaction.put_ssh_key(SshKey("bobby", "bobs-key", "ssh-rsa", "BOBS-KEY", "", EPOCH))
            notice = Notice("n1", "bobby", NoticeKind.STORAGE, lab.lab.clock.now(), "bobs-n", "")
            transaction.put_notice(notice, [])
        wanted = {"name": "bobs-image", "dockerfile": "FROM starter\n"}
        build = (await lab.ask("bobby", "POST", "/images/builds", wanted)).body["id"]
        lab.link.answers["GET /images/json"] = Answer(
            200,
            [
                {"RepoTags": ["ds01-bobby/bobs-image:latest"], "Created": 1, "Size": 1, "Id": "x"},
                {"RepoTags": ["ds01/starter:latest"], "Created": 1, "Size": 1, "Id": "y"},
            ],
        )
        lab.link.__class__ = ImagesOfBobby
        things = {
            "container": Thing("bobby", "bobs-run", run, "bobs-run._.bobby"),
            "server": Thing("bobby", "bobs-server", run, "bobs-server._.bobby"),
            "place": Thing("bobby", "bobs-wait", ticket.id, "bobs-wait._.bobby"),
            "build": Thing("bobby", "bobs-image", build, "ds01-bobby/bobs-image:latest"),
            "image": Thing("bobby", "bobs-image", IMAGE_ID, "ds01-bobby/bobs-image:latest"),
            "key": Thing("bobby", "bobs-key", "bobs-key", "bobby/bobs-key"),
        }
        found = Bobbys(lab, things)
        found.was = found.state()
        yield found
        assert found.state() == found.was
        builder.may_end.set()


async def asked(lab: ApiLab, row: Row, path: str, body: Any = None, user: str = "alice") -> Told:
    """The answer; of a stream, what it says at once."""
    body = row.body if body is None else body
    if not row.route.stream:
        return await lab.ask(user, row.route.method, path, body)
    heard, status = list[str](), list[int]()
    client = AsyncHTTPClient(force_instance=True)
    request = HTTPRequest(
        f"{lab.url}{PREFIX}{path}",
        method=row.route.method,
        headers={"X-User": user, "Content-Type": "application/json"},
        body=None if body is None else json.dumps(body),
        header_callback=lambda line: (
            status.append(int(line.split()[1])) if line.startswith("HTTP/") else None
        ),
        streaming_callback=lambda chunk: heard.append(chunk.decode()),
        request_timeout=30,
    )
    asking = asyncio.ensure_future(client.fetch(request, raise_error=False))
    try:
        async with asyncio.timeout(10):
            while not (heard and status) and not asking.done():  # noqa: ASYNC110 - of another task
                await asyncio.sleep(0.01)
        await asyncio.wait({asking}, timeout=FIRST_WORDS_SECONDS)
    finally:
        client.close()
        asking.cancel()
    return Told(status[0], "".join(heard), {})


def words(told: Told) -> str:
    """What an answer says, without the request's own id."""
    body = told.body
    if isinstance(body, str) and body.startswith("{"):
        body = json.loads(body)
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if key not in {"request_id", "instance"}}
    return json.dumps(body)


def assert_silent(told: Told, about: str) -> None:
    """Nothing of Bobby's is in it that was not in the question."""
    found = [each for each in SECRETS if each in words(told) and each not in about]
    assert found == [], words(told)


def test_every_route_has_its_row() -> None:
    assert sorted(row.operation for row in ROWS) == sorted(each.operation for each in ROUTES)
    for row in ROWS:
        assert bool(row.named) == bool(row.route.names), row.operation
        takes_user = "user" in row.route.query.model_fields or row.route.role is not Role.STUDENT
        assert takes_user == (row.user != NOT_ASKED), row.operation
        assert (row.body is not None) == (row.route.body is not None), row.operation


def test_the_page_about_it_has_every_row() -> None:
    text = DOCS.read_text()
    assert api_table() in text
    assert ways_table() in text
    assert pages_table() in text


@EVERY_ROW
async def test_what_one_asks_is_about_oneself(bobbys: Bobbys, row: Row) -> None:
    if row.named:
        return
    told = await asked(bobbys.lab, row, row.route.path)
    assert told.status == row.plain, told.body
    assert_silent(told, json.dumps(row.body))
    for text, status in row.query.items():
        told = await asked(bobbys.lab, row, f"{row.route.path}?{text}")
        assert told.status == status, told.body
        assert_silent(told, text)


@EVERY_ROW
async def test_what_is_anothers_is_answered_as_what_does_not_exist(
    bobbys: Bobbys, row: Row
) -> None:
    for way, path, twin in paths_of(row, bobbys.things):
        mine, none = [await asked(bobbys.lab, row, each) for each in (path, twin)]
        assert mine.status == none.status, (way, mine.body, none.body)
        assert mine.status in {row.plain, NOT_ASKED}, (way, mine.body)
        said = bobbys.things[row.named].replaced_in(words(mine))
        assert said == words(none), way


@EVERY_ROW
async def test_who_names_another_learns_nothing(bobbys: Bobbys, row: Row) -> None:
    path = row.route.path
    for part in row.route.names:
        path = path.replace(f"{{{part}}}", "jupyter")
    mine, none = [
        await asked(bobbys.lab, row, f"{path}?user={user}") for user in ("bobby", "zobby")
    ]
    assert mine.status == none.status == row.user, mine.body
    assert words(mine).replace("bobby", "zobby") == words(none)
    assert_silent(mine, "bobby")
    twice = await asked(bobbys.lab, row, f"{path}?user=alice&user=bobby")
    refused = NOT_ASKED if row.route.role is Role.STUDENT else row.user
    assert twice.status == refused
    if row.body is not None:
        told = await asked(bobbys.lab, row, path, {**row.body, "user": "bobby"})
        assert told.status == refused


@EVERY_ROW
async def test_a_route_is_for_its_role(bobbys: Bobbys, row: Row) -> None:
    if row.route.role is Role.STUDENT:
        return
    for user, role in (("alice", Role.STUDENT), ("mia", Role.MANAGER), ("boss", Role.ADMIN)):
        told = await asked(bobbys.lab, row, row.route.path, user=user)
        may = role.includes(row.route.role)
        assert (told.status == FORBIDDEN) == (not may), (user, told.body)


@pytest.fixture
async def behind_hub(tmp_path: Path) -> AsyncIterator[str]:
    tokens = {
        "alice": model(),
        "elsewhere": model(scopes=["access:servers!server=alice/"]),
        "service": {"kind": "service", "name": "alice", "admin": True, "scopes": [ACCESS]},
    }
    lab = ApiLab(tmp_path)
    listener, port = bind_unused_port()
    with hub_users(tokens) as hub:
        environment = {"JUPYTERHUB_API_TOKEN": "of-the-service", "JUPYTERHUB_API_URL": hub}
        server = http_server(hub_application(lab.served, environment, SECRET.encode()))
        server.add_socket(listener)
        yield f"http://127.0.0.1:{port}/services/ds01/api"
        server.stop()
        await server.close_all_connections()
        lab.api.threads.close()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.words)
async def test_no_route_believes_what_nobody_vouches_for(behind_hub: str, claim: Claim) -> None:
    headers = dict(claim.headers)
    if headers.get("Cookie") == "SIGNED":
        signed = create_signed_value(SECRET, "service-ds01", "alice").decode()
        headers = {"Cookie": f"service-ds01={signed}", "Sec-Fetch-Mode": "cors"}
    for row in ROWS:
        path = row.route.path.replace("{", "").replace("}", "")
        answer = await AsyncHTTPClient().fetch(
            f"{behind_hub}{path}?{claim.query}",
            method=row.route.method,
            headers={"Content-Type": "application/json", **headers},
            body=None if row.body is None else json.dumps(row.body),
            allow_nonstandard_methods=True,
            raise_error=False,
        )
        assert answer.code == claim.status, (row.operation, answer.body)
        assert answer.headers["Content-Type"] == "application/problem+json"
