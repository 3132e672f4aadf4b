"""What a student tries to learn of somebody else, or to do to them."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.gateway.wire.call import Answer
from ds01_spawner.ports import ServerState
from fakes.api_lab import ApiLab
from fakes.clock import EPOCH

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

SECRETS = ("bobby", "bobs-", "BOBS-KEY")
"""What is said of Bob alone: it must be in no answer to Alice."""


@dataclass(frozen=True)
class Try:
    """A request of Alice's."""

    method: str
    path: str
    status: int
    body: Any = None


TRIES = [
    Try("GET", "/me", 200),
    Try("GET", "/me?user=bobby", 400),
    Try("GET", "/containers?all=true", 200),
    Try("GET", "/containers?user=bobby", 403),
    Try("GET", "/containers?user=nobody-at-all", 403),
    Try("GET", "/containers/bobs-run", 404),
    Try("GET", "/containers/bobs-run._.bobby", 404),
    Try("GET", "/containers/jupyter?user=bobby", 403),
    Try("GET", "/containers/{id}", 404),
    Try("POST", "/containers/bobs-run/start", 404),
    Try("POST", "/containers/bobs-run/stop", 404),
    Try("POST", "/containers/bobs-run._.bobby/stop", 404),
    Try("POST", "/containers/bobs-run/retire", 404),
    Try("POST", "/containers/jupyter/stop?user=bobby", 403),
    Try("POST", "/containers/jupyter/retire?user=bobby", 403),
    Try("POST", "/containers/jupyter/start?user=bobby", 403),
    Try("POST", "/containers/bobs-run/extend", 404, {}),
    Try("POST", "/containers/jupyter/extend?user=bobby", 403, {}),
    Try("GET", "/containers/bobs-run/logs", 404),
    Try("GET", "/containers/bobs-run/logs/events", 404),
    Try("GET", "/containers/jupyter/logs/events?user=bobby", 403),
    Try("GET", "/containers/jupyter/logs?user=bobby", 403),
    Try("GET", "/servers", 200),
    Try("GET", "/servers?user=bobby", 400),
    Try("POST", "/servers", 400, {"name": "bobs-server", "user": "bobby"}),
    Try("POST", "/servers?user=bobby", 400, {"name": "x"}),
    Try("DELETE", "/servers/bobs-server", 404),
    Try("DELETE", "/servers/bobs-server?user=bobby", 400),
    Try("DELETE", "/servers/bobs-server._.bobby", 404),
    Try("DELETE", "/servers/..%2F..%2Fbobby%2Fserver", 404),
    Try("GET", "/gpus", 200),
    Try("GET", "/gpus/processes", 200),
    Try("GET", "/workloads", 200),
    Try("GET", "/workloads?unmanaged=true", 200),
    Try("GET", "/usage", 200),
    Try("GET", "/usage?by=user&period=all", 200),
    Try("GET", "/usage?user=bobby", 403),
    Try("GET", "/queue", 200),
    Try("GET", "/queue?user=bobby", 403),
    Try("GET", "/queue?all=true", 200),
    Try("DELETE", "/queue/{ticket}", 404),
    Try("GET", "/images", 200),
    Try("DELETE", "/images/bobs-image", 404),
    Try("DELETE", "/images/ds01-bobby%2Fbobs-image", 400),
    Try("DELETE", "/images/ds01%2Fstarter", 404),
    Try("GET", "/events", 200),
    Try("GET", "/events?user=bobby", 200),
    Try("GET", "/events?action=*", 200),
    Try("GET", "/notices", 200),
    Try("GET", "/notices?user=bobby", 403),
    Try("GET", "/policy/explain?user=bobby", 403),
    Try("POST", "/policy/preview", 403, {"text": "groups: {}"}),
    Try("GET", "/ssh-keys", 200),
    Try("DELETE", "/ssh-keys/bobs-key", 404),
    Try("GET", "/admin/people", 403),
    Try("POST", "/admin/reconcile?dry_run=true", 403),
    Try("GET", "/admin/health", 403),
]


@pytest.fixture
async def ids(lab: ApiLab) -> dict[str, str]:
    """Bob has everything that one can have."""
    lab.server("bobby", gpu="none")
    lab.spawning.add("bobby")
    lab.spawning.add("bobby", "bobs-server", image="bobs-image")
    lab.spawning.add("alice", state=ServerState.STOPPED)
    run = lab.container("bobby", "bobs-run", "mig")
    lab.lab.engine.outputs[run] = "bobs-output"
    ticket = lab.waiting("bobby", "bobs-wait")
    with lab.lab.ledger.transaction() as transaction:
        transaction.put_ssh_key(SshKey("bobby", "bobs-key", "ssh-rsa", "BOBS-KEY", "", EPOCH))
        transaction.put_notice(
            Notice("n1", "bobby", NoticeKind.STORAGE, lab.lab.clock.now(), "bobs-notice", ""), []
        )
    lab.link.answers["GET /images/json"] = Answer(
        200,
        [
            {"RepoTags": ["ds01-bobby/bobs-image:latest"], "Created": 1, "Size": 1},
            {"RepoTags": ["ds01/starter:latest"], "Created": 1, "Size": 1},
        ],
    )
    for tag in ("ds01-alice/bobs-image:latest", "ds01-alice/ds01/starter:latest"):
        lab.link.answers[f"DELETE /images/{tag}"] = Answer(404, {"message": "No such image"})
    return {"id": run, "ticket": ticket.id}


@pytest.mark.parametrize("attempt", TRIES, ids=lambda each: f"{each.method} {each.path}")
async def test_a_student_learns_and_changes_nothing_of_somebody_else(
    lab: ApiLab, ids: dict[str, str], attempt: Try
) -> None:
    deeds = len(lab.lab.engine.calls)
    told = await lab.ask("alice", attempt.method, attempt.path.format(**ids), attempt.body)
    assert told.status == attempt.status, told.body
    text = json.dumps(told.body)
    asked = attempt.path + json.dumps(attempt.body)
    for secret in SECRETS:
        assert secret not in text or secret in asked, text
    done = [each for each in lab.lab.engine.calls[deeds:] if each[0] in {"stop", "start", "remove"}]
    assert done == []
    assert lab.hub.stopped == lab.hub.started == []
    assert lab.spawning.started == []
    assert not [each for each in lab.link.asked if "bobby" in each.path and each.method != "GET"]
    with lab.lab.ledger.transaction() as transaction:
        assert len(transaction.ssh_keys("bobby")) == 1
    assert [each.user for each in lab.lab.tickets()] == ["bobby"]


@pytest.mark.parametrize("name", ["bobs-run", "nothing-of-that-name"])
async def test_somebody_elses_container_is_answered_as_one_that_does_not_exist(
    lab: ApiLab, ids: dict[str, str], name: str
) -> None:
    del ids
    told = await lab.ask("alice", "GET", f"/containers/{name}")
    assert told.body["detail"] == f"There is no container called '{name}'."
    assert told.body["next_step"] == "Make one: ds01 container deploy."


async def test_everybody_sees_that_slots_are_taken_and_only_managers_by_whom(
    lab: ApiLab, ids: dict[str, str]
) -> None:
    del ids
    seen = (await lab.ask("alice", "GET", "/gpus")).body["slots"]
    assert any(each["state"] == "allocated" for each in seen)
    assert all(each["user"] is None and each["container"] is None for each in seen)
    known = (await lab.ask("mia", "GET", "/gpus")).body["slots"]
    assert ("bobby", "bobs-run") in {(each["user"], each["container"]) for each in known}
    mine = (await lab.ask("bobby", "GET", "/gpus")).body["slots"]
    assert [each["container"] for each in mine if each["mine"]] == ["bobs-run"]


async def test_what_others_run_on_gpus_is_only_for_managers(
    lab: ApiLab, ids: dict[str, str]
) -> None:
    del ids
    (bobs,) = (await lab.ask("mia", "GET", "/workloads")).body["workloads"][-1:]
    slot = lab.lab.probe.slot(bobs["slots"][0]) if bobs["slots"] else lab.lab.probe.slot("2")
    lab.table.put(7, cgroup=f"0::/docker/{bobs['container_id']}\n")
    lab.table.put(8, cgroup=None)
    lab.lab.probe.processes[slot.uuid] = (7, 8)
    for path, rows in (("/gpus/processes", "processes"), ("/workloads", "workloads")):
        known = (await lab.ask("mia", "GET", path)).body[rows]
        assert {bobs["user"], None} <= {each["user"] for each in known}
        mine = (await lab.ask(bobs["user"], "GET", path)).body[rows]
        assert {each["user"] for each in mine} == {bobs["user"]}
        assert all(each["mine"] for each in mine)
        others = await lab.ask("stranger", "GET", path)
        assert (others.body[rows], others.body["notes"]) == ([], [])


@pytest.mark.parametrize("user", ["mia", "bobby"])
async def test_nobody_is_told_what_another_installation_runs(lab: ApiLab, user: str) -> None:
    lab.container("bobby", "here")
    lab.elsewhere("bobby", "there")
    told = (await lab.ask(user, "GET", "/workloads")).body["workloads"]
    assert [each["container"] for each in told] == ["here"]


@pytest.mark.parametrize(
    "path", ["/me", "/containers", "/gpus", "/workloads", "/events", "/queue/events"]
)
async def test_nobody_is_told_nothing(lab: ApiLab, path: str) -> None:
    told = await lab.ask("", "GET", path)
    assert (told.status, told.body["type"]) == (401, "urn:ds01:problem:unauthenticated")
    assert told.headers["Www-Authenticate"] == 'Bearer realm="ds01"'


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/containers?user=bobby", 200),
        ("GET", "/containers/bobs-run?user=bobby", 200),
        ("POST", "/containers/bobs-run/stop?user=bobby", 403),
        ("GET", "/containers/bobs-run/logs?user=bobby", 403),
        ("GET", "/policy/explain?user=bobby", 200),
        ("GET", "/notices?user=bobby", 200),
        ("GET", "/admin/people", 200),
        ("GET", "/admin/health", 403),
        ("POST", "/admin/reconcile", 403),
    ],
)
async def test_managers_look_and_do_not_touch(
    lab: ApiLab, ids: dict[str, str], method: str, path: str, status: int
) -> None:
    del ids
    assert (await lab.ask("mia", method, path)).status == status
