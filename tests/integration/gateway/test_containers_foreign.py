"""Every verb on what belongs to somebody else: answered as on what does not exist.

The rows come from the table of endpoints, so that a new one is covered by itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from ds01_spawner.gateway.endpoints import ENDPOINTS, Endpoint, Payload
from integration.gateway.gateway_process import engine_docker
from integration.gateway.people import Person
from integration.gateway.raw_http import Told, ask
from integration.unix_people import BOB

ROWS = [row for row in ENDPOINTS if "{" in row.path]
BODIES: dict[str, Any] = {
    "POST /containers/{id}/exec": {"Cmd": ["true"]},
    "POST /exec/{id}/start": {"Detach": True},
    "POST /containers/{id}/update": {"Memory": 64 * 1024**2},
    "PUT /containers/{id}/archive": b"\0" * 1024,
    "POST /networks/{id}/connect": {"Container": "nothing"},
    "POST /networks/{id}/disconnect": {"Container": "nothing"},
}
QUERIES = {
    "POST /containers/{id}/rename": "name=stolen",
    "POST /images/{ref}/tag": "repo=stolen&tag=latest",
    "POST /containers/{id}/resize": "h=10&w=10",
    "POST /exec/{id}/resize": "h=10&w=10",
    "POST /containers/{id}/attach": "stream=0&stdout=1",
    "GET /containers/{id}/logs": "stdout=1",
    "GET /containers/{id}/stats": "stream=0&one-shot=1",
    "DELETE /containers/{id}": "force=1&v=1",
    "DELETE /images/{ref}": "force=1",
}
ARCHIVES = "path=/etc"


@dataclass(frozen=True)
class Belongings:
    """What bob has; by the first part of an endpoint's path, every way to name it."""

    container: str
    refs: dict[str, list[str]]


@pytest.fixture(scope="module")
def bobs(bob: Person, tiny_image: str) -> Iterator[Belongings]:
    name = bob.named("his")
    bob.docker("run", "-d", "--name", name, tiny_image, "sleep", "1000")
    bob.docker("volume", "create", name)
    bob.docker("network", "create", name)
    bob.docker("tag", tiny_image, f"{name}:latest")
    container = bob.inspect(name)["Id"]
    execution = bob.run(lambda: str(bob.client().api.exec_create(container, ["sleep", "1"])["Id"]))
    network = bob.docker("network", "inspect", "-f", "{{.Id}}", name)
    engine = f"{name}._.{BOB}"
    yield Belongings(
        container,
        {
            "containers": [name, engine, f"/{engine}", container, container[:12], container[:6]],
            "exec": [execution],
            "networks": [name, engine, network, network[:12], f"ds01-{BOB}"],
            "volumes": [name, engine],
            "images": [name, f"ds01-{BOB}/{name}", f"ds01-{BOB}/{name}:latest"],
            "distribution": [f"ds01-{BOB}/{name}"],
        },
    )
    bob.docker("rm", "-f", name)
    bob.docker("network", "rm", name)
    bob.docker("volume", "rm", name)
    bob.docker("rmi", f"{name}:latest")


def missing_like(ref: str) -> str:
    """A name of the same form that nobody has."""
    if re.fullmatch(r"[0-9a-f]{6,64}", ref):
        return ("0f1e2d3c4b5a6978" * 4)[: len(ref)]
    return re.sub(r"his-[0-9a-f]{6}", "nil-000000", ref.replace(BOB, "ds01-test-zoe"))


def told(person: Person, row: Endpoint, ref: str) -> Told:
    """What somebody is answered, with the name they used taken out."""
    path = re.sub(r"\{\w+\}", quote(ref, safe="/:" if "{ref}" in row.path else ""), row.path)
    query = QUERIES.get(row.name, ARCHIVES if row.path.endswith("/archive") else "")
    needs_body = row.payload in {Payload.JSON, Payload.HIJACK}
    body = BODIES.get(row.name, {} if needs_body else None)
    target = f"/v1.41{path}" + (f"?{query}" if query else "")
    answer = person.run(lambda: ask(person.socket, row.method, target, body))
    return Told(answer.status, answer.body.replace(ref, "REF"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_anothers_does_not_exist(alice: Person, bobs: Belongings, row: Endpoint) -> None:
    family = row.path.split("/")[1]
    for ref in bobs.refs[family]:
        answer = told(alice, row, ref)
        assert answer == told(alice, row, missing_like(ref)), f"{row.name} {ref}"
        assert answer.status >= 400, f"{row.name} {ref}"


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/commit?container={ref}&repo=stolen", {}),
        ("GET", '/containers/json?filters={{"before":["{ref}"]}}', None),
        ("GET", '/containers/json?filters={{"since":["{ref}"]}}', None),
    ],
)
def test_nor_where_a_parameter_names_it(
    alice: Person, bobs: Belongings, method: str, target: str, body: Any
) -> None:
    def answer(ref: str) -> Told:
        wanted = quote(target.format(ref=ref), safe="/?=&")
        found = alice.run(lambda: ask(alice.socket, method, wanted, body))
        return Told(found.status, found.body.replace(ref, "REF"))

    for ref in bobs.refs["containers"]:
        assert answer(ref) == answer(missing_like(ref)), f"{target} {ref}"
        assert answer(ref).status == 404


def test_nothing_of_it_shows_in_lists(alice: Person, bobs: Belongings) -> None:
    shown = alice.run(
        lambda: [
            ask(alice.socket, "GET", path).body
            for path in (
                "/v1.41/containers/json?all=1&size=1",
                "/v1.41/networks",
                "/v1.41/volumes",
                "/v1.41/images/json?all=1",
                "/v1.41/system/df",
            )
        ]
    )

    for body in shown:
        assert BOB not in body
        assert bobs.container not in body


def test_what_was_tried_changed_nothing(bob: Person, bobs: Belongings) -> None:
    seen = bob.inspect(bobs.container)

    assert seen["State"]["Running"]
    assert seen["RestartCount"] == 0
    assert seen["Name"] == f"/{bob.named('his')}"
    assert seen["HostConfig"]["Memory"] == 1024**3
    assert engine_docker("images", "-q", "stolen") == ""
