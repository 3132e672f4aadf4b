"""The API as the hub's service, against a stub of the hub's `GET /user`."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.testing import bind_unused_port

from ds01_spawner.client.models import Role
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.gateway.api.application import http_server
from ds01_spawner.gateway.api.hub_service import hub_application
from ds01_spawner.gateway.api.requester import by_hub
from fakes.api_lab import ApiLab
from stubs.hub_users import ACCESS, hub_users, model

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

TOKENS: dict[str, dict[str, Any]] = {
    "alice": model(),
    "elsewhere": model(scopes=["access:servers!server=alice/"]),
    "admin-narrow": model("root2", admin=True),
    "admin-wide": model("root2", admin=True, scopes=[ACCESS, "admin:users"]),
    "admin-scope": model("ada", scopes=[ACCESS, "custom:ds01:admin"]),
    "manager-group": model("mia", groups=["ds01-manager"]),
    "manager-scope": model("mia", scopes=[ACCESS, "custom:ds01:manage"]),
    "service": {"kind": "service", "name": "alice", "admin": True, "scopes": [ACCESS]},
}


@pytest.fixture
def hub() -> Iterator[str]:
    with hub_users(TOKENS) as url:
        yield url


@pytest.fixture
def lab(tmp_path: Path) -> ApiLab:
    return ApiLab(tmp_path)


@pytest.fixture
async def url(lab: ApiLab, hub: str) -> AsyncIterator[str]:
    environment = {"JUPYTERHUB_API_TOKEN": "of-the-service", "JUPYTERHUB_API_URL": hub}
    listener, port = bind_unused_port()
    server = http_server(hub_application(lab.served, environment, b"secret" * 8))
    server.add_socket(listener)
    yield f"http://127.0.0.1:{port}/services/ds01"
    server.stop()
    await server.close_all_connections()
    lab.api.threads.close()


async def ask(
    url: str, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> HTTPResponse:
    return await AsyncHTTPClient().fetch(
        f"{url}{path}",
        method=method,
        headers=dict(headers or {}),
        body=b"{}" if method == "POST" else None,
        raise_error=False,
        follow_redirects=False,
    )


@pytest.mark.parametrize("word", ["token", "Bearer"])
async def test_a_token_says_who_asks(url: str, word: str) -> None:
    told = await ask(url, "/api/me", {"Authorization": f"{word} alice"})
    assert told.code == 200
    me = json.loads(told.body)
    assert (me["user"], me["role"], me["interface"]) == ("alice", "student", "hub")


@pytest.mark.parametrize(
    ("token", "status", "words"),
    [
        ("", 401, "not logged in"),
        ("unknown", 401, "not logged in"),
        ("elsewhere", 403, "not for this service"),
        ("service", 403, "a service's"),
        ("broken", 503, "does not say who asks"),
    ],
)
async def test_other_tokens_open_nothing(url: str, token: str, status: int, words: str) -> None:
    told = await ask(url, "/api/me", {"Authorization": f"token {token}"} if token else {})
    assert (told.code, words in told.body.decode()) == (status, True), told.body
    assert told.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/me", "/api/gpus", "/api/events"])
async def test_a_token_of_a_closed_account_opens_nothing(lab: ApiLab, url: str, path: str) -> None:
    for token in ("alice", "admin-wide"):
        lab.lab.accounts.closed.add(TOKENS[token]["name"])
        told = await ask(url, path, {"Authorization": f"token {token}"})
        assert told.code == 403
        assert "is closed: it has expired" in told.body.decode()


async def test_a_token_in_the_address_opens_nothing(url: str) -> None:
    assert (await ask(url, "/api/gpus?token=alice")).code == 401


@pytest.mark.parametrize(
    ("token", "role"),
    [
        ("alice", "student"),
        ("admin-narrow", "student"),
        ("admin-wide", "admin"),
        ("admin-scope", "admin"),
        ("manager-group", "student"),
        ("manager-scope", "manager"),
    ],
)
async def test_a_token_may_do_what_its_scopes_say(url: str, token: str, role: str) -> None:
    told = await ask(url, "/api/me", {"Authorization": f"token {token}"})
    assert json.loads(told.body)["role"] == role


def test_a_browser_may_do_what_the_person_may() -> None:
    assert by_hub(TOKENS["admin-narrow"], browser=True).role is Role.ADMIN
    assert by_hub(TOKENS["manager-group"], browser=True).role is Role.MANAGER
    assert by_hub(TOKENS["alice"], browser=True).role is Role.STUDENT
    with pytest.raises(Forbidden):
        by_hub(TOKENS["service"], browser=True)


async def test_a_cookie_that_nobody_signed_opens_nothing(url: str) -> None:
    for name in ("service-ds01", "jupyterhub-session-id"):
        assert (await ask(url, "/api/me", {"Cookie": f"{name}=alice"})).code == 401


async def test_a_cookie_alone_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tornado.web.RequestHandler.get_secure_cookie", lambda *_args, **_more: b"alice"
    )
    seen = await ask(url, "/api/me", {"Sec-Fetch-Mode": "navigate"})
    assert json.loads(seen.body)["user"] == "alice"
    for headers in ({}, {"Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Mode": "no-cors"}):
        told = await ask(
            url, "/api/containers/x/stop", {**headers, "Content-Type": "text/plain"}, "POST"
        )
        assert told.code == 401, told.body


async def test_a_token_beside_a_cookie_has_no_more_than_its_scopes(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tornado.web.RequestHandler.get_secure_cookie", lambda *_args, **_more: b"admin-narrow"
    )
    browser = {"Sec-Fetch-Mode": "navigate"}
    assert json.loads((await ask(url, "/api/me", browser)).body)["role"] == "admin"
    for token, role in (("admin-narrow", "student"), ("alice", "student")):
        told = await ask(url, "/api/me", {**browser, "Authorization": f"token {token}"})
        assert json.loads(told.body)["role"] == role


async def test_the_description_says_that_a_token_is_needed(url: str) -> None:
    told = json.loads((await ask(url, "/api/openapi.json")).body)
    assert told["security"] == [{"token": []}]
    assert told["servers"] == [{"url": "/services/ds01/api"}]


async def test_a_browser_that_comes_back_without_a_state_is_refused(url: str) -> None:
    assert (await ask(url, "/oauth_callback?code=x")).code == 400


async def test_whom_the_hub_knew_is_forgotten_when_they_have_left(
    lab: ApiLab, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = {"Authorization": "token alice"}
    assert (await ask(url, "/api/me", header)).code == 200
    monkeypatch.delitem(TOKENS, "alice")
    assert (await ask(url, "/api/me", header)).code == 200  # remembered

    lab.mark.renew()

    assert (await ask(url, "/api/me", header)).code == 401
    assert (await ask(url, "/api/me", {"Authorization": "token admin-wide"})).code == 200


async def test_what_the_hub_said_while_they_left_does_not_count(
    lab: ApiLab, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LeavesAfterTheAnswer:
        """The mark, renewed once the hub has been asked."""

        def __init__(self) -> None:
            self.looks = 0

        def seen(self) -> bool:
            self.looks += 1
            if self.looks == 2:
                TOKENS.pop("alice", None)
            return self.looks >= 2

    monkeypatch.setitem(TOKENS, "alice", model())
    monkeypatch.setattr(lab.mark, "seen", LeavesAfterTheAnswer().seen)
    assert (await ask(url, "/api/me", {"Authorization": "token alice"})).code == 401


async def stream_of_somebody_who(
    url: str, lab: ApiLab, monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]
) -> HTTPResponse:
    """How a stream of Alice's ends, when `change` is made after it began."""
    monkeypatch.setattr("ds01_spawner.gateway.api.handler.AGAIN_SECONDS", 0.05)
    following = asyncio.ensure_future(
        ask(url, "/api/queue/events", {"Authorization": "token alice"})
    )
    async with asyncio.timeout(20):
        while not lab.served.listeners._open["alice"]:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)
        change()
        return await following


@pytest.mark.parametrize("how", ["left", "closed", "another role", "another person"])
async def test_a_stream_ends_when_nobody_vouches_any_more_for_who_began_it(
    lab: ApiLab, url: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def change() -> None:
        if how == "closed":
            lab.lab.accounts.closed.add("alice")
        elif how == "left":
            monkeypatch.delitem(TOKENS, "alice")
        else:
            scopes = [ACCESS, "custom:ds01:manage"] if how == "another role" else [ACCESS]
            name = "bob" if how == "another person" else "alice"
            monkeypatch.setitem(TOKENS, "alice", model(name, scopes=scopes))
        lab.mark.renew()

    ended = await stream_of_somebody_who(url, lab, monkeypatch, change)
    assert ended.code == 200
    assert b"event: queue" in ended.body


async def test_a_hub_that_does_not_answer_ends_no_stream(
    lab: ApiLab, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()

    def restart() -> None:
        monkeypatch.setattr("ds01_spawner.gateway.api.hub_service._by_hub", _does_not_answer(asked))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream_of_somebody_who(url, lab, monkeypatch, restart), 2)
    assert len(asked) > 2


def _does_not_answer(asked: list[str]) -> Callable[..., Awaitable[None]]:
    async def by_hub(*_args: object) -> None:
        asked.append("")
        raise Unavailable("JupyterHub does not say who asks.")

    return by_hub
