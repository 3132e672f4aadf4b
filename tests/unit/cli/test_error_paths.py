"""Every command that asks the API, where there is none: one line, what next, an exit code."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ds01_cli.events import events
from ds01_cli.gpu import reading
from ds01_cli.main import run
from ds01_spawner.client import places

pytestmark = pytest.mark.enable_socket

ASKING = [
    ["check-limits"],
    ["check-limits", "--json"],
    ["why"],
    ["why", "thesis"],
    ["notices"],
    ["extend", "thesis"],
    ["extend"],
    ["gpu", "status"],
    ["gpu", "queue", "--json"],
    ["events"],
]


class Trouble:
    """What is wrong.

    Attributes:
        status: What a hub answers; 0 is that there is none.
        environment: Beside its address.
        code: What the command exits with.
        words: What it says, and what next.
    """

    def __init__(self, status: int, environment: Mapping[str, str], code: int, *words: str) -> None:
        self.status = status
        self.environment = environment
        self.code = code
        self.words = words


SOCKET = {"DS01_GATEWAY_SOCKET": "/nonexistent/socket"}
TOKEN = {"DS01_TOKEN": "secret-token"}
TROUBLES = {
    "gateway down": Trouble(0, SOCKET, 1, "does not answer on /nonexistent", "ds01-gateway"),
    "hub down": Trouble(0, TOKEN, 1, "cannot be reached", "VPN"),
    "token expired": Trouble(401, TOKEN, 3, "expired, or was revoked", "hub/token"),
    "gateway down behind the hub": Trouble(503, TOKEN, 1, "its gateway does not", "Try again"),
    "not such a hub": Trouble(404, TOKEN, 1, "there is no DS01", "browser"),
    "a login page instead": Trouble(302, TOKEN, 1, "there is no DS01", "browser"),
    "no token": Trouble(401, {}, 1, "nothing says who asks", "DS01_TOKEN"),
    "no gateway, no login": Trouble(-1, {}, 1, "There is no gateway here", "ds01 login"),
}


@contextmanager
def hub(status: int) -> Iterator[str]:
    """The address of a hub that answers everything so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        if status:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            try:
                yield address
            finally:
                server.shutdown()
                thread.join()
            return
    yield address


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer that is not the server."""
    for name in ("DS01_GATEWAY_SOCKET", "DS01_API_URL", "DS01_URL", "DS01_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DS01_USER_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(places, "USUAL_SOCKET", "/nonexistent/usual")
    for module in (reading, events):
        monkeypatch.setattr(module, "platform_is_open", lambda: False)
    monkeypatch.setattr(events, "event_log", lambda: Path("/nonexistent/events"))


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_trouble_is_one_line_with_what_next(
    arguments: list[str],
    trouble: Trouble,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in trouble.environment.items():
        monkeypatch.setenv(name, value)
    with hub(max(trouble.status, 0)) as address:
        if trouble.status >= 0:
            monkeypatch.setenv("DS01_URL", address)
        assert run(arguments) == trouble.code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert shown.err.startswith("ds01: ")
    for word in trouble.words:
        assert word in shown.err
    assert "secret" not in shown.err


def test_an_interrupt_exits_130_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("ds01_cli.frame.session.find", interrupted)
    monkeypatch.setattr("ds01_cli.frame.session.connect", interrupted)
    assert run(["check-limits"]) == 130
    assert "Traceback" not in capsys.readouterr().err
