import http.server
import threading
from collections.abc import Iterator

import pytest

from ds01_spawner.adapters.bounded_http import Answer, Bounds, NoAnswer, get

LONG = b"[" + b" " * 200_000 + b"]"


class Server(http.server.BaseHTTPRequestHandler):
    """Sends its headers, and the body after them."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.wfile.write(LONG)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield "127.0.0.1", server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_body_that_comes_after_its_headers_is_read(address: tuple[str, int]) -> None:
    assert get(address, "/", {}, Bounds(5.0)) == Answer(200, LONG)


def test_a_body_that_is_too_long_is_none(address: tuple[str, int]) -> None:
    with pytest.raises(NoAnswer, match="more than 1000 bytes"):
        get(address, "/", {}, Bounds(5.0, body_bytes=1000))
