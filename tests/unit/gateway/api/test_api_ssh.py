from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.gateway.wire.call import Answer
from fakes.api_lab import POLICY, ApiLab, api_lab
from fakes.clock import EPOCH
from fakes.engine_json import managed, own
from fakes.ssh_folder import KEY

pytestmark = pytest.mark.enable_socket
NOTICES = {"Type": "bind", "Source": "/var/x", "Destination": "/run/ds01", "RW": False}


def stands(lab: ApiLab, name: str = "thesis", **more: Any) -> dict[str, Any]:
    """A container of alice's, and a key."""
    found = own(name, "alice", **{"Mounts": [NOTICES], **more})
    found["Config"]["Labels"] = managed(name, "alice", instance="here")
    lab.link.containers.append(found)
    add_key(lab)
    return found


def add_key(lab: ApiLab, user: str = "alice") -> None:
    with lab.lab.ledger.transaction() as transaction:
        transaction.put_ssh_key(SshKey(user, "id", "ssh-ed25519", "AAAA", "laptop", EPOCH))


async def test_a_container_that_runs_is_made_ready(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        stands(lab)
        told = await lab.ask("alice", "POST", "/containers/thesis/ssh")
    assert told.status == 200, told.body
    assert told.body == {
        "name": "thesis",
        "user": "alice",
        "host_keys": [f"{KEY}alice"],
        "command": ["/bin/sh", "/run/ds01/ssh/start.sh", "alice"],
        "started": False,
    }


async def test_who_one_is_needs_no_container(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        add_key(lab)
        told = await lab.ask("alice", "GET", "/ssh")
    assert (told.body["user"], told.body["keys"]) == ("alice", 1)
    assert told.body["host_keys"] == [f"{KEY}alice"]


@pytest.mark.parametrize("user", ["bob", "mia", "boss"])
async def test_nobody_else_gets_in_whatever_their_role(tmp_path: Path, user: str) -> None:
    async with api_lab(tmp_path) as lab:
        stands(lab)
        add_key(lab, user)
        told = await lab.ask(user, "POST", "/containers/thesis/ssh")
    assert told.status == 404
    assert told.body["detail"] == "There is no container called 'thesis'."


async def test_capitals_are_found_where_there_is_one(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        stands(lab, "Thesis")
        told = await lab.ask("alice", "POST", "/containers/thesis/ssh")
        assert told.body["name"] == "Thesis"
        stands(lab, "THESIS")
        told = await lab.ask("alice", "POST", "/containers/thesis/ssh")
    assert (told.status, told.body["next_step"]) == (404, "There are: THESIS, Thesis.")


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"Mounts": []}, 409, "before SSH was offered"),
        ({"Mounts": [{**NOTICES, "RW": True}]}, 409, "before SSH was offered"),
        ({"Mounts": [{**NOTICES, "Type": "volume"}]}, 409, "before SSH was offered"),
        ({"State": {"Running": True, "Paused": True}}, 409, "is paused"),
    ],
    ids=["no folder", "writable", "a volume", "paused"],
)
async def test_one_that_cannot_be_entered_says_why(
    tmp_path: Path, more: dict[str, Any], status: int, words: str
) -> None:
    async with api_lab(tmp_path) as lab:
        stands(lab, **more)
        told = await lab.ask("alice", "POST", "/containers/thesis/ssh")
    assert (told.status, words in told.body["detail"]) == (status, True), told.body


async def test_without_a_key_it_is_not_started(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        stands(lab, status="exited")
        with lab.lab.ledger.transaction() as transaction:
            transaction.remove_ssh_key("alice", "id")
        told = await lab.ask("alice", "POST", "/containers/thesis/ssh")
    assert (told.status, told.body["detail"]) == (409, "No SSH key of yours is known here.")


async def test_a_policy_may_leave_starting_to_people(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        stands(lab, status="exited")
        lab.lab.policy.edit(f"{POLICY}\npolicies: {{start_on_connect: false}}\n")
        told = await lab.ask("alice", "POST", "/containers/thesis/ssh")
    assert told.status == 409
    assert told.body["next_step"] == "Start it first: ds01 container start thesis"


async def test_a_stopped_one_is_started_within_the_limits(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        container_id = lab.container("alice", "thesis")
        lab.lab.engine.stop(
            container_id, lab.lab.policy.current().limits("alice").policies.sigterm_grace
        )
        found = stands(lab, status="exited", full_id=container_id)

        def started(container_id: str, user: str) -> bool:
            assert (container_id, user) == (found["Id"], "alice")
            found["State"] = {"Status": "running", "Running": True}
            return True

        lab.api.platform.starts.start = started  # type: ignore[method-assign]
        told = await lab.ask("alice", "POST", "/containers/thesis/ssh")
    assert (told.status, told.body["started"]) == (200, True), told.body


async def test_one_that_ends_at_once_says_where_to_look(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        stands(lab, status="exited")
        lab.api.platform.starts.start = lambda *_: True  # type: ignore[method-assign]
        told = await lab.ask("alice", "POST", "/containers/thesis/ssh")
    assert (told.status, told.body["detail"]) == (409, "thesis was started, and ended at once.")


async def test_a_server_of_the_hub_is_started_by_the_hub(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        container_id = lab.server("alice")
        lab.lab.engine.stop(
            container_id, lab.lab.policy.current().limits("alice").policies.sigterm_grace
        )
        found = stands(lab, "jupyter", status="exited", full_id=container_id)
        found["Config"]["Labels"]["ds01.interface"] = "hub"
        asked: list[tuple[str, str]] = []

        def start(user: str, server: str) -> None:
            asked.append((user, server))
            found["State"] = {"Status": "running", "Running": True}

        lab.hub.start = start  # type: ignore[method-assign]
        told = await lab.ask("alice", "POST", "/containers/jupyter/ssh")
    assert (told.status, told.body["started"]) == (200, True), told.body
    assert asked == [("alice", "")]


async def test_an_engine_that_is_down_is_told(tmp_path: Path) -> None:
    async with api_lab(tmp_path) as lab:
        lab.link.answers["GET /containers/thesis._.alice/json"] = Answer(500, {"message": "x"})
        told = await lab.ask("alice", "POST", "/containers/thesis/ssh")
    assert told.status == 503
