import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests
from requests.adapters import BaseAdapter

from ds01_spawner.adapters.hub_api import HubApi, environment_in, hub_from
from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable
from ds01_spawner.domain.people import HubEntry
from ds01_spawner.ports import HubServer


class Hub(BaseAdapter):
    """Answers as a hub does, in pages; no sockets.

    Attributes:
        users: Name of each known user and the names of their servers.
        models: What it says of a server, by user and name; others are ready.
        page: Users in one page at most.
        asked: Every request.
        answer: Instead of pages: status and body.
        error: Raised instead of an answer.
    """

    def __init__(self, users: dict[str, list[str]], page: int = 200) -> None:
        super().__init__()
        self.users, self.page = users, page
        self.models: dict[tuple[str, str], dict[str, object]] = {}
        self.asked: list[requests.PreparedRequest] = []
        self.answer: tuple[int, str] | None = None
        self.error: Exception | None = None

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self.asked.append(request)
        assert options["timeout"] == (10.0 if request.method == "GET" else 30.0)
        if self.error is not None:
            raise self.error
        response = requests.Response()
        response.url, response.request = str(request.url), request
        response.status_code, text = self.answer or (200, json.dumps(self._page(request)))
        response._content = text.encode()
        response.headers["Location"] = "http://elsewhere.example/"
        return response

    def close(self) -> None:
        """Nothing is open."""

    def _page(self, request: requests.PreparedRequest) -> dict[str, object]:
        query = parse_qs(urlsplit(str(request.url)).query)
        begin = int(query["offset"][0])
        size = min(self.page, int(query["limit"][0]))
        assert query["state"] == ["active"]
        names = [name for name, servers in self.users.items() if servers]
        following = {"offset": begin + size} if begin + size < len(names) else None
        return {
            "items": [
                {"name": name, "servers": {key: self._model(name, key) for key in self.users[name]}}
                for name in names[begin : begin + size]
            ],
            "_pagination": {"next": following},
        }

    def _model(self, user: str, name: str) -> dict[str, object]:
        return self.models.get((user, name)) or {"ready": True, "pending": None}


def api_of(hub: Hub) -> HubApi:
    api = HubApi("http://127.0.0.1:8081/hub/api/", "secret")
    api._session.mount("http://", hub)
    return api


def test_every_server_of_every_page_is_found() -> None:
    hub = Hub({"alice": ["", "thesis-run"], "bob": [""], "carol": [], "dan": ["x"]}, page=1)
    servers = api_of(hub).servers()
    assert set(servers) == {
        ("alice", ""),
        ("alice", "thesis-run"),
        ("bob", ""),
        ("dan", "x"),
    }
    assert servers["alice", "thesis-run"] == HubServer("alice", "thesis-run", True, None)
    assert len(hub.asked) == 3


@pytest.mark.parametrize(
    ("model", "ready", "last_activity"),
    [
        (
            {"ready": True, "pending": None, "last_activity": "2026-01-31T10:00:00.250000Z"},
            True,
            datetime(2026, 1, 31, 10, 0, 0, 250000, UTC),
        ),
        ({"ready": True, "pending": "stop", "last_activity": None}, False, None),
        ({"ready": False, "pending": "spawn"}, False, None),
        ({"ready": False, "pending": None, "last_activity": "soon"}, False, None),
    ],
    ids=["ready", "stopping", "starting", "odd"],
)
def test_a_server_is_ready_only_when_nothing_is_done_with_it(
    model: dict[str, object], ready: bool, last_activity: datetime | None
) -> None:
    hub = Hub({"alice": [""]})
    hub.models["alice", ""] = model
    assert api_of(hub).servers() == {("alice", ""): HubServer("alice", "", ready, last_activity)}


def test_a_stopped_server_is_none() -> None:
    hub = Hub({"alice": ["", "old"]})
    hub.models["alice", "old"] = {"ready": False, "pending": None, "stopped": True}
    assert set(api_of(hub).servers()) == {("alice", "")}


def test_fifty_servers_of_two_thousand_people_cost_one_request() -> None:
    hub = Hub({f"person-{number}": [""] * (number % 40 == 0) for number in range(2000)})
    assert len(api_of(hub).servers()) == 50
    assert len(hub.asked) == 1


def test_asks_for_active_users_with_its_token() -> None:
    hub = Hub({})
    assert api_of(hub).servers() == {}
    (asked,) = hub.asked
    assert str(asked.url).startswith("http://127.0.0.1:8081/hub/api/users?")
    assert parse_qs(urlsplit(str(asked.url)).query)["state"] == ["active"]
    assert asked.headers["Authorization"] == "token secret"


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert not api_of(Hub({}))._session.trust_env


def test_threads_share_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub({})
    together = threading.Barrier(4, timeout=10)
    made: list[requests.Session] = []
    used: dict[requests.Session, set[int]] = {}

    class Noted(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            self.mount("http://", hub)
            made.append(self)

        def request(self, *args: Any, **options: Any) -> requests.Response:
            used.setdefault(self, set()).add(threading.get_ident())
            together.wait()
            return super().request(*args, **options)

    monkeypatch.setattr(requests, "Session", Noted)
    hub.answer = 204, ""
    api = HubApi("http://127.0.0.1:8081/hub/api", "secret")
    with ThreadPoolExecutor(4) as pool:
        for round_ in range(2):
            list(pool.map(lambda name: api.stop(name, ""), [f"u{round_}{n}" for n in range(4)]))
    assert len(made) == 4
    assert all(len(threads) == 1 for threads in used.values())
    assert {each.headers["Authorization"] for each in hub.asked} == {"token secret"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, '{"message": "Action is not authorized with current scopes"}'),
        (500, "{}"),
        (302, ""),
        (502, "<html>Bad gateway</html>"),
        (200, "<html>Log in</html>"),
        (200, "{}"),
        (200, "[]"),
        (200, '{"items": [{"name": "alice"}], "_pagination": {"next": null}}'),
        (200, '{"items": [{"name": "alice", "servers": []}], "_pagination": {"next": null}}'),
        (200, '{"items": [{"name": "a", "servers": {"": {}}}], "_pagination": {"next": null}}'),
    ],
)
def test_an_answer_that_is_none_is_never_an_empty_hub(status: int, body: str) -> None:
    hub = Hub({"alice": [""]})
    hub.answer = status, body
    with pytest.raises(Unavailable) as caught:
        api_of(hub).servers()
    assert "secret" not in str(caught.value)


def test_a_token_without_scope_is_told_which_it_needs() -> None:
    hub = Hub({})
    hub.answer = 403, '{"status": 403, "message": "Action is not authorized with current scopes"}'
    scopes = "list:users, read:users:activity, read:servers, delete:servers"
    with pytest.raises(Unavailable, match=scopes):
        api_of(hub).servers()
    with pytest.raises(Unavailable, match=scopes):
        api_of(hub).stop("alice", "")


@pytest.mark.parametrize("error", [requests.ConnectionError("refused"), requests.Timeout("slow")])
def test_a_hub_that_does_not_answer_is_unavailable(error: Exception) -> None:
    hub = Hub({})
    hub.error = error
    with pytest.raises(Unavailable, match="The hub does not answer /users"):
        api_of(hub).servers()


def test_half_of_the_pages_is_not_an_answer() -> None:
    hub = Hub({"alice": [""], "bob": [""]}, page=1)
    api = api_of(hub)
    first_page = hub._page

    def then_gone(request: requests.PreparedRequest) -> dict[str, object]:
        hub.error = requests.ConnectionError("gone")
        return first_page(request)

    hub._page = then_gone  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        api.servers()


@pytest.mark.parametrize(
    ("user", "server", "path"),
    [
        ("alice", "", "/users/alice/server"),
        ("alice", "thesis-run", "/users/alice/servers/thesis-run"),
        ("Zo\u00eb @uni.example", "", "/users/Zo%C3%AB%20%40uni.example/server"),
        ("a%b?c#d+e", "x y", "/users/a%25b%3Fc%23d%2Be/servers/x%20y"),
    ],
)
def test_a_stop_names_the_server_whatever_people_are_called(
    user: str, server: str, path: str
) -> None:
    hub = Hub({})
    hub.answer = 204, ""
    api_of(hub).stop(user, server)
    (asked,) = hub.asked
    assert asked.method == "DELETE"
    assert asked.url == f"http://127.0.0.1:8081/hub/api{path}"
    assert asked.body is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (202, ""),
        (204, ""),
        (404, '{"status": 404, "message": "Not Found"}'),
        (404, '{"status": 404, "message": "alice has no server named \'x\'"}'),
    ],
    ids=["begun", "stopped", "no-user", "no-server"],
)
def test_a_server_that_stops_or_is_gone_is_stopped(status: int, body: str) -> None:
    hub = Hub({})
    hub.answer = status, body
    api_of(hub).stop("alice", "x")


@pytest.mark.parametrize(
    ("server", "called"), [("x", "alice's server x"), ("", "alice's default server")]
)
def test_a_server_that_the_hub_is_at_work_on_is_a_conflict(server: str, called: str) -> None:
    hub = Hub({})
    text = "Cannot stop a server while it is being renamed"
    hub.answer = 400, json.dumps({"status": 400, "message": text})
    with pytest.raises(Conflict, match=f"{called} now: {text}"):
        api_of(hub).stop("alice", server)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "{}"),
        (302, ""),
        (403, "{}"),
        (404, "<html>No such route</html>"),
        (404, '{"status": 404, "message": "No access to resources or resources not found"}'),
        (500, '{"status": 500, "message": "alice: pending spawn"}'),
        (503, "Service unavailable"),
    ],
)
def test_an_answer_that_is_none_is_never_a_stop(status: int, body: str) -> None:
    hub = Hub({})
    hub.answer = status, body
    with pytest.raises(Unavailable) as caught:
        api_of(hub).stop("alice", "")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("error", [requests.ConnectionError("refused"), requests.Timeout("slow")])
def test_a_hub_that_does_not_answer_has_not_stopped_anything(error: Exception) -> None:
    hub = Hub({})
    hub.error = error
    with pytest.raises(Unavailable, match="The hub does not answer /users/alice/server"):
        api_of(hub).stop("alice", "")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (201, ""),
        (202, ""),
        (400, '{"status": 400, "message": "alice:x is already running"}'),
    ],
    ids=["started", "begun", "runs"],
)
def test_a_start_names_the_server_and_sends_no_options(status: int, body: str) -> None:
    hub = Hub({})
    hub.answer = status, body
    api_of(hub).start("alice", "x")
    (asked,) = hub.asked
    assert (asked.method, asked.body) == ("POST", None)
    assert asked.url == "http://127.0.0.1:8081/hub/api/users/alice/servers/x"


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "alice:x is pending stop", Conflict),
        (400, "The image is not there", InvalidRequest),
        (403, "2 of 2 GPU slots in use", Forbidden),
        (409, "No MIG slot is free now", Conflict),
        (404, "Not Found", NotFound),
        (403, "Action is not authorized with current scopes; requires any of [x]", Unavailable),
        (404, "No access to resources or resources not found", Unavailable),
        (500, "Internal Server Error", Unavailable),
        (302, "", Unavailable),
    ],
)
def test_a_start_that_is_refused_says_why(
    status: int, message: str, error: type[Exception]
) -> None:
    hub = Hub({})
    hub.answer = status, json.dumps({"status": status, "message": message})
    with pytest.raises(error) as caught:
        api_of(hub).start("alice", "x")
    assert "secret" not in str(caught.value)


def test_a_start_that_somebody_else_answers_has_not_begun() -> None:
    hub = Hub({})
    hub.answer = 404, "<html>No such route</html>"
    with pytest.raises(Unavailable, match="which is no answer"):
        api_of(hub).start("alice", "")


def test_the_environment_says_where_the_hub_is() -> None:
    both = {"JUPYTERHUB_API_URL": "http://hub/api", "JUPYTERHUB_API_TOKEN": "secret"}
    assert isinstance(hub_from(both), HubApi)
    assert hub_from({}) is None
    assert hub_from({"JUPYTERHUB_API_URL": "http://hub/api"}) is None


def test_a_services_file_says_it_as_well(tmp_path: Path) -> None:
    file = tmp_path / "culler.env"
    assert environment_in(file) == {}
    file.write_text("# who\n; why\n\nJUPYTERHUB_API_URL = 'http://hub/api'\nTOKEN=a=b\nnothing\n")
    assert environment_in(file) == {"JUPYTERHUB_API_URL": "http://hub/api", "TOKEN": "a=b"}


class People(BaseAdapter):
    """A hub's list of people, for a token with some scopes; no sockets."""

    def __init__(self, *scopes: str) -> None:
        super().__init__()
        self.scopes, self.people = scopes, {"ann b": (200, "{}")}
        self.removal = (204, "")

    def send(self, request: requests.PreparedRequest, **_options: Any) -> requests.Response:  # type: ignore[override]
        path = unquote(urlsplit(str(request.url)).path).removeprefix("/hub/api")
        missing = (404, json.dumps({"status": 404, "message": "Not Found"}))
        if path == "/user":
            status, text = 200, json.dumps({"kind": "service", "scopes": self.scopes})
        elif request.method == "DELETE":
            status, text = self.removal
        else:
            status, text = self.people.get(path.removeprefix("/users/"), missing)
        response = requests.Response()
        response.status_code, response._content = status, text.encode()
        return response

    def close(self) -> None:
        """Nothing is open."""

    @property
    def api(self) -> HubApi:
        api = HubApi("http://127.0.0.1:8081/hub/api", "secret")
        api._session.mount("http://", self)
        return api


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (("read:users:name", "delete:users"), True),
        (("list:users", "servers"), False),
        ((), False),
    ],
)
def test_the_hub_says_whom_it_lists_and_whether_they_may_be_removed(
    scopes: tuple[str, ...], may: bool
) -> None:
    people = People(*scopes)
    assert people.api.entry("ann b") == HubEntry(True, may)
    assert people.api.entry("bob") == HubEntry(False, may)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, '{"message": "Action is not authorized"}'),
        (404, '{"message": "No access to resources or resources not found"}'),
        (404, "<html>"),
        (502, "<html>"),
    ],
)
def test_what_is_no_answer_about_somebody_is_none(status: int, text: str) -> None:
    people = People("delete:users")
    people.people["ann b"] = people.removal = (status, text)
    with pytest.raises(Unavailable):
        people.api.entry("ann b")
    with pytest.raises(Unavailable):
        people.api.remove_entry("ann b")


def test_somebody_is_removed_once_and_is_out_the_second_time() -> None:
    people = People("delete:users")
    people.api.remove_entry("ann b")
    people.removal = (404, '{"message": "Not Found"}')
    people.api.remove_entry("ann b")
    people.removal = (400, '{"message": "the server is in the process of stopping"}')
    with pytest.raises(Conflict, match="process of stopping"):
        people.api.remove_entry("ann b")
