"""A `FakeApi` on real sockets, as the gateway and the hub have it, with faults on the way.

What is asked travels as it does in a lab: HTTP on a Unix socket or on TCP, Docker's own streams.
"""

import json
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn, UnixStreamServer
from typing import Any

import httpx

from ds01_spawner.client.problems import MEDIA_TYPE, problem_of
from ds01_spawner.client.streams import STDOUT
from ds01_spawner.domain.errors import DS01Error
from fakes.api_app import FakeApi

_HUB = "/services/ds01/api"
_SECONDS = 20.0

Fault = Callable[["_Talk"], None]
"""What happens on a connection in place of an answer."""


@dataclass
class ApiServer:
    """One API at two addresses.

    Attributes:
        socket: Where the gateway's socket is.
        url: Where the hub is.
        nobody_socket: A socket with nobody behind it: who connects is refused.
        nobody_url: The same of a hub.
        shown_url: Where people take it to be.
        api: What answers.
        fault: What happens to the request of a number, from 0, in place of its answer.
        requests: Every request, in order: method and path.
        streaming: The connection of the last answer; what makes its events finds it here.
    """

    socket: Path
    url: str
    nobody_socket: Path
    nobody_url: str
    shown_url: str = ""
    api: FakeApi = field(default_factory=FakeApi)
    fault: Callable[[int], Fault | None] = field(default=lambda _number: None)
    requests: list[str] = field(default_factory=list)
    streaming: "_Talk | None" = None
    _talking: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self, api: FakeApi, fault: Callable[[int], Fault | None]) -> None:
        """Answer from another one, with other faults."""
        self.wait()
        self.api, self.fault, self.requests = api, fault, []

    def wait(self) -> None:
        """Return when nobody is connected any more."""
        deadline = time.monotonic() + _SECONDS
        while self._talking:
            assert time.monotonic() < deadline, "somebody stays connected"
            time.sleep(0.002)

    @contextmanager
    def talking(self) -> Iterator[None]:
        """While somebody is connected."""
        with self._lock:
            self._talking += 1
        try:
            yield
        finally:
            with self._lock:
                self._talking -= 1


class _Talk(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False
    server: Any

    @property
    def house(self) -> ApiServer:
        house: ApiServer = self.server.house
        return house

    def handle(self) -> None:
        with self.house.talking(), suppress(OSError):
            super().handle()

    def address_string(self) -> str:
        return ""

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        number = len(self.house.requests)
        self.house.requests.append(f"{self.command} {self.path}")
        if (fault := self.house.fault(number)) is not None:
            fault(self)
        elif self.path.startswith(("/ds01/", _HUB)):
            self._answer(body)
        else:
            self._docker(body)

    do_POST = do_DELETE = do_GET  # noqa: N815 - the names are the library's

    def says(self, status: int, content: bytes, **headers: str) -> None:
        """Answer whole."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def is_left(self) -> bool:
        """Whether the other side goes away; waits until it does."""
        self.close_connection = True
        self.connection.settimeout(_SECONDS)
        try:
            return not self.connection.recv(1)
        except ConnectionError:
            return True

    def _answer(self, body: bytes) -> None:
        path = self.path.removeprefix("/ds01").removeprefix(_HUB)
        url = f"http://fake/ds01{path}"
        asked = httpx.Request(self.command, url, headers=dict(self.headers), content=body)
        self.house.streaming = self
        told = self.house.api.answer(asked)
        if told.headers["Content-Type"] != "text/event-stream":
            self.says(told.status_code, told.read(), Content_Type=told.headers["Content-Type"])
            return
        self.close_connection = True
        self.send_response(told.status_code)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for part in told.iter_raw():
            self.wfile.write(part)

    def _docker(self, body: bytes) -> None:
        self.house.streaming = self
        if self.path.endswith("/exec"):
            self.server.house.ran = json.loads(body)["Cmd"]
            self.says(201, b'{"Id": "e1"}', Content_Type="application/json")
            return
        usual = (((STDOUT, b"done\n"),), 0)
        outputs, code = self.house.api.outputs.get(self.server.house.ran[0], usual)
        if self.path.endswith("/json"):
            said = json.dumps({"Running": False, "ExitCode": code}).encode()
            self.says(200, said, Content_Type="application/json")
            return
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        for stream, data in outputs:
            self.wfile.write(struct.pack(">BxxxI", stream, len(data)) + data)


def says(status: int, content: bytes = b"", **headers: str) -> Fault:
    """Something is answered that is not the API's."""
    return lambda talk: talk.says(status, content, **headers)


def refuses(error: DS01Error) -> Fault:
    """The API says no."""
    problem = problem_of(error, "r1")
    return says(problem.status, problem.model_dump_json().encode(), Content_Type=MEDIA_TYPE)


def hangs_up(talk: _Talk) -> None:
    """The connection ends without an answer, as when the gateway is killed."""
    talk.close_connection = True
    with suppress(OSError):
        talk.connection.shutdown(socket.SHUT_RDWR)


def is_silent(talk: _Talk) -> None:
    """There is a connection, and never an answer."""
    talk.is_left()


def interrupts(talk: _Talk) -> None:
    """Whoever waits for the answer presses Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)
    assert talk.is_left()


class _Unix(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 16


class _Tcp(ThreadingMixIn, TCPServer):
    daemon_threads = True
    request_queue_size = 16


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """An API that answers at a socket in the folder, and as if behind a hub."""
    unix, tcp = _Unix(str(folder / "ds01.sock"), _Talk), _Tcp(("127.0.0.1", 0), _Talk)
    servers: list[Any] = [unix, tcp]
    nobody = (socket.socket(socket.AF_UNIX), socket.socket())
    nobody[0].bind(str(folder / "nobody.sock"))
    nobody[1].bind(("127.0.0.1", 0))
    house = ApiServer(
        folder / "ds01.sock", _url(tcp.socket), folder / "nobody.sock", _url(nobody[1])
    )
    threads = []
    for each in servers:
        each.house = house
        thread = threading.Thread(target=each.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        threads.append(thread)
    try:
        yield house
    finally:
        for each, thread in zip(servers, threads, strict=True):
            each.shutdown()
            thread.join()
            each.server_close()
        for each in nobody:
            each.close()


def _url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"
