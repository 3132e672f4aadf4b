"""A sample of the requests of `fakes.tried`, sent through a real hub."""

import json
import time
from collections.abc import Iterator, Mapping

import httpx
import pytest

from e2e.classroom import LAB
from e2e.house import House, Resident
from e2e.hub import Person
from fakes.tried import ROWS, Thing, paths_of
from integration.unix_people import CAROL, DORA

pytestmark = pytest.mark.timeout(300)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8 bobs-key"
SOME_WAYS = frozenset({"name in the engine", "id"})
SLOW = frozenset({"followStats", "followQueue"})


def asking(house: House, person: Person, note: str = "e2e") -> httpx.Client:
    """The API through the hub, for one person."""
    made = house.hub.request("POST", f"/users/{person.name}/tokens", note=note)
    return httpx.Client(
        base_url=f"{house.hub.url}{LAB}api",
        headers={"Authorization": f"token {made.json()['token']}"},
        timeout=60,
        trust_env=False,
    )


@pytest.fixture
def carols(house: House) -> Iterator[Mapping[str, Thing]]:
    """Carol has a container, an image and a key."""
    carol: Resident = house.resident(CAROL)
    run = carol.run("bobs-run")
    carol.docker("tag", "ds01test/busybox:latest", "bobs-image")
    with asking(house, carol.hub) as http:
        added = http.post("/ssh-keys", json={"key": KEY})
        assert added.status_code in {201, 409}, added.text
        key = http.get("/ssh-keys").json()["keys"][0]["id"]
        yield {
            "container": Thing(CAROL, "bobs-run", run, f"bobs-run._.{CAROL}"),
            "server": Thing(CAROL, "bobs-server", run, f"bobs-server._.{CAROL}"),
            "place": Thing(CAROL, "bobs-wait", "0" * 32, "bobs-wait"),
            "build": Thing(CAROL, "bobs-image", "1" * 32, f"ds01-{CAROL}/bobs-image:latest"),
            "image": Thing(CAROL, "bobs-image", "2" * 64, f"ds01-{CAROL}/bobs-image:latest"),
            "key": Thing(CAROL, "bobs-key", key, f"{CAROL}/{key}"),
        }
        http.delete(f"/ssh-keys/{key}")
    carol.docker("rm", "--force", "bobs-run")
    carol.docker("rmi", "bobs-image")


def patiently(http: httpx.Client, method: str, path: str, body: object) -> httpx.Response:
    """An answer; what came too soon is asked again when it may be."""
    while True:
        answer = http.request(method, path, json=body)
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            return answer
        time.sleep(float(answer.headers["Retry-After"]))


def said(answer: httpx.Response) -> str:
    """What an answer says, without the request's own id."""
    body = answer.json()
    return json.dumps({name: each for name, each in body.items() if name != "request_id"})


def test_what_is_carols_is_nothing_to_dora(house: House, carols: Mapping[str, Thing]) -> None:
    dora = house.resident(DORA)
    secrets = (CAROL, "bobs-", carols["container"].id, carols["key"].id, KEY.split()[1])
    with asking(house, dora.hub) as http:
        for row in ROWS:
            route = row.route
            if not row.named and (route.method != "GET" or row.operation in SLOW):
                continue
            if not row.named:
                told = patiently(http, "GET", route.path, None)
                assert told.status_code == row.plain, (row.operation, told.text)
                assert [each for each in secrets if each in told.text] == [], row.operation
                continue
            for way, path, twin in paths_of(row, carols):
                if route.method != "GET" and way not in SOME_WAYS:
                    continue
                mine, none = [
                    patiently(http, route.method, each, row.body) for each in (path, twin)
                ]
                assert mine.status_code == none.status_code, (row.operation, way, mine.text)
                assert mine.status_code in {row.plain, 400}, (row.operation, way, mine.text)
                assert carols[row.named].replaced_in(said(mine)) == said(none), (
                    row.operation,
                    way,
                )
    carol = house.resident(CAROL)
    assert "bobs-run" in carol.docker("ps", "--format", "{{.Names}}").split()
    assert carol.docker("images", "--quiet", "bobs-image")
    with asking(house, carol.hub) as http:
        assert carols["key"].id in http.get("/ssh-keys").text


def test_no_token_does_more_than_it_is_for(house: House) -> None:
    administrator = house.hub.user(f"{house.hub.prefix}-admin")
    with asking(house, administrator) as http:
        for row in ROWS:
            if row.route.role.value == "student":
                continue
            told = http.request(row.route.method, row.route.path, json=row.body)
            # A token of an administrator has every scope of theirs, unless it was made for less.
            assert told.status_code != 401, row.operation
    made = house.hub.request(
        "POST", f"/users/{administrator.name}/tokens", note="e2e", scopes=["read:users:name!user"]
    )
    headers = {"Authorization": f"token {made.json()['token']}"}
    for row in ROWS:
        path = row.route.path.replace("{", "").replace("}", "")
        url = f"{house.hub.url}{LAB}api{path}"
        told = httpx.request(row.route.method, url, headers=headers, trust_env=False, timeout=60)
        assert told.status_code == 403, (row.operation, told.text)
