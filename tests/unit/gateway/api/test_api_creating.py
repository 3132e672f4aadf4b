import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.wire.call import Answer
from fakes.api_lab import ApiLab, Told, api_lab

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

CLI = {"User-Agent": "ds01-cli/1.0"}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[ApiLab]:
    async with api_lab(tmp_path) as lab:
        for uid, user in enumerate(("alice", "bob"), 1001):
            lab.lab.accounts.people[user] = UnixAccount(user, uid, uid, f"/home/{user}")
        yield lab


def _events(told: Told) -> list[tuple[str, Any]]:
    found = []
    for block in told.body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for is in another task
            await asyncio.sleep(0.01)


def _waits(lab: ApiLab) -> bool:
    return "alice" in {each.user for each in lab.lab.admission.current().tickets}


def _nothing_is_left(lab: ApiLab, user: str = "alice") -> bool:
    situation = lab.lab.admission.current()
    mine = [each for each in lab.lab.engine.containers() if each.name.endswith(f"_.{user}")]
    tickets = [each for each in situation.tickets if each.user == user]
    return not mine and not tickets and not situation.occupancy.of(user)


async def _begun(lab: ApiLab, wanted: dict[str, Any]) -> "asyncio.StreamWriter":
    """A request whose connection can be closed."""
    host, port = lab.url.removeprefix("http://").split(":")
    _reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(wanted).encode()
    head = (
        "POST /ds01/containers HTTP/1.1\r\nHost: x\r\nX-User: alice\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    return writer


async def test_a_container_is_made_started_and_shown(lab: ApiLab) -> None:
    lab.creator.may_make.set()
    wanted = {"name": "thesis", "gpu": "mig", "project": "p", "environment": {"A": "b"}}
    told = await lab.ask("alice", "POST", "/containers", wanted, CLI)
    *before, (last, container) = _events(told)
    assert [each["name"] for name, each in before if name == "step"] == ["create", "start"]
    assert (last, container["name"], container["state"]) == ("end", "thesis", "running")
    assert (container["interface"], len(container["gpu_slots"])) == ("cli", 1)
    body = lab.creator.asked[-1]
    assert body["Entrypoint"] == ["sleep"]
    assert body["Env"] == ["A=b"]
    assert body["HostConfig"]["Mounts"][0]["Target"] == "/home/alice"


async def test_what_is_not_started_is_left_to_be(lab: ApiLab) -> None:
    lab.creator.may_make.set()
    told = await lab.ask("alice", "POST", "/containers", {"name": "later", "start": False})
    assert _events(told)[-1][1]["state"] == "created"
    assert _events(told)[-1][1]["interface"] == "api"


async def test_who_waits_is_told_their_place_and_gets_what_becomes_free(lab: ApiLab) -> None:
    lab.creator.may_make.set()
    lab.waiting("zoe")
    following = asyncio.ensure_future(
        lab.ask("alice", "POST", "/containers", {"gpu": "mig", "wait": "5m"})
    )
    await _until(lambda: _waits(lab))
    with lab.lab.ledger.transaction() as transaction:
        transaction.remove_tickets(
            [each.id for each in transaction.tickets() if each.user == "zoe"]
        )
        transaction.remove_reservations([each.id for each in transaction.reservations()])
    events = _events(await following)
    places = [value for name, value in events if name == "place"]
    assert places[0]["gpu"] == "a MIG slot"
    assert places[0]["reason"]
    assert events[-1][0] == "end"


async def test_who_goes_while_they_wait_leaves_the_queue(lab: ApiLab) -> None:
    lab.waiting("zoe")
    writer = await _begun(lab, {"gpu": "mig", "wait": "5m"})
    await _until(lambda: _waits(lab))
    writer.close()
    await _until(lambda: _nothing_is_left(lab))


async def test_who_goes_after_the_grant_leaves_no_container_and_no_slot(lab: ApiLab) -> None:
    writer = await _begun(lab, {"name": "thesis", "gpu": "mig"})
    await lab.creator.granted.wait()
    writer.close()
    await asyncio.sleep(0.05)  # it is noticed at any moment of what follows
    lab.creator.may_make.set()
    await _until(lambda: lab.events("container.remove"))
    await _until(lambda: _nothing_is_left(lab))
    assert lab.events("container.create")
    assert lab.events("container.remove")[-1]["reason"].startswith("not wanted")


async def test_who_goes_while_it_starts_leaves_nothing(lab: ApiLab) -> None:
    lab.creator.may_make.set()
    began, go_on = threading.Event(), threading.Event()

    def hold(method: str) -> None:
        if method == "start":
            began.set()
            go_on.wait(20)

    lab.lab.engine.on_call = hold
    writer = await _begun(lab, {"name": "thesis", "gpu": "mig"})
    await asyncio.to_thread(began.wait, 20)
    writer.close()
    await asyncio.sleep(0.05)
    go_on.set()
    await _until(lambda: lab.events("container.remove"))
    await _until(lambda: _nothing_is_left(lab))


async def test_what_cannot_be_started_is_undone(lab: ApiLab) -> None:
    lab.creator.may_make.set()
    lab.lab.engine.fail_next("start", Unavailable("The engine sleeps."))
    told = await lab.ask("alice", "POST", "/containers", {"name": "thesis", "gpu": "mig"})
    assert _events(told)[-1][0] == "problem"
    assert _events(told)[-1][1]["detail"] == "The engine sleeps."
    assert _nothing_is_left(lab)


async def test_two_at_once_of_one_name_make_one(lab: ApiLab) -> None:
    lab.creator.may_make.set()
    answers = await asyncio.gather(
        *(lab.ask("alice", "POST", "/containers", {"name": "thesis"}) for _ in range(2))
    )
    ends = [_events(each)[-1] for each in answers if each.status == 200]
    assert sorted(name for name, _ in ends) in (["end"], ["end", "problem"])
    assert len(lab.lab.engine.containers()) == 1
    again = await lab.ask("alice", "POST", "/containers", {"name": "thesis"})
    assert again.status == 409
    assert again.body["detail"] == "You have a container of that name already."


@pytest.mark.parametrize(
    ("wanted", "status", "words"),
    [
        pytest.param({"gpu": "huge"}, 400, "not a GPU size", id="size"),
        pytest.param({"gpu": "mig", "wait": "25h"}, 400, "24 hours", id="too-long"),
        pytest.param({"gpu": "mig", "wait": "soon"}, 400, "15m or 4h", id="no-time"),
        pytest.param({"name": "Not A Name"}, 400, "cannot name a container", id="name"),
        pytest.param({"image": "nonsense"}, 403, "not in the catalogue", id="image"),
        pytest.param({"folders": ["/a"]}, 400, "FOLDER:/place", id="folder"),
        pytest.param({"workspace": "~bob/x"}, 400, "only your own home", id="others-home"),
        pytest.param({"environment": {"A=B": "c"}}, 400, "NAME=value", id="variable"),
        pytest.param({"project": "a/b"}, 400, "cannot name a project", id="project"),
        pytest.param({"gpus": 3, "gpu": "mig"}, 403, "", id="quota"),
        pytest.param({"command": []}, 400, "command", id="empty-command"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    lab: ApiLab, wanted: dict[str, Any], status: int, words: str
) -> None:
    lab.creator.may_make.set()
    told = await lab.ask("alice", "POST", "/containers", wanted)
    assert (told.status, words in str(told.body)) == (status, True), told.body
    plan = await lab.ask("alice", "POST", "/containers/plan", wanted)
    if "command" not in wanted:
        assert plan.body["refused"]["status"] == status
        assert plan.body["refused"]["detail"] == told.body["detail"]
    assert _nothing_is_left(lab)


async def test_nothing_free_says_how_to_wait(lab: ApiLab) -> None:
    lab.creator.may_make.set()
    lab.waiting("zoe")
    told = await lab.ask("alice", "POST", "/containers", {"gpu": "mig"}, CLI)
    assert (told.status, told.body["type"]) == (409, "urn:ds01:problem:capacity")
    assert told.body["place"] == 2
    assert "--wait 15m" in told.body["next_step"]
    plan = await lab.ask("alice", "POST", "/containers/plan", {"gpu": "mig", "wait": "1h"})
    assert plan.body["refused"] is None
    assert plan.body["would_wait"]["place"] == 2
    assert "it would wait" in plan.body["sentences"][-1]
    at_once = await lab.ask("alice", "POST", "/containers/plan", {"gpu": "mig"})
    assert at_once.body["refused"]["place"] == 2
    assert _nothing_is_left(lab)


async def test_a_plan_names_the_slots_and_makes_nothing(lab: ApiLab) -> None:
    plan = await lab.ask("alice", "POST", "/containers/plan", {"name": "thesis", "gpu": "mig"})
    assert plan.status == 200
    assert len(plan.body["gpu_slots"]) == 1
    assert plan.body["name"] == "thesis"
    assert _nothing_is_left(lab)
    assert not lab.creator.asked


async def test_who_has_no_account_is_told_so(lab: ApiLab) -> None:
    told = await lab.ask("carla", "POST", "/containers", {"name": "x"})
    assert told.status == 403
    assert "no account" in told.body["detail"]


async def test_waiting_that_is_over_says_so(lab: ApiLab) -> None:
    lab.waiting("zoe")
    told = await lab.ask("alice", "POST", "/containers", {"gpu": "mig", "wait": "1s"})
    name, problem = _events(told)[-1]
    assert (name, problem["type"]) == ("problem", "urn:ds01:problem:capacity")
    assert "became free in 1s" in problem["detail"]
    assert _nothing_is_left(lab)


async def test_what_is_forbidden_is_in_the_log_once(lab: ApiLab) -> None:
    told = await lab.ask("alice", "POST", "/containers", {"name": "x", "image": "nonsense"}, CLI)
    assert told.status == 403
    event = lab.events("request.reject")[-1]
    assert (event["user"], event["interface"], event["resource"]) == ("alice", "cli", "x")
    assert event["details"]["request_id"] == told.headers["X-Request-Id"]
    quota = {"gpus": 3, "gpu": "mig"}
    lab.creator.may_make.set()
    await lab.ask("alice", "POST", "/containers", quota)
    assert len(lab.events("request.reject")) == 1
    assert len(lab.events("quota.reject")) == 1


async def test_an_image_that_is_missing_is_fetched_first(lab: ApiLab) -> None:
    lab.creator.may_make.set()
    lab.link.answers["GET /images/ds01/starter:latest/json"] = Answer(404, None)
    lab.lab.engine.registry.add("ds01/starter:latest")
    told = await lab.ask("alice", "POST", "/containers", {"image": "starter"})
    steps = [value["name"] for name, value in _events(told) if name == "step"]
    assert steps == ["image", "create", "start"]
    assert "ds01/starter:latest" in lab.lab.engine.images
    plan = await lab.ask("alice", "POST", "/containers/plan", {"name": "b", "image": "starter"})
    assert "fetched first" in plan.body["sentences"][0]


@pytest.mark.parametrize(("source", "last"), [("simulated", "end"), ("nvml", "problem")])
async def test_only_a_simulated_gpu_needs_no_driver_of_the_engine(
    lab: ApiLab, source: str, last: str
) -> None:
    lab.creator.may_make.set()
    lab.lab.engine.has_device_driver = False
    lab.lab.probe.present = replace(lab.lab.probe.present, source=source)
    for name in ("first", "second"):
        told = await lab.ask("alice", "POST", "/containers", {"name": name, "gpu": "mig"})
        assert _events(told)[-1][0] == last, told.body
    assert len(lab.lab.engine.containers()) == (2 if last == "end" else 0)
