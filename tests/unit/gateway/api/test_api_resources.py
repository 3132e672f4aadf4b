import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.work import PassMark, Track
from ds01_spawner.gateway.wire.call import Answer
from fakes.api_lab import POLICY, ApiLab

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB6HSU5PATOV+dkU6E6SY+WTP38GHY1Awr+69C+ZSI3r alice@laptop"
)


async def test_tells_who_one_is_and_what_one_has(lab: ApiLab) -> None:
    lab.server("alice")
    with lab.lab.ledger.transaction() as transaction:
        transaction.put_storage(StorageUse("alice", 7, lab.lab.clock.now(), "scan"))
    told = await lab.ask("alice", "GET", "/me")
    assert told.status == 200, told.body
    assert (told.body["user"], told.body["role"]) == ("alice", "student")
    assert told.body["explanation"]["limits"]["max_gpu_slots"] == {
        "value": 2,
        "words": "2",
        "origin": "defaults",
        "source": "resource-limits.yaml:3",
    }
    usage = {each["limit"]: (each["used"], each["allowed"]) for each in told.body["usage"]}
    assert usage["max_gpu_slots"] == (1.0, 2.0)
    assert usage["max_containers_per_user"] == (1.0, 3.0)
    assert usage["storage"] == (7.0, None)
    (container,) = told.body["containers"]
    assert (container["name"], container["server"], container["state"]) == (
        "jupyter",
        "",
        "running",
    )


@pytest.mark.parametrize(("user", "role"), [("mia", "manager"), ("boss", "admin")])
async def test_tells_what_role_one_has(lab: ApiLab, user: str, role: str) -> None:
    assert (await lab.ask(user, "GET", "/me")).body["role"] == role


async def test_root_is_told_that_it_has_no_limits(lab: ApiLab) -> None:
    told = await lab.ask("root", "GET", "/me")
    assert told.status == 200, told.body
    assert (told.body["explanation"], told.body["usage"]) == (None, [])


async def test_stops_a_container_and_starts_it_again(lab: ApiLab) -> None:
    lab.container("alice", gpu="mig")
    stopped = await lab.ask("alice", "POST", "/containers/run/stop")
    assert (stopped.status, stopped.body["state"]) == (200, "exited")
    assert stopped.body["gpu_slots"] != []
    again = await lab.ask("alice", "POST", "/containers/run/stop")
    assert again.body["state"] == "exited"
    started = await lab.ask("alice", "POST", "/containers/run/start")
    assert (started.status, started.body["state"]) == (200, "running")
    (event,) = lab.events("container.stop")
    assert event["interface"] == "api"
    assert event["details"]["request_id"] == stopped.headers["X-Request-Id"]
    assert event["details"]["by"] == "alice"


async def test_retiring_gives_the_slot_back_at_once(lab: ApiLab) -> None:
    lab.container("alice", gpu="mig")
    told = await lab.ask("alice", "POST", "/containers/run/retire")
    assert (told.status, told.body) == (200, {"name": "run"})
    assert lab.lab.container("alice", "run") is None
    assert lab.lab.taken() == {}
    gone = await lab.ask("alice", "POST", "/containers/run/retire")
    assert gone.status == 404


async def test_a_server_is_stopped_and_started_by_the_hub(lab: ApiLab) -> None:
    lab.server("alice", "thesis")
    stopped = await lab.ask("alice", "POST", "/containers/thesis/stop")
    assert (stopped.status, stopped.body["state"], stopped.body["server"]) == (
        200,
        "exited",
        "thesis",
    )
    assert lab.hub.stopped == [("alice", "thesis")]
    lab.hub.on_start = lambda _user, _server: lab.lab.engine.start(_id_of(lab, "thesis"))
    started = await lab.ask("alice", "POST", "/containers/thesis/start")
    assert (started.status, started.body["state"]) == (200, "running")
    assert lab.hub.started == [("alice", "thesis")]


async def test_a_server_is_retired_by_hub_and_engine(lab: ApiLab) -> None:
    lab.server("alice")
    assert (await lab.ask("alice", "POST", "/containers/jupyter/retire")).status == 200
    assert lab.hub.stopped == [("alice", "")]
    assert lab.lab.container("alice") is None


async def test_a_hub_that_does_not_answer_has_stopped_nothing(lab: ApiLab) -> None:
    lab.server("alice")
    lab.hub.down = True
    told = await lab.ask("alice", "POST", "/containers/jupyter/stop")
    assert (told.status, told.body["detail"]) == (503, "The hub does not answer.")
    assert lab.lab.container("alice") is not None


def _id_of(lab: ApiLab, name: str) -> str:
    container = lab.lab.container("alice", name)
    assert container is not None
    return container.id


async def test_what_the_platform_did_not_make_is_left_alone(lab: ApiLab) -> None:
    forged = {"ds01.user": "alice", "ds01.name": "forged"}
    lab.lab.engine.put(
        Container("f" * 64, "forged", ContainerState.RUNNING, forged, lab.lab.clock.now())
    )
    told = await lab.ask("alice", "POST", "/containers/forged/stop")
    assert told.status == 404
    assert "past the platform" in told.body["detail"]
    assert [each for each in lab.lab.engine.calls if each[0] == "stop"] == []


async def test_an_older_container_of_ones_own_is_stopped(lab: ApiLab) -> None:
    older = {"aime.mlc.USER": "alice", "aime.mlc.NAME": "old"}
    lab.lab.engine.put(
        Container("e" * 64, "old._.1000", ContainerState.RUNNING, older, lab.lab.clock.now())
    )
    told = await lab.ask("alice", "POST", "/containers/old/stop")
    assert (told.status, told.body["state"]) == (200, "exited")


async def test_an_older_container_of_ones_own_is_retired(lab: ApiLab) -> None:
    older = {"aime.mlc.USER": "alice", "aime.mlc.NAME": "old"}
    lab.lab.engine.put(
        Container("e" * 64, "old._.1000", ContainerState.RUNNING, older, lab.lab.clock.now())
    )
    assert (await lab.ask("alice", "POST", "/containers/old/retire")).status == 200
    assert lab.lab.engine.container("e" * 64) is None
    assert len(lab.events("container.stop")) == len(lab.events("container.remove")) == 1


async def test_a_server_that_is_being_made_anew_is_shown_as_it_was(lab: ApiLab) -> None:
    container_id = lab.server("alice")
    await lab.ask("alice", "POST", "/containers/jupyter/stop")
    lab.hub.on_start = lambda _user, _server: lab.lab.engine.remove(container_id)
    told = await lab.ask("alice", "POST", "/containers/jupyter/start")
    assert (told.status, told.body["state"]) == (200, "exited")


async def test_keeps_a_container_running(lab: ApiLab) -> None:
    container_id = lab.server("alice")
    since = lab.lab.clock.now() - timedelta(hours=1)
    with lab.lab.ledger.transaction() as transaction:
        transaction.put_tracks(
            [Track(container_id, "jupyter._.alice", "alice", since, since, 3, since)]
        )
    told = await lab.ask("alice", "POST", "/containers/jupyter/extend", {"duration": "6h"})
    assert told.status == 200, told.body
    assert (told.body["name"], told.body["shortened"]) == ("jupyter", False)
    (event,) = lab.events("container.extend")
    assert (event["interface"], event["details"]["by"]) == ("api", "alice")
    wrong = await lab.ask("alice", "POST", "/containers/jupyter/extend", {"duration": "6"})
    assert (wrong.status, "has no unit" in wrong.body["detail"]) == (400, True)


async def test_shows_the_end_of_what_a_container_said(lab: ApiLab) -> None:
    container_id = lab.container("alice")
    lab.lab.engine.outputs[container_id] = "one\ntwo\nthree\n"
    told = await lab.ask("alice", "GET", "/containers/run/logs?lines=2")
    assert told.body == {"name": "run", "lines": ["two", "three"]}


async def test_what_a_container_says_is_followed_to_its_end(lab: ApiLab) -> None:
    container_id = lab.container("alice")
    said = [b"\x01\0\0\0\0\0\0\x04one\n", b"\x02\0\0\0\0\0\0\x04two\n"]
    state = {"Running": False, "ExitCode": 3}
    path = f"/containers/{container_id}"
    lab.link.answers[f"GET {path}/json"] = Answer(200, {"Id": container_id, "State": state})
    lab.link.answers[f"GET {path}/logs"] = Answer(200, said)

    told = await lab.ask("alice", "GET", "/containers/run/logs/events?lines=7")

    assert told.status == 200
    blocks = [block.split("\n") for block in told.body.strip().split("\n\n")]
    assert [(kind, json.loads(data.removeprefix("data: "))) for kind, data in blocks] == [
        ("event: log", {"text": ""}),
        ("event: log", {"text": "one\n"}),
        ("event: log", {"text": "two\n"}),
        ("event: end", {"name": "run", "exit_code": 3}),
    ]
    asked = next(each for each in lab.link.asked if each.path.endswith("/logs"))
    assert (asked.query["follow"], asked.query["tail"]) == (["1"], ["7"])


async def test_a_place_in_the_queue_is_seen_and_given_up(lab: ApiLab) -> None:
    ticket = lab.waiting("alice", "thesis")
    lab.hub.add("alice", "thesis")
    (mine,) = (await lab.ask("alice", "GET", "/queue")).body["tickets"]
    assert (mine["id"], mine["name"], mine["place"], mine["length"]) == (ticket.id, "thesis", 1, 1)
    assert mine["expected_seconds"] is None, "nothing was given back yet"
    lab.lab.held_lately(timedelta(hours=1))
    (mine,) = (await lab.ask("mia", "GET", "/queue")).body["tickets"]
    assert mine["expected_seconds"] > 0
    assert mine["expected_seconds"] % 300 == 0
    told = await lab.ask("alice", "DELETE", f"/queue/{ticket.id}")
    assert told.body == {"name": "thesis"}
    assert lab.lab.tickets() == ()
    assert lab.hub.stopped == [("alice", "thesis")]
    (event,) = lab.events("gpu.unqueue")
    assert (event["user"], event["resource"]) == ("alice", "thesis._.alice")


async def test_shows_the_catalogue_and_images_of_ones_own(lab: ApiLab) -> None:
    lab.link.answers["GET /images/json"] = Answer(
        200,
        [
            {"RepoTags": ["ds01/starter:latest"], "Created": 1_700_000_000, "Size": 5},
            {"RepoTags": ["ds01-alice/thesis:latest"], "Created": 1_700_000_001, "Size": 6},
            {"RepoTags": None, "Created": 1, "Size": 1},
        ],
    )
    told = await lab.ask("alice", "GET", "/images")
    assert [
        (each["reference"], each["key"], each["own"], each["present"], each["default"])
        for each in told.body["images"]
    ] == [
        ("ds01/starter:latest", "starter", False, True, True),
        ("ds01-alice/thesis:latest", None, True, True, False),
    ]
    assert told.body["images"][1]["size_bytes"] == 6


async def test_deletes_an_image_of_ones_own(lab: ApiLab) -> None:
    told = await lab.ask("alice", "DELETE", "/images/thesis")
    assert (told.status, told.body) == (200, {"name": "thesis:latest"})
    assert lab.link.deeds() == ["DELETE /images/ds01-alice/thesis:latest"]
    (event,) = lab.events("image.delete")
    assert event["resource"] == "ds01-alice/thesis:latest"


async def test_says_what_uses_an_image_that_cannot_be_deleted(lab: ApiLab) -> None:
    path = "DELETE /images/ds01-alice/thesis:latest"
    lab.link.answers[path] = Answer(409, {"message": "conflict"})
    marks = {"ds01.managed": "true", "ds01.user": "alice", "ds01.instance": "here"}
    lab.link.answers["GET /containers/json"] = Answer(
        200,
        [
            {"Names": ["/run._.alice"], "Labels": {**marks, "ds01.name": "run"}},
            {"Names": ["/x._.bob"], "Labels": {**marks, "ds01.user": "bob"}},
        ],
    )
    told = await lab.ask("alice", "DELETE", "/images/thesis")
    assert (told.status, told.body["detail"]) == (
        409,
        "ds01-alice/thesis:latest is in use by run.",
    )


async def test_the_log_comes_newest_first_in_pages(lab: ApiLab) -> None:
    for number in range(5):
        lab.lab.audit.write("a.b", user="alice", resource=str(number), interface="hub")
        lab.lab.audit.write("c.d", user="bob", resource=str(number), interface="hub")
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = (await lab.ask("alice", "GET", f"/events?limit=2{cursor}")).body
        seen += [each["resource"] for each in page["events"]]
        cursor = f"&cursor={page['next']}"
    assert seen == ["4", "3", "2", "1", "0"]
    assert page["next"] is None
    every = (await lab.ask("mia", "GET", "/events?action=c.*")).body["events"]
    assert {each["user"] for each in every} == {"bob"}


async def test_the_log_is_searched_by_time(lab: ApiLab) -> None:
    lab.lab.audit.write("a.b", user="alice", resource="early", interface="hub")
    lab.lab.wait(3600)
    lab.lab.audit.write("a.b", user="alice", resource="late", interface="hub")
    for query, found in (
        ("since=2026-01-31T12:30:00Z", ["late"]),
        ("until=2026-01-31T14:30:00%2B02:00", ["early"]),
    ):
        told = await lab.ask("alice", "GET", f"/events?{query}")
        assert [each["resource"] for each in told.body["events"]] == found


async def test_an_expired_cursor_is_said_to_be_one(lab: ApiLab) -> None:
    lab.lab.audit.write("a.b", user="alice", resource="x", interface="hub")
    for cursor in ("nonsense", "abc-10"):
        told = await lab.ask("alice", "GET", f"/events?cursor={cursor}")
        assert (told.status, told.body["next_step"]) == (400, "Begin again without a cursor.")


async def test_notices_come_newest_first_in_pages(lab: ApiLab) -> None:
    with lab.lab.ledger.transaction() as transaction:
        for number in range(3):
            at = lab.lab.clock.now() - timedelta(days=number)
            notice = Notice(f"n{number}", "alice", NoticeKind.STORAGE, at, f"t{number}", "text")
            transaction.put_notice(notice, [])
    first = (await lab.ask("alice", "GET", "/notices?limit=2")).body
    assert [each["title"] for each in first["notices"]] == ["t0", "t1"]
    cursor = first["next"].replace(" ", "%20")
    rest = (await lab.ask("alice", "GET", f"/notices?limit=2&cursor={cursor}")).body
    assert ([each["title"] for each in rest["notices"]], rest["next"]) == (["t2"], None)


async def test_says_whom_an_edited_policy_would_change(lab: ApiLab) -> None:
    lab.server("alice")
    edited = POLICY.replace("max_containers_per_user: 3", "max_containers_per_user: 5")
    told = await lab.ask("mia", "POST", "/policy/preview", {"text": edited})
    assert told.status == 200, told.body
    assert told.body["valid"]
    assert told.body["changes"] == [
        {"user": user, "key": "max_containers_per_user", "before": "3", "after": "5"}
        for user in ("alice", None)
    ]
    assert (lab.config / "resource-limits.yaml").read_text() == POLICY


async def test_says_what_is_wrong_with_an_edited_policy(lab: ApiLab) -> None:
    told = await lab.ask("mia", "POST", "/policy/preview", {"text": "groups:\n  a: {memory: 5}\n"})
    assert told.status == 200
    assert not told.body["valid"]
    (fault,) = told.body["faults"]
    assert (fault["line"], fault["key"]) == (2, "groups.a.memory")


async def test_keys_are_added_shown_and_removed(lab: ApiLab) -> None:
    added = await lab.ask("alice", "POST", "/ssh-keys", {"key": KEY})
    assert added.status == 201, added.body
    assert added.body["fingerprint"] == "SHA256:r75m8VVKF8smwKAXvnzcvUNwEkd+ccVo/sZ4/DuhCEw"
    assert (await lab.ask("alice", "POST", "/ssh-keys", {"key": KEY})).status == 409
    (shown,) = (await lab.ask("alice", "GET", "/ssh-keys")).body["keys"]
    assert shown["key"] == KEY
    quoted = shown["fingerprint"].replace("/", "%2F").replace("+", "%2B")
    assert (await lab.ask("bob", "DELETE", f"/ssh-keys/{shown['id']}")).status == 404
    assert (await lab.ask("alice", "DELETE", f"/ssh-keys/{quoted}")).status == 200
    assert (await lab.ask("alice", "GET", "/ssh-keys")).body["keys"] == []
    assert len(lab.events("ssh_key.add")) == len(lab.events("ssh_key.remove")) == 1


async def test_nobody_has_keys_without_end(lab: ApiLab) -> None:
    for number in range(20):
        blob = _key(number)
        assert (await lab.ask("alice", "POST", "/ssh-keys", {"key": blob})).status == 201
    told = await lab.ask("alice", "POST", "/ssh-keys", {"key": _key(20)})
    assert (told.status, told.body["next_step"]) == (400, "Remove one first.")


def _key(number: int) -> str:
    kind = b"ssh-ed25519"
    parts = (kind, bytes([number]) * 32)
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


async def test_shows_everybody_in_pages(lab: ApiLab) -> None:
    for name in ("carol", "alice", "bob"):
        lab.server(name, gpu="none")
    first = (await lab.ask("mia", "GET", "/admin/people?limit=2")).body
    assert [each["user"] for each in first["people"]] == ["alice", "bob"]
    assert first["people"][0]["running"] == 1
    rest = (await lab.ask("mia", "GET", f"/admin/people?limit=2&cursor={first['next']}")).body
    assert ([each["user"] for each in rest["people"]], rest["next"]) == (["carol"], None)


async def test_says_what_a_crash_left_behind_and_removes_it(lab: ApiLab) -> None:
    lab.container("alice", gpu="mig")
    container = lab.lab.container("alice", "run")
    assert container is not None
    told = await lab.ask("boss", "POST", "/admin/reconcile?dry_run=true")
    assert (told.status, told.body["dry_run"]) == (200, True), told.body


def _parts(told: Any) -> dict[str, bool]:
    return {each["name"]: each["ok"] for each in told.body["parts"]}


async def test_says_which_parts_answer(lab: ApiLab) -> None:
    mark = lab.lab.clock.mark()
    with lab.lab.ledger.transaction() as transaction:
        transaction.put_pass_mark(PassMark(mark.boot_id, mark.wall, mark.uptime_seconds))
    told = await lab.ask("boss", "GET", "/admin/health")
    assert told.status == 200
    assert all(_parts(told).values()), told.body
    lab.lab.engine.stuck = True
    lab.hub.down = True
    lab.lab.wait(3600)
    ill = await lab.ask("boss", "GET", "/admin/health")
    assert ill.status == 200
    assert not ill.body["ok"]
    assert {name for name, ok in _parts(ill).items() if not ok} == {
        "engine",
        "cgroups",
        "hub",
        "lifecycle service",
    }
    levels = {each["name"]: each["level"] for each in ill.body["parts"]}
    assert (levels["images"], levels["policy"]) == ("warn", "ok")
    assert "ds01-culler" in str(ill.body)


async def test_a_stuck_engine_is_said_to_be_one(lab: ApiLab) -> None:
    lab.lab.engine.stuck = True
    told = await lab.ask("alice", "GET", "/containers")
    assert (told.status, told.body["type"]) == (503, "urn:ds01:problem:unavailable")
    assert json.dumps(told.body).count("engine") >= 1
