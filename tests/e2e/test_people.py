"""Who people are: odd names, several servers, Unix accounts."""

import pwd
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ds01_spawner.adapters.hub_api import HubApi
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.people import HubEntry
from e2e.hub import Hub, Person, docker, eventually


@pytest.mark.parametrize(
    "name",
    ["ann.b@uni.example", "Ann-Marie", "jürgen-ß", "山田太郎", "o'neil & co <b>", "x" * 64],
    ids=["dots-and-at", "capitals", "umlauts", "kanji", "punctuation", "64-characters"],
)
def test_anybody_can_have_a_server(hub: Hub, name: str) -> None:
    person = hub.user(f"{hub.prefix}-{name}"[:64])
    person.start(gpu="mig")
    assert eventually(person.answers)
    made = person.inspect()["Config"]
    assert made["Labels"][labels.USER] == person.name
    assert f"USER={person.name}" in made["Env"]


def test_two_servers_at_once_have_slots_of_their_own(hub: Hub) -> None:
    person = hub.person("busy-bee")
    person.start(gpu="mig")
    person.start("thesis-run", gpu="mig")
    assert len({person.slot(), person.slot("thesis-run")}) == 2
    assert person.inspect("thesis-run")["Name"] == f"/{person.container('thesis-run')}"

    third = person.ask("third", gpu="mig")
    assert third.status_code == 403
    message = third.json()["message"]
    assert "2 of 2 GPU slots" in message
    assert "thesis-run" in message
    event = hub.events("quota.reject", person.name)[-1]
    assert event["details"]["limit"] == "max_gpu_slots"

    person.start("third")
    fourth = person.ask("fourth")
    assert fourth.status_code == 403
    assert "3 of 3" in fourth.json()["message"]


def test_restart_during_the_hold_gets_the_same_slot(hub: Hub) -> None:
    person = hub.person("comeback")
    before = person.start(gpu="mig")
    slot = person.slot()
    person.stop()
    held = hub.slots()[slot]
    assert (held["state"], held["user"]) == ("held", person.name)
    other = hub.person("other")
    other.start(gpu="mig")
    assert other.slot() != slot
    assert person.start(gpu="mig") != before
    assert person.slot() == slot


def test_deleted_server_is_gone(hub: Hub) -> None:
    person = hub.person("tidy")
    person.start("once")
    person.stop("once", remove=True)
    eventually(lambda: "once" not in person.model()["servers"])
    assert not person.inspect("once").get("State", {}).get("Running")


def test_deleting_a_server_gives_its_gpu_back_at_once(hub: Hub) -> None:
    person = hub.person("generous")
    person.start("once", gpu="mig")
    slot = person.slot("once")
    person.stop("once")
    assert hub.slots()[slot]["state"] == "held"

    person.stop("once", remove=True)
    eventually(lambda: hub.look()[slot]["state"] == "free")


def test_a_renamed_server_gives_back_what_its_old_name_holds(hub: Hub) -> None:
    person = hub.person("renamer")
    person.start("draft", gpu="mig")
    slot = person.slot("draft")
    person.stop("draft")

    answer = hub.request("PATCH", person.path("draft"), name="final")

    assert answer.status_code in {200, 204}, answer.text
    eventually(lambda: hub.look()[slot]["state"] == "free")
    person.start("final", gpu="mig")
    assert person.inspect("final")


def test_a_stopped_servers_token_is_worth_nothing(hub: Hub) -> None:
    person = hub.person("leaver")
    person.start()
    variables = dict(entry.split("=", 1) for entry in person.inspect()["Config"]["Env"])
    header = {"Authorization": f"token {variables['JUPYTERHUB_API_TOKEN']}"}
    me = f"{hub.url}/hub/api/user"
    assert requests.get(me, headers=header, timeout=10).status_code == 200

    person.stop()

    assert requests.get(me, headers=header, timeout=10).status_code == 403


@pytest.fixture
def account() -> Iterator[pwd.struct_passwd]:
    """A Unix account with a home that nobody else can read."""
    name = f"e2e{secrets.token_hex(3)}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", name], check=True)
    entry = pwd.getpwnam(name)
    Path(entry.pw_dir).chmod(0o700)
    Path(entry.pw_dir, "mine.txt").write_text("mine")
    yield entry
    subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)


def test_account_works_as_itself_in_its_own_home(hub: Hub, account: pwd.struct_passwd) -> None:
    person = hub.user(account.pw_name)
    person.start(gpu="mig")
    inside = execute(person, "id -u; id -g; pwd; echo $HOME; cat mine.txt; touch made")
    uid, gid, home = account.pw_uid, account.pw_gid, account.pw_dir
    assert inside.splitlines() == [str(uid), str(gid), home, home, "mine"]
    made = Path(home, "made").stat()
    assert (made.st_uid, made.st_gid) == (uid, gid)

    stranger = hub.person("stranger")
    stranger.start()
    assert execute(stranger, f"cat {home}/mine.txt 2>&1 || true").endswith(
        "No such file or directory"
    )
    assert not execute(stranger, "ls -d /home/* | grep -v jovyan || true")


@pytest.mark.parametrize("name", ["root", "daemon", "nobody"])
def test_system_accounts_get_nothing(hub: Hub, name: str) -> None:
    answer = hub.user(name).ask()
    assert answer.status_code == 403
    assert f"{name} is a system account" in answer.json()["message"]


def execute(person: Person, script: str) -> str:
    """Output of a shell script in the person's container, as the container's own user."""
    return docker("exec", person.container(), "sh", "-c", script)


def test_who_leaves_is_taken_out_of_the_hub_with_their_tokens(hub: Hub) -> None:
    person = hub.person("leaver")
    made = hub.request("POST", f"/users/{person.name}/tokens", note="laptop").json()
    own = {"Authorization": f"token {made['token']}"}
    me = f"{hub.url}/hub/api/user"
    assert requests.get(me, headers=own, timeout=10).json()["name"] == person.name

    people = HubApi(f"{hub.url}/hub/api", hub.people_token)
    assert people.entry(person.name) == HubEntry(is_known=True, is_removable=True)
    people.remove_entry(person.name)

    assert people.entry(person.name) == HubEntry(is_known=False, is_removable=True)
    people.remove_entry(person.name)
    assert requests.get(me, headers=own, timeout=10).status_code == 403
    assert hub.request("GET", f"/users/{person.name}").status_code == 404


def test_the_token_that_removes_people_does_nothing_else(hub: Hub) -> None:
    person = hub.person("stayer")
    own = {"Authorization": f"token {hub.people_token}"}
    for method, path in (
        ("GET", "users"),
        ("POST", f"users/{person.name}/server"),
        ("DELETE", f"users/{person.name}/server"),
        ("POST", f"users/{person.name}/tokens"),
        ("GET", f"users/{person.name}/tokens"),
        ("POST", "users/another"),
        ("PATCH", f"users/{person.name}"),
    ):
        answer = requests.request(method, f"{hub.url}/hub/api/{path}", headers=own, timeout=10)
        assert answer.status_code in {403, 404}, (method, path, answer.text)
    seen = requests.get(f"{hub.url}/hub/api/users/{person.name}", headers=own, timeout=10).json()
    assert set(seen) <= {"kind", "name", "admin", "user_info"}


def test_the_lifecycle_services_token_removes_nobody(hub: Hub) -> None:
    person = hub.person("kept")
    (service,) = hub.processes("ds01_spawner.culler")
    variables = Path(f"/proc/{service}/environ").read_bytes().split(b"\0")
    token = next(
        each.partition(b"=")[2].decode()
        for each in variables
        if each.startswith(b"JUPYTERHUB_API_TOKEN=")
    )
    culler = HubApi(f"{hub.url}/hub/api", token)
    assert culler.entry(person.name) == HubEntry(is_known=True, is_removable=False)
    with pytest.raises(Unavailable, match="does not let this service remove"):
        culler.remove_entry(person.name)
    assert person.model()["name"] == person.name
