import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.scopes import parse_scopes
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from ds01_spawner import spawner
from ds01_spawner.domain.work import Level, Rule, RuleStop, SentWarning, Track
from ds01_spawner.spawner.pages import HANDLERS, CancelHandler
from ds01_spawner.spawner.threads import Threads
from fakes.clock import FakeClock
from fakes.lab import Lab

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(30)]

USERS = ("alice", "bob", "boss")


@dataclass
class _Pages:
    """The handlers on a loopback port; a header says who is signed in, which is the hub's part."""

    lab: Lab
    url: str = ""
    threads: Threads = field(default_factory=lambda: Threads(2))

    async def ask(
        self, path: str, *, by: str = "alice", method: str = "GET", body: Mapping[str, Any] = {}
    ) -> tuple[int, dict[str, Any]]:
        answer = await AsyncHTTPClient().fetch(
            f"{self.url}/ds01/users/{path}",
            method=method,
            headers={"X-Signed-In": by},
            body=json.dumps(body) if method == "POST" else None,
            raise_error=False,
        )
        return answer.code, json.loads(answer.body)

    async def keep(
        self, path: str, *, by: str = "alice", **body: Any
    ) -> tuple[int, dict[str, Any]]:
        return await self.ask(f"{path}/keep-running", by=by, method="POST", body=body)


def _signed_in(handler: type, pages: _Pages) -> type:
    class Handler(handler):  # type: ignore[misc]
        async def prepare(self) -> None:
            name = self.request.headers["X-Signed-In"]
            self._jupyterhub_user = SimpleNamespace(name=name, admin=name == "boss")
            own = "" if name == "boss" else f"!user={name}"
            self.expanded_scopes = {f"servers{own}", f"read:servers{own}"}
            self.parsed_scopes = parse_scopes(self.expanded_scopes)

        def find_user(self, name: str) -> Any:
            if name not in USERS:
                return None
            spawner = SimpleNamespace(platform=pages.lab, threads=pages.threads)
            user = SimpleNamespace(name=name, spawner=spawner)
            spawner.user = user
            return user

    return Handler


@pytest.fixture
def lab() -> Lab:
    return Lab(clock=FakeClock())


@pytest.fixture
async def pages(lab: Lab) -> AsyncIterator[_Pages]:
    pages = _Pages(lab)
    app = Application(
        [(path, _signed_in(handler, pages), *more) for path, handler, *more in HANDLERS],
        db=SimpleNamespace(dirty=False),
        csp_report_uri="/csp",
        hub=SimpleNamespace(base_url="/hub/"),
    )
    listener, port = bind_unused_port()
    server = HTTPServer(app)
    server.add_socket(listener)
    pages.url = f"http://127.0.0.1:{port}"
    yield pages
    server.stop()
    await server.close_all_connections()


def idle(lab: Lab, container_id: str, minutes: float = 60) -> None:
    since = lab.clock.now() - timedelta(minutes=minutes)
    track = Track(container_id, "jupyter._.alice", "alice", since, since, 3, since)
    with lab.ledger.transaction() as transaction:
        transaction.put_tracks([track])


async def test_the_script_of_the_home_page_is_served_and_nothing_beside_it(pages: _Pages) -> None:
    async def get(path: str) -> tuple[int, bytes]:
        answer = await AsyncHTTPClient().fetch(
            f"{pages.url}/ds01/static/{path}",
            headers={"X-Signed-In": "alice"},
            raise_error=False,
        )
        return answer.code, answer.body

    script = Path(spawner.__file__).parent / "static" / "home.js"
    assert await get("home.js") == (200, script.read_bytes())
    for path in ("../pages.py", "%2e%2e/pages.py", "", "/etc/passwd"):
        assert (await get(path))[0] in {403, 404}
    home = Path(spawner.__file__).parents[2] / "hub_config" / "templates" / "home.html"
    assert 'src="{{ base_url }}ds01/static/home.js"' in home.read_text()


async def test_people_see_when_their_own_servers_stop(lab: Lab, pages: _Pages) -> None:
    idle(lab, lab.run("alice"))
    lab.run("bob", "none", name="bobs")
    status, body = await pages.ask("alice/containers")
    assert status == 200
    (mine,) = body["containers"]
    assert (mine["server"], mine["name"], mine["gpu_slots"]) == ("", "jupyter", ["0:2"])
    assert mine["stops_at"] == "2026-01-31T13:00:00.000000Z"
    assert mine["sentences"][0] == "Stops at 13:00, in 1 hour, unless it is used."
    assert mine["ends"][0]["rule"] == "idle_timeout"
    assert mine["keep_until"] is not None


@pytest.mark.parametrize("name", ["bob", "nobody", "%2e%2e", "alice%2f..%2fbob"])
async def test_nobody_sees_or_keeps_what_is_somebody_elses(
    lab: Lab, pages: _Pages, name: str
) -> None:
    lab.run("bob", name="bobs")
    status, body = await pages.ask(f"{name}/containers")
    assert status == 404
    assert "bobs" not in json.dumps(body)
    status, _ = await pages.keep(f"{name}/containers/bobs")
    assert status == 404
    with lab.ledger.transaction() as transaction:
        assert transaction.keep_alives() == []


async def test_somebody_elses_container_is_not_found_under_ones_own_name(
    lab: Lab, pages: _Pages
) -> None:
    lab.run("bob", name="bobs")
    for name in ("bobs", "bobs._.bob"):
        status, body = await pages.keep(f"alice/containers/{name}")
        assert status == 404
        assert body["message"].startswith("No container of alice runs")


async def test_keeping_postpones_the_end_and_answers_with_it(lab: Lab, pages: _Pages) -> None:
    idle(lab, lab.run("alice"))
    status, body = await pages.keep("alice/containers/jupyter", **{"for": "6h"})
    assert status == 200
    assert body["kept_until"] == body["stops_at"] == "2026-01-31T18:00:00.000000Z"
    assert "You keep it running. Stops at 18:00" in body["sentences"][0]
    (event,) = [each for each in lab.events.events if each.action == "container.extend"]
    assert (event.user, event.interface, event.details["by"]) == ("alice", "hub", "alice")


async def test_who_asked_is_offered_more_when_warned_again(lab: Lab, pages: _Pages) -> None:
    lab.policy.edit("defaults:\n  max_runtime: null\n  policies: {keep_alive_max: 6h}\n")
    container_id = lab.run("alice")
    idle(lab, container_id)
    _, body = await pages.keep("alice/containers/jupyter")
    assert body["kept_until"] == body["stops_at"] == "2026-01-31T18:00:00.000000Z"
    assert body["keep_until"] is None
    lab.wait(59 * 60)
    _, body = await pages.ask("alice/containers")
    assert body["containers"][0]["keep_until"] is None
    now = lab.clock.now()
    end = now + timedelta(hours=5, minutes=1)
    with lab.ledger.transaction() as transaction:
        transaction.put_warnings([SentWarning(container_id, Rule.IDLE, Level.FIRST, now, end)])
    lab.wait(6)
    _, body = await pages.ask("alice/containers")
    assert body["containers"][0]["keep_until"] is not None


async def test_ones_own_entry_is_called_so_on_ones_own_pages(lab: Lab, pages: _Pages) -> None:
    lab.policy.edit("users:\n  alice: {idle_timeout: 2h}\n")
    idle(lab, lab.run("alice"))
    (mine,) = (await pages.ask("alice/containers"))[1]["containers"]
    where = "resource-limits.yaml line 2"
    assert mine["rules"][0] == f"Rule: idle_timeout = 2h (your own entry, {where})."
    assert mine["ends"][0]["origin"] == f"user alice, {where}"


async def test_the_page_shows_it_at_once_whatever_is_shared(lab: Lab, pages: _Pages) -> None:
    idle(lab, lab.run("alice"))
    before = await pages.ask("alice/containers")
    await pages.keep("alice/containers/jupyter")
    after = await pages.ask("alice/containers")
    assert before[1]["containers"][0]["kept_until"] is None
    assert after[1]["containers"][0]["kept_until"] is not None


async def test_an_administrator_may_for_others_and_is_in_the_log(lab: Lab, pages: _Pages) -> None:
    lab.run("alice")
    assert (await pages.ask("alice/containers", by="boss"))[0] == 200
    status, _ = await pages.keep("alice/containers/jupyter", by="boss")
    assert status == 200
    event = lab.events.events[-1]
    assert (event.user, event.details["by"]) == ("alice", "boss")


@pytest.mark.parametrize("text", ["tomorrow", "6", "-1h", "0s", "<script>", 7])
async def test_a_duration_that_makes_no_sense_is_refused(
    lab: Lab, pages: _Pages, text: Any
) -> None:
    lab.run("alice")
    status, body = await pages.keep("alice/containers/jupyter", **{"for": text})
    assert status == 400
    assert body["message"]
    with lab.ledger.transaction() as transaction:
        assert transaction.keep_alives() == []


async def test_a_refusal_is_a_sentence(lab: Lab, pages: _Pages) -> None:
    lab.policy.edit("defaults:\n  policies: {keep_alive_max: 0s}\n")
    lab.run("alice")
    status, body = await pages.keep("alice/containers/jupyter")
    assert status == 403
    assert "keep_alive_max = 0s (the defaults, resource-limits.yaml line 2)" in body["message"]


async def test_a_part_that_does_not_answer_is_a_sentence_too(lab: Lab, pages: _Pages) -> None:
    lab.engine.stuck = True
    status, body = await pages.ask("alice/containers")
    assert status == 503
    assert "did not answer" in body["message"]


async def test_a_hundred_pages_share_one_reading(lab: Lab, pages: _Pages) -> None:
    lab.run("alice")
    lab.engine.calls.clear()
    for _ in range(20):
        await pages.ask("alice/containers")
        lab.wait(0.1)
        await pages.ask("bob/containers", by="bob")
    assert [method for method, _ in lab.engine.calls] == ["containers"]


async def test_stops_of_what_is_gone_are_told_with_the_server_they_were_of(
    lab: Lab, pages: _Pages
) -> None:
    for name, interface in (("jupyter", "hub"), ("thesis", "hub"), ("batch", "cli")):
        stop = RuleStop(
            f"gone-{name}",
            f"{name}._.alice",
            "alice",
            Rule.RUNTIME,
            "max_runtime",
            "24h",
            "built in",
            "Its time of 24 hours is up.",
            decided_at=lab.clock.now(),
            name=name,
            interface=interface,
        )
        with lab.ledger.transaction() as transaction:
            transaction.put_rule_stop(stop)
    _, body = await pages.ask("alice/containers")
    assert {each["name"]: each["server"] for each in body["gone"]} == {
        "jupyter": "",
        "thesis": "thesis",
        "batch": None,
    }
    assert body["gone"][0]["sentence"] == ("It was stopped at 12:00. Its time of 24 hours is up.")
    _, body = await pages.ask("bob/containers", by="bob")
    assert body["gone"] == []


@dataclass
class _Starting:
    """A server of the hub that is being started."""

    pending: str | None = "spawn"
    stopped: bool = False

    def __post_init__(self) -> None:
        self._spawn_future = asyncio.get_running_loop().create_future()
        self._spawn_future.add_done_callback(self._ended)

    def _ended(self, _done: object) -> None:
        self.pending = None


async def _cancel(
    server: _Starting, *, by: str = "alice", name: str = "/thesis"
) -> tuple[int, str]:
    """Status and target of what the page's button gets."""

    class Handler(CancelHandler):
        async def prepare(self) -> None:
            self._jupyterhub_user = SimpleNamespace(name=by)
            self.expanded_scopes = {f"servers!user={by}"}
            self.parsed_scopes = parse_scopes(self.expanded_scopes)

        def find_user(self, user: str) -> Any:
            return SimpleNamespace(name=user, escaped_name=user, spawners={"thesis": server})

        def check_xsrf_cookie(self) -> None:
            """The hub's part."""

        def write_error(self, status_code: int, **_more: Any) -> None:
            self.finish(str(status_code))

        async def stop_single_user(self, _user: object, _server: str = "") -> None:
            server.stopped = True

    app = Application(
        [(path, Handler) for path, handler, *_ in HANDLERS if handler is CancelHandler],
        db=SimpleNamespace(dirty=False, rollback=lambda: None),
        hub=SimpleNamespace(base_url="/hub/"),
        cookie_secret=b"c" * 32,
        log_function=lambda _handler: None,
    )
    listener, port = bind_unused_port()
    http = HTTPServer(app)
    http.add_socket(listener)
    try:
        answer = await AsyncHTTPClient().fetch(
            f"http://127.0.0.1:{port}/ds01/cancel/alice{name}",
            method="POST",
            body="",
            follow_redirects=False,
            raise_error=False,
        )
    finally:
        http.stop()
    return answer.code, answer.headers.get("Location", "")


async def test_a_start_is_broken_off_and_leads_back_to_the_form() -> None:
    server = _Starting()
    assert await _cancel(server) == (302, "/hub/spawn/alice/thesis")
    assert server._spawn_future.cancelled()
    assert server.stopped


async def test_what_does_not_start_is_left_alone() -> None:
    server = _Starting(pending=None)
    assert await _cancel(server) == (302, "/hub/home")
    assert not server.stopped


@pytest.mark.parametrize(("by", "name"), [("bob", "/thesis"), ("alice", "/other"), ("alice", "")])
async def test_nobody_breaks_off_what_is_not_theirs(by: str, name: str) -> None:
    server = _Starting()
    status, _ = await _cancel(server, by=by, name=name)
    assert status in {403, 404}
    assert server.pending == "spawn"
    assert not server.stopped
