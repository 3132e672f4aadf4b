import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from ds01_spawner.client.models import Role
from ds01_spawner.gateway.api.openapi import description
from ds01_spawner.gateway.api.routes import ROUTES
from ds01_spawner.gateway.rates import Rate
from fakes.api_lab import PREFIX, ApiLab, api_lab

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


def test_every_row_of_the_table_is_answered_and_nothing_else(tmp_path: Path) -> None:
    served = ApiLab(tmp_path).served
    assert set(served.answers) == {route.operation for route in ROUTES if not route.stream}
    assert set(served.streams) == {route.operation for route in ROUTES if route.stream}


def test_no_two_rows_are_the_same() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert len({route.operation for route in ROUTES}) == len(ROUTES)


def test_what_changes_something_of_others_or_tells_of_everybody_is_not_for_students() -> None:
    for route in ROUTES:
        is_for_all = route.role is Role.STUDENT
        assert is_for_all is not (route.path.startswith("/admin/") or "preview" in route.path)


@pytest.mark.parametrize("by_token", [True, False])
def test_the_description_is_whole(by_token: bool) -> None:
    described = description("/ds01", by_token=by_token)
    assert described["openapi"] == "3.1.0"
    schemas = described["components"]["schemas"]
    text = json.dumps(described)
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        assert f'"#/components/schemas/{name}"' in text
        assert schema.get("additionalProperties") is False or "enum" in schema
    for path, operations in described["paths"].items():
        for operation in operations.values():
            named = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert {"400", "401", "403", "429", "503"} <= set(operation["responses"])


async def test_the_description_is_served_to_anybody(lab: ApiLab) -> None:
    told = await lab.ask("", "GET", "/openapi.json")
    assert told.status == 200
    assert told.body == description(PREFIX, by_token=False)


async def test_every_answer_has_an_id_and_keeps_browsers_from_guessing(lab: ApiLab) -> None:
    ids = set()
    for user, path in (("alice", "/gpus"), ("", "/gpus"), ("alice", "/nothing")):
        told = await lab.ask(user, "GET", path)
        ids.add(told.headers["X-Request-Id"])
        assert told.headers["X-Content-Type-Options"] == "nosniff"
        assert told.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in told.headers["Content-Security-Policy"]
        assert "Server" not in told.headers
    assert len(ids) == 3


async def test_what_is_not_in_the_table_does_not_exist(lab: ApiLab) -> None:
    for path in ("/", "/nothing", "/containers/a/b/c", "/../etc/passwd", "/containers/"):
        told = await lab.ask("alice", "GET", path)
        assert (told.status, told.body["type"]) == (404, "urn:ds01:problem:not-found"), path


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS", "DELETE", "TRACE"])
async def test_other_methods_are_told_which_there_are(lab: ApiLab, method: str) -> None:
    told = await lab.ask("alice", method, "/containers")
    assert told.status == 405
    assert told.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/events?limit=0", "limit"),
        ("/events?limit=201", "limit"),
        ("/events?limit=1e2", "limit: Value error, expected a whole number."),
        ("/events?limit=1&limit=2", "given 2 times"),
        ("/events?since=yesterday", "expected a time"),
        ("/events?since=1700000000", "expected a time"),
        ("/events?since=2026-13-45T00:00:00Z", "since"),
        ("/events?since=0001-01-01T00:00:00Z", "between the years 1970 and 2999"),
        ("/events?unknown=1", "unknown"),
        ("/containers?all=yes", "expected true or false"),
        ("/containers?user=%ff", "UTF-8"),
        ("/containers?user=", "user"),
        ("/containers/%00", "is not a name"),
        ("/containers/%0a", "is not a name"),
        (f"/containers/{'x' * 300}", "is not a name"),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_why(
    lab: ApiLab, path: str, words: str
) -> None:
    told = await lab.ask("mia", "GET", path)
    assert (told.status, told.body["type"]) == (400, "urn:ds01:problem:invalid")
    assert words in told.body["detail"]


@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"key": 5}', "application/json", 400),
        (b'{"key": "a", "more": 1}', "application/json", 400),
        (b'{"key": "a"}', "text/plain", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"key=a", "application/x-www-form-urlencoded", 400),
        (b"--x", "multipart/form-data", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'"' + b"x" * 2_000_000 + b'"', "application/json", 413),
        (b"x" * 20_000_000, "application/json", 413),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(
    lab: ApiLab, raw: bytes, kind: str, status: int
) -> None:
    told = await lab.ask("alice", "POST", "/ssh-keys", headers={"Content-Type": kind}, raw=raw)
    assert told.status == status, told.body
    assert told.body["type"].startswith("urn:ds01:problem:")


async def test_what_is_our_fault_is_said_and_tells_nothing(lab: ApiLab, caplog: Any) -> None:
    def broken(method: str) -> None:
        if method == "containers":
            raise ZeroDivisionError("secret")

    lab.lab.engine.on_call = broken
    told = await lab.ask("alice", "GET", "/containers")
    assert (told.status, told.body["type"]) == (500, "urn:ds01:problem:internal")
    assert told.headers["X-Request-Id"] in told.body["next_step"]
    assert "secret" not in json.dumps(told.body)
    assert told.headers["X-Request-Id"] in caplog.text


async def test_a_limit_that_is_reached_comes_with_its_figures(lab: ApiLab) -> None:
    lab.container("alice", "a")
    lab.lab.stop("alice", "a")
    for name in ("b", "c", "d"):
        lab.container("alice", name)
    told = await lab.ask("alice", "POST", "/containers/a/start")
    assert (told.status, told.body["type"]) == (403, "urn:ds01:problem:quota")
    assert (told.body["limit"], told.body["used"], told.body["allowed"]) == (
        "max_containers_per_user",
        3.0,
        3.0,
    )
    assert told.body["holders"] == ["b", "c", "d"]
    assert told.body["request_id"] == told.headers["X-Request-Id"]


async def test_a_repetition_is_answered_as_the_first_was_and_does_nothing(lab: ApiLab) -> None:
    lab.container("alice")
    key = {"Idempotency-Key": "one"}
    first = await lab.ask("alice", "POST", "/containers/run/retire", headers=key)
    again = await lab.ask("alice", "POST", "/containers/run/retire", headers=key)
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    anew = {"Idempotency-Key": "two"}
    assert (await lab.ask("alice", "POST", "/containers/run/retire", headers=anew)).status == 404


async def test_a_repetition_survives_a_restart(lab: ApiLab) -> None:
    lab.container("alice")
    key = {"Idempotency-Key": "one"}
    await lab.ask("alice", "POST", "/containers/run/stop", headers=key)
    lab.lab.restart()
    again = await lab.ask("alice", "POST", "/containers/run/stop", headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_key_is_for_one_question_of_one_person(lab: ApiLab) -> None:
    for name in ("alice", "bob"):
        lab.container(name)
    key = {"Idempotency-Key": "one"}
    assert (await lab.ask("alice", "POST", "/containers/run/stop", headers=key)).status == 200
    other = await lab.ask("alice", "POST", "/containers/run/start", headers=key)
    assert (other.status, other.body["next_step"]) == (400, "Make a new one.")
    theirs = await lab.ask("bob", "POST", "/containers/run/stop", headers=key)
    assert "Idempotent-Replayed" not in theirs.headers


async def test_what_was_refused_is_asked_anew(lab: ApiLab) -> None:
    key = {"Idempotency-Key": "one"}
    assert (await lab.ask("alice", "POST", "/containers/run/stop", headers=key)).status == 404
    lab.container("alice")
    assert (await lab.ask("alice", "POST", "/containers/run/stop", headers=key)).status == 200


async def test_the_first_is_waited_for(lab: ApiLab) -> None:
    lab.container("alice")
    key = {"Idempotency-Key": "one"}
    stopping, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(method: str) -> None:
        if method == "stop":
            loop.call_soon_threadsafe(stopping.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)

    lab.lab.engine.on_call = slowly
    first = asyncio.ensure_future(lab.ask("alice", "POST", "/containers/run/stop", headers=key))
    await asyncio.wait_for(stopping.wait(), 20)
    second = await lab.ask("alice", "POST", "/containers/run/stop", headers=key)
    assert (second.status, "still being done" in second.body["detail"]) == (409, True)
    go_on.set()
    assert (await first).status == 200


@pytest.mark.parametrize("key", ["", "x" * 129, "ä"])
async def test_a_key_is_short_and_printable(lab: ApiLab, key: str) -> None:
    told = await lab.ask("alice", "POST", "/ssh-keys", {"key": "x"}, {"Idempotency-Key": key})
    assert told.status == 400


async def test_nobody_asks_more_often_than_they_may(tmp_path: Path) -> None:
    async with api_lab(tmp_path, Rate(burst=3, per_second=0.5)) as lab:
        answers = [await lab.ask("alice", "GET", "/gpus") for _ in range(5)]
        assert [each.status for each in answers] == [200, 200, 200, 429, 429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 2
        assert answers[-1].body["retry_after_seconds"] >= 1
        assert (await lab.ask("bob", "GET", "/gpus")).status == 200


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for is in another task's list
            await asyncio.sleep(0.01)


async def _events(lab: ApiLab, user: str, until: int, seen: list[dict[str, Any]]) -> None:
    buffer = ""

    def take(chunk: bytes) -> None:
        nonlocal buffer
        buffer += chunk.decode()
        while "\n\n" in buffer:
            block, _, buffer = buffer.partition("\n\n")
            fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
            if fields:
                seen.append({"event": fields["event"], **json.loads(fields["data"])})

    request = HTTPRequest(
        f"{lab.url}{PREFIX}/queue/events",
        headers={"X-User": user},
        streaming_callback=take,
        request_timeout=30,
    )
    asking = asyncio.ensure_future(AsyncHTTPClient().fetch(request, raise_error=False))
    await _until(lambda: len(seen) >= until)
    asking.cancel()


def _look_often(lab: ApiLab, monkeypatch: pytest.MonkeyPatch) -> None:
    follow = cast(Any, lab.served.streams["followQueue"])
    monkeypatch.setattr(follow.__self__, "_look_seconds", 0.05)


async def test_places_in_the_queue_are_followed(
    lab: ApiLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    _look_often(lab, monkeypatch)
    ticket = lab.waiting("alice", "thesis")
    seen: list[dict[str, Any]] = []
    following = asyncio.ensure_future(_events(lab, "alice", 2, seen))
    await _until(lambda: bool(seen))
    lab.lab.admission.cancel(ticket)
    await asyncio.wait_for(following, 20)
    assert [each["event"] for each in seen] == ["queue", "queue"]
    assert [[each["id"] for each in every["tickets"]] for every in seen] == [[ticket.id], []]


async def test_a_stream_that_fails_before_it_begins_is_a_problem(lab: ApiLab) -> None:
    lab.lab.engine.stuck = True
    told = await lab.ask("alice", "GET", "/queue/events")
    assert (told.status, told.body["type"]) == (503, "urn:ds01:problem:unavailable")


async def test_a_stream_that_fails_later_says_so(
    lab: ApiLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    _look_often(lab, monkeypatch)
    seen: list[dict[str, Any]] = []
    following = asyncio.ensure_future(_events(lab, "alice", 2, seen))
    await _until(lambda: bool(seen))
    lab.lab.engine.stuck = True
    await asyncio.wait_for(following, 20)
    assert (seen[1]["event"], seen[1]["status"]) == ("problem", 503)


async def test_nobody_listens_to_more_streams_than_they_may(lab: ApiLab) -> None:
    listeners = lab.served.listeners
    with listeners.one_more("alice"):
        pass
    holding = [listeners.one_more("alice") for _ in range(10)]
    for each in holding:
        each.__enter__()
    told = await lab.ask("alice", "GET", "/queue/events")
    assert told.status == 429
    for each in holding:
        each.__exit__(None, None, None)


async def test_who_has_left_is_not_listened_for(lab: ApiLab) -> None:
    port = int(lab.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /ds01/queue/events HTTP/1.1\r\nHost: x\r\nX-User: alice\r\n\r\n")
    await reader.readuntil(b"event: queue")
    assert lab.served.listeners._open == {"alice": 1}
    writer.close()
    await _until(lambda: not lab.served.listeners._open)
