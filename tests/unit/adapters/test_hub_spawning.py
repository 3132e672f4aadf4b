import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ds01_spawner.adapters.hub_spawning import HubSpawningApi, hub_spawning_from
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    NotFound,
    QuotaExceeded,
    Refused,
    Unavailable,
)
from ds01_spawner.domain.refusal_facts import facts_of, header_of
from ds01_spawner.ports import HubStep, ServerState

Answer = Callable[[httpx.Request], httpx.Response]


def api(answer: Answer | httpx.Response) -> HubSpawningApi:
    reply = answer if callable(answer) else lambda _request: answer
    transport = httpx.MockTransport(reply)
    return HubSpawningApi("http://127.0.0.1:8081/hub/api/", "secret", transport=transport)


def server(**facts: Any) -> dict[str, Any]:
    usual = {
        "ready": False,
        "pending": None,
        "stopped": True,
        "url": "/user/alice/",
        "started": None,
    }
    return {**usual, **facts}


async def test_a_persons_servers_are_read_with_those_that_are_stopped() -> None:
    asked: list[httpx.Request] = []
    options = {"image": "starter"}
    started = "2026-01-31T10:00:00.250000Z"

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        runs = server(
            ready=True, stopped=False, display_name="Über", user_options=options, started=started
        )
        servers = {
            "": server(),
            "a": runs,
            "b": server(pending="spawn", stopped=False, user_options="odd"),
            "c": server(pending="stop", stopped=False, full_url="https://x.example/"),
        }
        return httpx.Response(200, json={"name": "a b", "servers": servers})

    found = await api(answer).servers("a b")
    (request,) = asked
    assert request.url.raw_path == b"/hub/api/users/a%20b?include_stopped_servers=1"
    assert request.headers["Authorization"] == "token secret"
    assert {name: each.state for name, each in found.items()} == {
        "": ServerState.STOPPED,
        "a": ServerState.RUNNING,
        "b": ServerState.STARTING,
        "c": ServerState.STOPPING,
    }
    assert (found["a"].title, found["a"].options) == ("Über", options)
    assert found["a"].started_at is not None
    assert found["b"].options == {}
    assert found["c"].url == "https://x.example/"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(404, json={"message": "No access to resources"}), NotFound),
        (httpx.Response(404, text="<html>"), Unavailable),
        (httpx.Response(403, json={"message": "no"}), Unavailable),
        (httpx.Response(200, json={"name": "alice"}), Unavailable),
        (httpx.Response(200, json=[]), Unavailable),
        (httpx.Response(200, text="what"), Unavailable),
    ],
    ids=["unknown", "a proxy", "no scope", "hidden", "a list", "no JSON"],
)
async def test_what_is_no_answer_is_no_absence(
    answer: httpx.Response, error: type[DS01Error]
) -> None:
    with pytest.raises(error):
        await api(answer).servers("alice")


async def test_a_start_sends_the_options_as_options() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(202)

    await api(answer).start("alice", "thesis", {"display_name": "x", "gpu": "mig"})
    assert asked[0].url.path == "/hub/api/users/alice/servers/thesis"
    assert json.loads(asked[0].content) == {"user_options": {"display_name": "x", "gpu": "mig"}}


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (403, "You may run 1 server", Forbidden),
        (409, "Nothing is free", Conflict),
        (400, "alice is already running", Conflict),
        (400, "alice is pending stop", Conflict),
        (500, "odd", Unavailable),
    ],
)
async def test_what_the_spawner_refuses_keeps_its_kind_and_its_words(
    status: int, message: str, error: type[DS01Error]
) -> None:
    with pytest.raises(error) as refused:
        await api(httpx.Response(status, json={"message": message})).start("alice", "", {})
    if status in {403, 409}:
        assert message in str(refused.value)


async def test_what_the_spawner_refuses_has_its_figures() -> None:
    quota = QuotaExceeded("2 of 2.", "Stop one.", limit="l", used=2, asked=1, allowed=2)
    answer = httpx.Response(403, json={"message": "2 of 2."}, headers=header_of(quota))
    with pytest.raises(QuotaExceeded) as refused:
        await api(answer).start("alice", "", {})
    assert (refused.value.next_step, refused.value.used) == ("Stop one.", 2)
    told = {"step": "limits", "message": str(quota), "refusal": facts_of(quota)}
    with pytest.raises(QuotaExceeded, match=r"2 of 2\. Stop one\."):
        await _steps(stream(told, {"failed": True, "message": "Spawn failed: 2 of 2."}))


def stream(*events: object) -> httpx.Response:
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return httpx.Response(200, text=f"\n\n{text}")


async def _steps(answer: Answer | httpx.Response) -> list[HubStep]:
    return [each async for each in api(answer).steps("alice", "")]


async def test_steps_come_until_the_server_is_ready() -> None:
    place = {"place": 2, "length": 3, "reason": "busy", "wait": "…", "wait_seconds": 600}
    told = await _steps(
        stream(
            {"progress": 5, "message": "Checking", "step": "limits"},
            {"progress": 10, "message": "Waiting", "step": "queue", **place},
            {"progress": 50, "message": "Of another spawner"},
            {"progress": 100, "ready": True, "message": "Server ready"},
            {"progress": 100, "message": "never"},
        )
    )
    assert told == [
        HubStep("limits", "Checking"),
        HubStep("queue", "Waiting", 2, 3, "busy", 600),
        HubStep("start", "Of another spawner"),
    ]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Spawn failed: It ended. It said nothing.", "It ended. It said nothing."),
        ("Spawn cancelled", "The start was cancelled."),
        ("Spawn failed", "The server did not start."),
    ],
)
async def test_a_start_that_fails_says_why(message: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        await _steps(stream({"progress": 100, "failed": True, "message": message}))
    assert refused.value.message == said


@pytest.mark.parametrize(
    "answer",
    [
        stream({"progress": 5, "message": "Checking"}),
        httpx.Response(200, text="data: {\n\n"),
        httpx.Response(200, text="data: []\n\n"),
        httpx.Response(400, json={"message": "alice is not starting..."}),
        httpx.Response(404, json={"message": "No access to resources"}),
    ],
    ids=["broken off", "no JSON", "a list", "not starting", "no scope"],
)
async def test_a_stream_that_breaks_is_no_success(answer: httpx.Response) -> None:
    with pytest.raises(Unavailable):
        await _steps(answer)


async def test_a_hub_that_is_away_is_unavailable() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    hub = api(away)
    for deed in (hub.servers("alice"), hub.start("alice", "", {}), _steps(away)):
        with pytest.raises(Unavailable, match="does not answer"):
            await deed
    await hub.close()


async def test_without_an_address_there_is_no_hub() -> None:
    assert hub_spawning_from({"JUPYTERHUB_API_URL": "http://x"}) is None
    hub = hub_spawning_from({"JUPYTERHUB_API_URL": "http://x", "JUPYTERHUB_API_TOKEN": "t"})
    assert hub is not None
    await hub.close()
