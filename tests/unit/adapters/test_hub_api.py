import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests.adapters import BaseAdapter

from ds01_spawner.adapters.hub_api import HubApi
from ds01_spawner.domain.errors import Unavailable


class Hub(BaseAdapter):
    """Answers as a hub does, in pages; no sockets.

    Attributes:
        users: Name of each active user and the names of their servers.
        page: Users in one page at most.
        asked: Every request.
        answer: Instead of pages: status and body.
        error: Raised instead of an answer.
    """

    def __init__(self, users: dict[str, list[str]], page: int = 200) -> None:
        super().__init__()
        self.users, self.page = users, page
        self.asked: list[requests.PreparedRequest] = []
        self.answer: tuple[int, str] | None = None
        self.error: Exception | None = None

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self.asked.append(request)
        assert options["timeout"] == 10.0
        if self.error is not None:
            raise self.error
        response = requests.Response()
        response.url = str(request.url)
        response.status_code, text = self.answer or (200, json.dumps(self._page(request)))
        response._content = text.encode()
        return response

    def close(self) -> None:
        """Nothing is open."""

    def _page(self, request: requests.PreparedRequest) -> dict[str, object]:
        query = parse_qs(urlsplit(str(request.url)).query)
        begin = int(query["offset"][0])
        size = min(self.page, int(query["limit"][0]))
        names = list(self.users)
        following = {"offset": begin + size} if begin + size < len(names) else None
        return {
            "items": [
                {"name": name, "servers": {server: {} for server in self.users[name]}}
                for name in names[begin : begin + size]
            ],
            "_pagination": {"next": following},
        }


def api_of(hub: Hub) -> HubApi:
    api = HubApi("http://127.0.0.1:8081/hub/api/", "secret")
    api._session.mount("http://", hub)
    return api


def test_every_server_of_every_page_is_found() -> None:
    hub = Hub({"alice": ["", "thesis-run"], "bob": [""], "carol": [], "dan": ["x"]}, page=1)
    assert api_of(hub).servers() == {
        ("alice", ""),
        ("alice", "thesis-run"),
        ("bob", ""),
        ("dan", "x"),
    }
    assert len(hub.asked) == 4


def test_asks_for_active_users_with_its_token() -> None:
    hub = Hub({})
    assert api_of(hub).servers() == frozenset()
    (asked,) = hub.asked
    assert str(asked.url).startswith("http://127.0.0.1:8081/hub/api/users?")
    assert parse_qs(urlsplit(str(asked.url)).query)["state"] == ["active"]
    assert asked.headers["Authorization"] == "token secret"


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert not api_of(Hub({}))._session.trust_env


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, '{"message": "Action is not authorized with current scopes"}'),
        (500, "{}"),
        (502, "<html>Bad gateway</html>"),
        (200, "<html>Log in</html>"),
        (200, "{}"),
        (200, "[]"),
        (200, '{"items": [{"name": "alice"}], "_pagination": {"next": null}}'),
    ],
)
def test_an_answer_that_is_none_is_never_an_empty_hub(status: int, body: str) -> None:
    hub = Hub({"alice": [""]})
    hub.answer = status, body
    with pytest.raises(Unavailable) as caught:
        api_of(hub).servers()
    assert "secret" not in str(caught.value)


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
