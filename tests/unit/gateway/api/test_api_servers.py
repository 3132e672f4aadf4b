import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ds01_spawner.domain.errors import Forbidden, NoCapacity, QuotaExceeded, Refused
from ds01_spawner.ports import HubStep, ServerState
from fakes.api_lab import ApiLab, Told

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

LIMITS = HubStep("limits", "Checking your limits")
WAITS = HubStep("queue", "Waiting for a GPU: place 1 of 2. Busy.", 1, 2, "2 in use.", 1200)


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


async def _servers(lab: ApiLab, user: str = "alice") -> list[dict[str, Any]]:
    told = await lab.ask(user, "GET", "/servers")
    assert told.status == 200, told.body
    servers: list[dict[str, Any]] = told.body["servers"]
    return servers


async def test_who_never_started_one_has_the_unnamed_one_and_it_is_stopped(lab: ApiLab) -> None:
    lab.spawning.people["alice"] = {}
    (server,) = await _servers(lab)
    assert (server["name"], server["title"], server["state"]) == ("", "My server", "stopped")
    assert (server["container"], server["gpu"], server["gpu_slots"]) == ("jupyter", None, [])
    assert (await lab.ask("alice", "GET", "/servers")).body["named_limit"] == 10


async def test_whom_the_hub_does_not_know_has_none_and_is_told_why_none_starts(
    lab: ApiLab,
) -> None:
    assert await _servers(lab) == []
    told = await lab.ask("alice", "POST", "/servers", {})
    assert (told.status, told.body["detail"]) == (404, "JupyterHub does not know you yet.")


async def test_what_a_server_may_be_started_with_is_what_the_form_offers(lab: ApiLab) -> None:
    told = await lab.ask("alice", "GET", "/servers/options")
    assert told.status == 200, told.body
    sizes = {each["size"]: each for each in told.body["sizes"]}
    assert next(iter(sizes)) == "none"
    assert "full" not in sizes, "what the policy forbids is not offered"
    assert len(sizes) > 1
    assert all(each["most"] == 1 and each["refused"] is None for each in sizes.values())


async def test_a_quota_that_is_reached_is_told_with_each_size(lab: ApiLab) -> None:
    for name in ("one", "two"):
        lab.server("alice", name)
    sizes = (await lab.ask("alice", "GET", "/servers/options")).body["sizes"]
    told = {each["size"]: each["refused"] for each in sizes}
    assert told.pop("none") is None
    assert {each["type"] for each in told.values()} == {"urn:ds01:problem:quota"}


async def test_a_server_that_runs_has_its_slots_its_end_and_what_was_asked_for(
    lab: ApiLab,
) -> None:
    lab.server("alice", "thesis")
    lab.spawning.add("alice", "thesis", image="starter", gpu="mig", project="p")
    lab.spawning.add("alice", state=ServerState.STOPPED, gpu=3, image={"odd": 1})
    unnamed, server = await _servers(lab)
    assert (server["image"], server["gpu"], server["gpu_count"]) == ("starter", "mig", 1)
    assert (len(server["gpu_slots"]), server["project"]) == (1, "p")
    assert server["stops_at"] is not None
    assert (unnamed["gpu"], unnamed["image"]) == (None, None)


async def test_a_server_that_waits_has_its_place(lab: ApiLab) -> None:
    lab.waiting("alice", "thesis")
    lab.spawning.add("alice", "thesis", ServerState.STARTING, gpu="mig")
    (server,) = [each for each in await _servers(lab) if each["name"] == "thesis"]
    assert server["state"] == "starting"
    assert (server["place"]["place"], server["place"]["length"]) == (1, 1)


async def test_a_server_is_started_with_the_forms_options_and_told_step_by_step(
    lab: ApiLab,
) -> None:
    lab.spawning.people["alice"] = {}
    lab.spawning.told = [LIMITS, WAITS]
    lab.spawning.on_ready = lambda user, name: _runs(lab, user, name)
    wanted = {"name": "thesis", "image": "starter", "gpu": "mig", "project": "p"}
    told = await lab.ask("alice", "POST", "/servers", wanted)
    limits, place, end = _events(told)
    assert limits == ("step", {"name": "limits", "text": "Checking your limits"})
    assert (place[0], place[1]["place"], place[1]["gpu"]) == ("place", 1, "a MIG slot")
    assert (end[0], end[1]["state"], end[1]["name"]) == ("end", "running", "thesis")
    assert len(end[1]["gpu_slots"]) == 1
    options = {"image": "starter", "gpu": "mig", "gpu_count": 1, "project": "p", "wait": True}
    assert lab.spawning.started == [("alice", "thesis", options)]
    (event,) = lab.events("server.start")
    assert (event["user"], event["resource"]) == ("alice", "thesis._.alice")
    assert event["details"]["request_id"] == told.headers["X-Request-Id"]


def _runs(lab: ApiLab, user: str, name: str) -> None:
    lab.lab.run(user, "mig", name=name)


async def test_what_the_platform_refuses_is_told_in_its_own_words(lab: ApiLab) -> None:
    lab.spawning.people["alice"] = {}
    lab.spawning.refusal = Forbidden("You may run 1 server at a time, and x runs already.")
    told = await lab.ask("alice", "POST", "/servers", {})
    assert (told.status, told.body["type"]) == (403, "urn:ds01:problem:forbidden")
    assert told.body["detail"] == "You may run 1 server at a time, and x runs already."


async def test_what_fails_after_a_while_ends_the_stream_with_the_problem(lab: ApiLab) -> None:
    lab.spawning.people["alice"] = {}
    lab.spawning.told, lab.spawning.failure = [LIMITS], Refused("The start was cancelled.")
    told = await lab.ask("alice", "POST", "/servers", {})
    assert [name for name, _ in _events(told)] == ["step", "problem"]
    assert _events(told)[-1][1]["detail"] == "The start was cancelled."


async def test_figures_and_next_step_of_a_refusal_are_told_as_without_the_hub(lab: ApiLab) -> None:
    lab.spawning.people["alice"] = {}
    lab.spawning.refusal = QuotaExceeded(
        "2 of 2 in use.", "Stop one.", limit="l", used=2, asked=1, allowed=2, holders=("x",)
    )
    told = (await lab.ask("alice", "POST", "/servers", {})).body
    assert (told["type"], told["next_step"]) == ("urn:ds01:problem:quota", "Stop one.")
    assert (told["limit"], told["used"], told["asked"], told["allowed"]) == ("l", 2, 1, 2)
    assert told["holders"] == ["x"]
    lab.spawning.refusal = NoCapacity("Nothing is free.", "Tick the box.", place=2)
    told = (await lab.ask("alice", "POST", "/servers", {"wait": False})).body
    assert (told["type"], told["place"]) == ("urn:ds01:problem:capacity", 2)
    assert "`wait`" in told["next_step"]


async def test_who_asks_again_for_a_start_that_is_under_way_is_told_of_it(lab: ApiLab) -> None:
    wanted = {"name": "thesis", "image": "starter", "gpu": "mig"}
    options = {"image": "starter", "gpu": "mig", "gpu_count": 1, "wait": True}
    began = lab.lab.clock.now() - timedelta(minutes=10)
    lab.spawning.add("alice", "thesis", ServerState.STARTING, **options)
    known = lab.spawning.people["alice"]
    known["thesis"] = replace(known["thesis"], started_at=began)
    lab.spawning.told = [LIMITS, WAITS]
    told = await lab.ask("alice", "POST", "/servers", wanted)
    assert [name for name, _ in _events(told)] == ["step", "place", "end"]
    assert _events(told)[1][1]["waited_seconds"] == 600
    assert _events(told)[1][1]["expected_seconds"] == 1200
    assert _events(told)[-1][1]["state"] == "running"
    assert (lab.spawning.started, lab.events("server.start")) == ([], [])


async def test_whose_line_breaks_before_the_hub_has_answered_joins_too(lab: ApiLab) -> None:
    lab.spawning.people["alice"] = {}
    lab.spawning.told = [LIMITS]
    lab.spawning.may_answer.clear()
    lab.spawning.may_end.clear()
    first = asyncio.ensure_future(lab.ask("alice", "POST", "/servers", {"gpu": "mig"}))
    await _until(lambda: lab.spawning.started)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    other = await lab.ask("alice", "POST", "/servers", {"gpu": "none"})
    assert (other.status, other.body["detail"]) == (
        409,
        "Your server is being started already, with other options.",
    )
    looks = lab.spawning.looks
    again = asyncio.ensure_future(lab.ask("alice", "POST", "/servers", {"gpu": "MIG"}))
    await _until(lambda: lab.spawning.looks > looks)
    lab.spawning.may_answer.set()
    await _until(lambda: lab.spawning.listeners)
    lab.spawning.may_end.set()
    told = await again
    assert told.status == 200, told.body
    assert _events(told)[-1][0] == "end"
    assert len(lab.spawning.started) == 1


@pytest.mark.parametrize("asked", [{}, {"gpu": "mig"}, {"gpu": "2g.10gb", "gpu_count": 2}])
async def test_another_start_than_the_one_under_way_is_refused(
    lab: ApiLab, asked: dict[str, Any]
) -> None:
    lab.spawning.add("alice", "", ServerState.STARTING, gpu="2g.10gb", gpu_count=1, image="x")
    told = await lab.ask("alice", "POST", "/servers", asked)
    assert (told.status, told.body["next_step"]) == (
        409,
        "Wait for it, or cancel its start first.",
    )


@pytest.mark.parametrize("state", ["running", "stopping"])
async def test_what_does_not_stand_still_is_not_started(lab: ApiLab, state: str) -> None:
    lab.spawning.add("alice", "thesis", ServerState(state))
    told = await lab.ask("alice", "POST", "/servers", {"name": "thesis"})
    assert told.status == 409
    assert lab.spawning.started == []


@pytest.mark.parametrize(
    "body",
    [
        {"name": "jupyter"},
        {"name": "Ümlaut"},
        {"name": "../bob"},
        {"gpu": "huge"},
        {"gpu_count": 0},
        {"gpu": "mig", "gpu_count": 65},
        {"project": "no spaces"},
        {"command": ["sh"]},
        {"wait": "yes please"},
    ],
    ids=str,
)
async def test_what_makes_no_sense_does_not_reach_the_hub(lab: ApiLab, body: Any) -> None:
    lab.spawning.people["alice"] = {}
    assert (await lab.ask("alice", "POST", "/servers", body)).status == 400
    assert lab.spawning.started == []


async def test_a_start_goes_on_when_nobody_listens(lab: ApiLab) -> None:
    lab.spawning.people["alice"] = {}
    lab.spawning.told = [LIMITS]
    lab.spawning.may_end.clear()
    asking = asyncio.ensure_future(lab.ask("alice", "POST", "/servers", {}))
    await _until(lambda: lab.spawning.started)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert lab.spawning.people["alice"][""].state is ServerState.STARTING
    assert lab.hub.stopped == []


@pytest.mark.parametrize(("name", "called"), [("", "jupyter"), ("thesis", "thesis")])
async def test_a_server_is_stopped_by_the_hub(lab: ApiLab, name: str, called: str) -> None:
    lab.spawning.add("alice", name)
    lab.hub.add("alice", name)
    known = lab.spawning.people["alice"]

    def stop(_user: str, server: str) -> None:
        known[server] = replace(known[server], state=ServerState.STOPPED)

    lab.hub.on_stop = stop
    told = await lab.ask("alice", "DELETE", f"/servers/{called}")
    assert (told.status, told.body["state"], told.body["name"]) == (200, "stopped", name)
    assert lab.hub.stopped == [("alice", name)]
    assert lab.events("server.stop")


async def test_without_a_hub_there_are_no_servers_and_that_is_said(lab: ApiLab) -> None:
    lab.spawning.down = True
    told = await lab.ask("alice", "GET", "/servers")
    assert (told.status, told.body["type"]) == (503, "urn:ds01:problem:unavailable")
