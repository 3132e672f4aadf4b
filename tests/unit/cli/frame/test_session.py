import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ds01_cli.frame import session
from ds01_cli.main import exit_code
from ds01_spawner.client import Client, places
from ds01_spawner.client.logins import Login
from ds01_spawner.client.places import Place, find, hub_place, socket_place
from ds01_spawner.client.problems import MEDIA_TYPE, problem_of
from ds01_spawner.domain.errors import DS01Error, NotFound, Unavailable

HUB = "https://hub.example.org"
Handler = Callable[[httpx.Request], httpx.Response]


def client_of(answer: httpx.Response | Exception) -> Callable[[Place, str], Client]:
    def handle(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    def opened(place: Place, agent: str) -> Client:
        headers = {"User-Agent": agent}
        transport = httpx.MockTransport(handle)
        return Client(httpx.Client(transport=transport, base_url=place.address, headers=headers))

    return opened


def problem(error: DS01Error) -> httpx.Response:
    said = problem_of(error)
    headers = {"Content-Type": MEDIA_TYPE}
    return httpx.Response(said.status, text=said.model_dump_json(), headers=headers)


LOGGED_IN = hub_place(HUB, "secret", places.LOGIN)
BY_VARIABLE = hub_place(HUB, "secret")
IN_A_SERVER = hub_place(HUB, "secret", places.HUB_VARIABLE)
HERE = socket_place("/run/x.sock")
REVOKED = httpx.Response(401, text="<html>")

TABLE = [
    ("token expired, logged in", LOGGED_IN, REVOKED, 3, "expired, or was revoked", "ds01 login"),
    ("token expired, variable", BY_VARIABLE, REVOKED, 3, "revoked", f"{HUB}/hub/token"),
    ("token expired, in JupyterLab", IN_A_SERVER, REVOKED, 3, "revoked", "Restart your JupyterLab"),
    (
        "hub down",
        LOGGED_IN,
        httpx.ConnectError("Name or service not known"),
        1,
        f"The hub {HUB}/ cannot be reached.",
        "VPN",
    ),
    ("hub slow", LOGGED_IN, httpx.ReadTimeout("x"), 1, "not answer in time", "Try again"),
    ("gateway down, hub", LOGGED_IN, httpx.Response(503), 1, "gateway does not", "administrator"),
    ("not a hub of ours", LOGGED_IN, httpx.Response(404), 1, "no DS01 at this address", "browser"),
    (
        "gateway down, here",
        HERE,
        httpx.ConnectError("refused"),
        1,
        "The gateway does not answer on /run/x.sock.",
        "systemctl status ds01-gateway",
    ),
    ("gateway slow, here", HERE, httpx.ReadTimeout("x"), 1, "does not answer", "Try again"),
    ("what is refused is said as it is", HERE, problem(NotFound("Gone.")), 5, "Gone.", ""),
]


@pytest.mark.parametrize(
    ("place", "answer", "code", "what", "next_step"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_a_failure_is_one_line_with_what_to_do(  # noqa: PLR0917 - a row of the table
    place: Place,
    answer: httpx.Response | Exception,
    code: int,
    what: str,
    next_step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    with (
        pytest.raises(DS01Error) as caught,
        session.connect(lambda: place, client_of(answer)) as client,
    ):
        client.me()
    said = str(caught.value)
    assert exit_code(caught.value) == code
    assert what in said
    assert next_step in said
    assert "\n" not in said
    assert "secret" not in said


def test_root_is_not_sent_to_an_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    down = httpx.ConnectError("refused")
    with (
        pytest.raises(Unavailable) as caught,
        session.connect(lambda: HERE, client_of(down)) as client,
    ):
        client.me()
    assert "administrator" not in str(caught.value)
    assert "systemctl status ds01-gateway" in caught.value.next_step


def test_the_command_line_says_that_it_is_it() -> None:
    asked: list[str] = []

    def opened(place: Place, agent: str) -> Client:
        asked.append(agent)
        return client_of(httpx.Response(503))(place, agent)

    with session.connect(lambda: HERE, opened):
        pass
    assert asked[0].startswith("ds01-cli/")


KEPT = Login("https://kept.example.org", "k", "alice")
EVERYTHING = {
    "DS01_GATEWAY_SOCKET": "/tmp/a.sock",
    "DS01_API_URL": "http://10.0.0.1:8450/api",
    "DS01_URL": "https://said.example.org",
    "DS01_TOKEN": "t",
    "JUPYTERHUB_PUBLIC_HUB_URL": "https://mine.example.org/hub/",
}


def test_the_order_in_which_places_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here.sock"
    monkeypatch.setattr(places, "USUAL_SOCKET", str(here))
    monkeypatch.setattr(Path, "is_socket", lambda path: path.exists())
    here.touch()
    environment = dict(EVERYTHING)
    logins: list[Login | None] = [KEPT]
    found = []
    for gone in ("DS01_GATEWAY_SOCKET", "DS01_API_URL", "DS01_URL", "here", "login", ""):
        found.append(find(environment, lambda: logins[-1]).origin)
        environment.pop(gone, None)
        if gone == "here":
            here.unlink()
        if gone == "login":
            logins.append(None)
    assert found == [
        "DS01_GATEWAY_SOCKET",
        "DS01_API_URL",
        "DS01_URL",
        str(here),
        "ds01 login",
        "JUPYTERHUB_PUBLIC_HUB_URL",
    ]


def test_nothing_at_all_is_told_with_how_to_log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "USUAL_SOCKET", str(tmp_path / "none.sock"))
    with pytest.raises(Unavailable, match="ds01 login https"):
        find({}, lambda: None)


def test_a_token_is_not_shown_with_its_place() -> None:
    assert "secret" not in repr(LOGGED_IN)
    assert "secret" not in repr(Login("u", "secret", "alice"))
