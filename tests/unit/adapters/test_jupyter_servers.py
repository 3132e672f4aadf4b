import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ds01_spawner.adapters.bounded_http import NoAnswer
from ds01_spawner.adapters.jupyter_servers import (
    LONGEST_START,
    DirectJupyterServers,
    sample_of,
)
from ds01_spawner.domain.activity import JupyterSample
from ds01_spawner.domain.container import Container
from fakes.engine import FakeEngine
from fakes.facts import container

pytestmark = pytest.mark.enable_socket

TOKEN = "0123456789abcdef"
EIGHT = "2026-01-31T08:00:00.000000Z"
NINE = "2026-01-31T09:00:00.000000Z"
NOW = datetime(2026, 1, 31, 8, 1, tzinfo=UTC)
Behaviour = Callable[[socket.socket, str], None]


def kernel(state: str = "idle", last: str = EIGHT, connections: int = 0) -> dict[str, Any]:
    return {"execution_state": state, "last_activity": last, "connections": connections}


def answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} Any", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


class Server:
    """A single-user server as hostile as a test wants it.

    Attributes:
        pages: What it answers to each path.
        behaviour: What it does instead.
        asked: The head of every request.
    """

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.behaviour: Behaviour | None = None
        self.asked: list[str] = []
        self.says([], [])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def says(self, kernels: object, terminals: object) -> None:
        self.pages = {
            f"/user/alice/api/{name}?no_track_activity=1": answer(200, json.dumps(said).encode())
            for name, said in (("kernels", kernels), ("terminals", terminals))
        }

    def answers(self, name: str, status: int, body: bytes = b"", *headers: str) -> None:
        self.pages[f"/user/alice/api/{name}?no_track_activity=1"] = answer(status, body, *headers)

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def drip(self, connection: socket.socket, data: bytes) -> None:
        """One byte, and another, until somebody hangs up."""
        while not self._over.wait(0.02):
            connection.sendall(data)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = connection.recv(65536).decode()
            if not head:
                return
            self.asked.append(head)
            path = head.split()[1]
            if self.behaviour is not None:
                self.behaviour(connection, path)
            else:
                connection.sendall(self.pages.get(path, answer(404, b"")))


class Lab:
    """Servers, and the engine that knows their tokens."""

    def __init__(self, until_the_end: ExitStack) -> None:
        self.engine = FakeEngine()
        self._until_the_end = until_the_end

    def server(self, user: str = "alice") -> tuple[Server, Container]:
        server = Server()
        self._until_the_end.callback(server.close)
        shown = replace(container(user), addresses={f"ds01-{user}": "127.0.0.1"})
        self.engine.put(shown)
        self.engine.environments[shown.id] = {
            "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:{server.port}/user/alice/",
            "JUPYTERHUB_SERVICE_PREFIX": "/user/alice/",
            "JUPYTERHUB_API_TOKEN": TOKEN,
        }
        return server, shown

    def environments_asked(self) -> int:
        return sum(method == "environment" for method, _ in self.engine.calls)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with ExitStack() as until_the_end:
        yield Lab(until_the_end)


@pytest.fixture
def servers(lab: Lab) -> DirectJupyterServers:
    return DirectJupyterServers(lab.engine, request_seconds=0.3, look_seconds=2.0)


def test_kernels_and_terminals_are_told(lab: Lab, servers: DirectJupyterServers) -> None:
    server, alice = lab.server()
    server.says(
        [kernel("busy", EIGHT, 2), kernel("idle", NINE, 1)],
        [{"name": "1", "last_activity": EIGHT}],
    )
    assert servers.look([alice]) == {
        alice.id: JupyterSample(
            busy_kernels=1,
            connections=3,
            kernels_active_at=datetime(2026, 1, 31, 9, tzinfo=UTC),
            terminals_active_at=datetime(2026, 1, 31, 8, tzinfo=UTC),
        )
    }


def test_asks_with_the_servers_own_token_and_leaves_no_activity(
    lab: Lab, servers: DirectJupyterServers
) -> None:
    server, alice = lab.server()
    servers.look([alice])
    assert [head.splitlines()[0] for head in server.asked] == [
        "GET /user/alice/api/kernels?no_track_activity=1 HTTP/1.1",
        "GET /user/alice/api/terminals?no_track_activity=1 HTTP/1.1",
    ]
    assert all(f"Authorization: token {TOKEN}" in head for head in server.asked)


@pytest.mark.parametrize(
    ("state", "busy"),
    [
        ("idle", 0),
        ("dead", 0),
        ("busy", 1),
        ("starting", 1),
        ("restarting", 1),
        ("autorestarting", 1),
        ("levitating", 1),
    ],
)
def test_whatever_is_not_idle_or_dead_is_busy(state: str, busy: int) -> None:
    assert sample_of([kernel(state)], [], NOW).busy_kernels == busy


@pytest.mark.parametrize(
    ("connections", "later", "busy"),
    [(0, timedelta(0), 1), (0, LONGEST_START, 0), (1, LONGEST_START, 1)],
)
def test_a_kernel_that_nobody_ever_connected_to_does_not_start_for_ever(
    connections: int, later: timedelta, busy: int
) -> None:
    kernels = [kernel("starting", connections=connections)]
    assert sample_of(kernels, [], NOW + later).busy_kernels == busy


def test_a_server_without_kernels_and_terminals_says_so() -> None:
    assert sample_of([], [], NOW) == JupyterSample()


def test_a_server_with_terminals_disabled_has_none(lab: Lab, servers: DirectJupyterServers) -> None:
    server, alice = lab.server()
    server.says([kernel()], [])
    server.answers("terminals", 404)
    assert servers.look([alice])[alice.id].terminals_active_at is None


@pytest.mark.parametrize(
    ("kernels", "terminals"),
    [
        ({}, []),
        (None, []),
        (["kernel"], []),
        ([{}], []),
        ([kernel() | {"execution_state": None}], []),
        ([kernel() | {"connections": "2"}], []),
        ([kernel() | {"connections": True}], []),
        ([kernel() | {"connections": -1}], []),
        ([kernel(last="yesterday")], []),
        ([kernel(last="0001-01-01T00:00:00+23:59")], []),
        ([kernel() | {"last_activity": 12}], []),
        ([], {}),
        ([], None),
        ([], [{"name": "1"}]),
    ],
)
def test_wrong_types_are_no_answer(kernels: object, terminals: object) -> None:
    with pytest.raises(NoAnswer):
        sample_of(kernels, terminals, NOW)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (404, b"", ()),
        (403, b'{"message": "Forbidden"}', ()),
        (500, b"", ()),
        (200, b"<html>", ()),
        (200, b"null", ()),
        (200, b"[" * 100_000, ()),
        (200, b"[" + b" " * 1024**2 + b"]", ()),
        (200, b"[" + b"9" * 10_000 + b"]", ()),
        (200, b"[]", tuple(f"X-{number}: y" for number in range(200))),
        (200, b"[]", ("X: " + "y" * 100_000,)),
    ],
    ids=["404", "403", "500", "html", "null", "deep", "huge", "digits", "headers", "header"],
)
def test_what_is_no_list_of_kernels_leaves_the_server_out(
    lab: Lab, servers: DirectJupyterServers, status: int, body: bytes, headers: tuple[str, ...]
) -> None:
    server, alice = lab.server()
    server.answers("kernels", status, body, *headers)
    assert servers.look([alice]) == {}


def test_a_redirect_is_not_followed(lab: Lab, servers: DirectJupyterServers) -> None:
    server, alice = lab.server()
    other, _ = lab.server("bob")
    server.answers("kernels", 302, b"", f"Location: http://127.0.0.1:{other.port}/user/alice/")
    assert servers.look([alice]) == {}
    assert other.asked == []


def test_no_proxy_of_the_environment_is_asked(
    lab: Lab, servers: DirectJupyterServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, alice = lab.server()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert alice.id in servers.look([alice])


def test_hostile_servers_cost_no_more_than_their_deadline_and_nobody_else_anything(
    lab: Lab, servers: DirectJupyterServers
) -> None:
    hostile: list[Container] = []
    head = b"HTTP/1.1 200 OK\r\n"
    for number, data in enumerate(
        (b"", b"H", b"X: y\r\n", b"Content-Length: 9999999999999\r\n\r\n[", b"0")
    ):
        server, shown = lab.server(f"mallory-{number}")

        def behave(
            connection: socket.socket, _path: str, server: Server = server, data: bytes = data
        ) -> None:
            connection.sendall(b"" if data in {b"", b"H"} else head)
            server.drip(connection, data)

        server.behaviour = behave
        hostile.append(shown)
    _, alice = lab.server()
    began = time.monotonic()
    assert set(servers.look([*hostile, alice])) == {alice.id}
    assert time.monotonic() - began < 1.0


def test_an_endless_body_is_cut(lab: Lab) -> None:
    server, mallory = lab.server("mallory")
    sent = 0

    def behave(connection: socket.socket, _path: str) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
            sent += 65536

    server.behaviour = behave
    patient = DirectJupyterServers(lab.engine, request_seconds=20)
    assert patient.look([mallory]) == {}
    assert sent < 16 * 1024**2


def test_when_the_time_is_up_the_rest_is_left_out_and_the_silent_are_asked_last(
    lab: Lab,
) -> None:
    hung = [lab.server(f"mallory-{number}") for number in range(4)]
    for server, _ in hung:
        server.behaviour = lambda connection, _path, server=server: server.drip(connection, b"")
    _, alice = lab.server()
    one_at_a_time = DirectJupyterServers(
        lab.engine, request_seconds=0.2, look_seconds=0.5, threads=1
    )
    everybody = [*(shown for _, shown in hung), alice]
    began = time.monotonic()
    assert one_at_a_time.look(everybody) == {}
    assert time.monotonic() - began < 1.0
    assert set(one_at_a_time.look(everybody)) == {alice.id}


def answers_after(server: Server, seconds: float) -> None:
    """It answers validly, and takes its time."""

    def late(connection: socket.socket, path: str) -> None:
        server._over.wait(seconds)
        connection.sendall(server.pages[path])

    server.behaviour = late


def test_servers_that_answer_late_take_nothing_from_those_that_answer_at_once(lab: Lab) -> None:
    late = [lab.server(f"mallory-{number}") for number in range(8)]
    for server, _ in late:
        answers_after(server, 0.1)
    honest = [lab.server(f"alice-{number}")[1] for number in range(3)]
    one_at_a_time = DirectJupyterServers(
        lab.engine, request_seconds=0.3, look_seconds=0.5, threads=1
    )
    everybody = [*(shown for _, shown in late), *honest]
    expected = {shown.id for shown in honest}
    looks = 1
    while not expected <= set(one_at_a_time.look(everybody)):
        looks += 1
        assert looks < 8
    for _ in range(3):
        assert expected <= set(one_at_a_time.look(everybody))


def test_whoever_answers_at_once_and_late_in_turns_is_asked_late(lab: Lab) -> None:
    mallory = [lab.server(f"mallory-{number}") for number in range(4)]
    honest, alice = lab.server()
    answers_after(honest, 0.02)
    one_at_a_time = DirectJupyterServers(
        lab.engine, request_seconds=0.3, look_seconds=0.5, threads=1
    )
    everybody = [*(shown for _, shown in mallory), alice]
    for seconds in (0.1, 0.1, 0.1, 0.1, 0.0, 0.0, 0.1):
        for server, _ in mallory:
            answers_after(server, seconds)
        found = set(one_at_a_time.look(everybody))
    assert alice.id in found


def test_whom_the_end_of_the_look_cuts_off_is_not_taken_for_silent(lab: Lab) -> None:
    server, alice = lab.server()
    answers_after(server, 0.2)
    servers = DirectJupyterServers(lab.engine, request_seconds=5.0, look_seconds=0.1)
    assert servers.look([alice]) == {}
    assert not servers._silent


def test_the_environment_is_looked_up_once_and_again_after_a_failure(
    lab: Lab, servers: DirectJupyterServers
) -> None:
    server, alice = lab.server()
    for _ in range(3):
        assert servers.look([alice])
    assert lab.environments_asked() == 1

    server.answers("kernels", 500)
    servers.look([alice])
    server.says([], [])
    assert servers.look([alice])
    assert lab.environments_asked() == 2


def test_another_run_is_asked_at_its_own_address(lab: Lab, servers: DirectJupyterServers) -> None:
    server, alice = lab.server()
    servers.look([alice])
    moved = replace(alice, addresses={"ds01-alice": "127.0.0.1", "other": "192.0.2.1"})
    assert servers.look([moved])
    assert len(server.asked) == 4
    assert servers.look([replace(alice, addresses={})]) == {}
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"JUPYTERHUB_API_TOKEN": None},
        {"JUPYTERHUB_API_TOKEN": ""},
        {"JUPYTERHUB_API_TOKEN": f"{TOKEN}\r\nX: y"},
        {"JUPYTERHUB_API_TOKEN": f"{TOKEN}\N{SNOWMAN}"},
        {"JUPYTERHUB_SERVICE_PREFIX": "user"},
        {"JUPYTERHUB_SERVICE_PREFIX": "/user/a b/"},
        {"JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:port/"},
        {"JUPYTERHUB_SERVICE_URL": "https://0.0.0.0:8888/"},
    ],
    ids=["none", "empty", "injection", "unicode", "relative", "space", "port", "tls"],
)
def test_an_environment_that_makes_no_sense_leaves_the_server_out_and_the_token_unsaid(
    lab: Lab,
    servers: DirectJupyterServers,
    change: dict[str, str | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, alice = lab.server()
    merged = {**lab.engine.environments[alice.id], **change}
    lab.engine.environments[alice.id] = {
        name: value for name, value in merged.items() if value is not None
    }
    with caplog.at_level(logging.DEBUG):
        assert servers.look([alice]) == {}
    assert "does not answer" in caplog.text
    assert TOKEN not in caplog.text


def test_a_silent_server_is_told_once(
    lab: Lab, servers: DirectJupyterServers, caplog: pytest.LogCaptureFixture
) -> None:
    server, alice = lab.server()
    server.answers("kernels", 403)
    with caplog.at_level(logging.INFO):
        servers.look([alice])
        servers.look([alice])
    (record,) = caplog.records
    assert record.getMessage() == (
        "jupyter._.alice: its Jupyter server does not answer: api/kernels answers 403"
    )


def test_an_engine_that_does_not_answer_leaves_its_servers_out(
    lab: Lab, servers: DirectJupyterServers
) -> None:
    _, alice = lab.server()
    lab.engine.stuck = True
    assert servers.look([alice]) == {}


def test_nobody_is_asked_of_nothing(servers: DirectJupyterServers) -> None:
    assert servers.look([]) == {}


def test_a_token_is_in_no_representation(lab: Lab, servers: DirectJupyterServers) -> None:
    _, alice = lab.server()
    servers.look([alice])
    assert TOKEN not in repr(servers._servers)
