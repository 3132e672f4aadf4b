import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from ds01_cli.frame import session
from ds01_cli.main import run
from ds01_cli.own.login import hub_of
from ds01_spawner.client.logins import Login, keep_login, read_login
from ds01_spawner.client.places import Place
from ds01_spawner.client.problems import Unauthenticated
from ds01_spawner.domain.errors import Unavailable
from fakes.program import invoke, said

TOKEN = "0123456789abcdef"
HUB = "https://hub.example.org/"


class Hub:
    """What the hub says of tokens."""

    def __init__(self) -> None:
        self.asked: list[Place] = []
        self.error: Exception | None = None

    def me(self) -> SimpleNamespace:
        if self.error is not None:
            raise self.error
        return SimpleNamespace(user="alice")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    found = Hub()

    @contextmanager
    def connect(place: object) -> Iterator[Hub]:
        assert callable(place)
        found.asked.append(place())
        yield found

    monkeypatch.setattr(session, "connect", connect)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{TOKEN}\n"))
    monkeypatch.setenv("DS01_USER_CONFIG_DIR", str(tmp_path / "config"))
    for name in ("DS01_GATEWAY_SOCKET", "DS01_API_URL", "DS01_URL"):
        monkeypatch.delenv(name, raising=False)
    return found


def test_a_token_that_the_hub_knows_is_kept(hub: Hub, tmp_path: Path) -> None:
    text = said("login", HUB, "--token-stdin", stdin=f"{TOKEN}\n")
    assert f"You are logged in to {HUB} as alice." in text
    assert TOKEN not in text
    assert read_login() == Login(HUB, TOKEN, "alice")
    assert stat.S_IMODE((tmp_path / "config/login.json").stat().st_mode) == 0o600
    assert hub.asked[0].address == f"{HUB}services/ds01/api/"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (Unauthenticated("x"), 3, "does not know this token"),
        (Unavailable("The hub cannot be reached."), 1, "cannot be reached"),
    ],
)
def test_one_that_it_does_not_know_is_not(
    hub: Hub, error: Exception, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.error = error
    assert run(["login", HUB, "--token-stdin"]) == code
    shown = capsys.readouterr()
    assert words in shown.err
    assert TOKEN not in shown.out + shown.err
    assert read_login() is None


@pytest.mark.parametrize("token", ["", "\n", "two words\n", "tök€n\n", "a\x1b[2J\n"])
def test_what_is_no_token_is_not_sent(
    hub: Hub, token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(token))
    assert run(["login", HUB, "--token-stdin"]) == 3
    assert f"Copy it again from {HUB}hub/token." in capsys.readouterr().err
    assert hub.asked == []


def test_without_a_terminal_the_flag_is_named(hub: Hub) -> None:
    result = invoke("login", HUB)
    assert result.exit_code == 2
    assert "--token-stdin" in result.output
    assert hub.asked == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("hub.example.org", "https://hub.example.org"),
        ("https://hub.example.org/hub/home", "https://hub.example.org"),
        ("https://hub.example.org/base/user/ana/lab?x#y", "https://hub.example.org/base"),
        ("https://hub.example.org/base/", "https://hub.example.org/base"),
        ("http://127.0.0.1:8000/hub/token", "http://127.0.0.1:8000"),
    ],
)
def test_the_address_may_be_copied_from_the_browser(typed: str, meant: str) -> None:
    assert hub_of(typed) == meant


@pytest.mark.parametrize(
    "url", ["http://hub.example.org", "ftp://hub.example.org", "https://a:b@hub.example.org", "//"]
)
def test_an_address_that_cannot_be_used_is_said_before_a_token_is_asked_for(
    hub: Hub, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["login", url]) == 3
    assert capsys.readouterr().err.startswith("ds01: ")
    assert hub.asked == []


def test_what_goes_before_the_login_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub
    monkeypatch.setenv("DS01_URL", "https://other.example.org")
    monkeypatch.setenv("DS01_TOKEN", "t")
    result = invoke("login", HUB, "--token-stdin", stdin=TOKEN)
    assert "DS01_URL goes before your login" in result.stderr


def test_logout_forgets_and_says_what_it_cannot(hub: Hub) -> None:
    assert hub
    assert said("logout") == "You are not logged in: there is nothing to forget.\n"
    keep_login(Login(HUB, TOKEN, "alice"))
    text = said("logout")
    assert f"You are logged out of {HUB}" in text
    assert f"{HUB}hub/token" in text
    assert read_login() is None


def test_logout_removes_a_damaged_login(hub: Hub, tmp_path: Path) -> None:
    assert hub
    (tmp_path / "config").mkdir()
    (tmp_path / "config/login.json").write_text("{")
    assert said("logout") == "The login is forgotten.\n"
    assert read_login() is None
