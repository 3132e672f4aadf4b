"""Alice takes all that she can get; bob's docker answers all the same."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path

import pytest

from integration.gateway.escape_lab import Scene
from integration.gateway.people import Person

CONNECTIONS = 600
SLOW = 200
WAITING = 50
LONGEST_LIST = 10.0
LONGEST_RUN = 40.0
MOST_MORE_BYTES = 400 * 1024**2
LARGE = 4 * 1024**2 - 1024


def connected(path: Path) -> socket.socket | None:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        return None
    return client


def sends(client: socket.socket | None, content: bytes) -> None:
    if client is not None:
        with suppress(OSError):
            client.sendall(content)


def head(length: int) -> bytes:
    return (
        "POST /v1.41/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def idle(path: Path, is_over: Callable[[], bool]) -> None:
    """Connections, some with half a request."""
    clients = [connected(path) for _ in range(CONNECTIONS)]
    for number, client in enumerate(clients):
        sends(client, b"GET /v1.41/containers/json HT" if number % 2 else b"")
    while not is_over():
        time.sleep(0.05)


def slow(path: Path, is_over: Callable[[], bool]) -> None:
    """Requests whose bodies come byte by byte."""
    clients = [connected(path) for _ in range(SLOW)]
    for client in clients:
        sends(client, head(LARGE) + b"{")
    while not is_over():
        for client in clients:
            sends(client, b" ")
        time.sleep(0.1)


def large(path: Path, is_over: Callable[[], bool]) -> None:
    """Bodies as long and as full as are read, one after the other."""
    body = b'{"Image":"x","Env":[' + b'"a=b",' * 45_000 + b'"a=b"]}'
    while not is_over():
        clients = [connected(path) for _ in range(16)]
        for client in clients:
            sends(client, head(len(body)) + body)
        for client in clients:
            if client is not None:
                with suppress(OSError):
                    client.recv(1000)
                client.close()


def held(path: Path, is_over: Callable[[], bool]) -> None:
    """Long bodies that are all there but for the end."""
    clients = [connected(path) for _ in range(SLOW)]
    for client in clients:
        sends(client, head(LARGE) + b" " * (LARGE - 1))
    while not is_over():
        time.sleep(0.05)


def waiting(path: Path, is_over: Callable[[], bool]) -> None:
    """Containers that wait for a GPU slot that nobody gives back."""
    body = json.dumps(
        {
            "Image": "ds01test/busybox:latest",
            "Labels": {"ds01.gpu": "2g.10gb", "ds01.wait": "1h"},
            "HostConfig": {"DeviceRequests": [{"Count": 1, "Capabilities": [["gpu"]]}]},
        }
    ).encode()
    clients = [connected(path) for _ in range(WAITING)]
    for client in clients:
        sends(client, head(len(body)) + body)
    while not is_over():
        time.sleep(0.05)


@contextmanager
def meanwhile(person: Person, deed: Callable[[Path, Callable[[], bool]], None]) -> Iterator[None]:
    """While somebody does that."""
    context = get_context("fork")
    began, over = context.Event(), context.Event()

    def going() -> None:
        began.set()
        deed(person.socket, over.is_set)

    thread = threading.Thread(target=person.run, args=(going,))
    thread.start()
    try:
        assert began.wait(20)
        yield
    finally:
        over.set()
        thread.join(60)
    assert not thread.is_alive()


def resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


@pytest.mark.timeout(280)
@pytest.mark.parametrize("deed", [idle, slow, large, held, waiting], ids=lambda deed: deed.__name__)
def test_bob_is_served_whatever_alice_does(
    scene: Scene, deed: Callable[[Path, Callable[[], bool]], None]
) -> None:
    alice, bob, gateway = scene.attacker, scene.victim, scene.gateway
    names = [bob.named("holds-a"), bob.named("holds-b")] if deed is waiting else []
    for name in names:
        bob.docker(
            *("create", "--gpus", "1", "--label", "ds01.gpu=2g.10gb", "--name", name),
            *(scene.image, "true"),
        )
    before = resident_bytes(gateway.pid)
    most = 0
    try:
        with meanwhile(alice, deed):
            for _ in range(5):
                began = time.monotonic()
                assert bob.docker("ps", "-q")
                assert time.monotonic() - began < LONGEST_LIST
                most = max(most, resident_bytes(gateway.pid))
                time.sleep(0.3)
            began = time.monotonic()
            assert bob.docker("run", "--rm", scene.image, "echo", "here") == "here"
            assert time.monotonic() - began < LONGEST_RUN
            most = max(most, resident_bytes(gateway.pid))
    finally:
        for name in names:
            bob.try_docker("rm", "-f", name)

    assert most - before < MOST_MORE_BYTES, f"{(most - before) >> 20} MiB more"
    assert alice.docker("ps", "-q")
