import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ds01_spawner.domain.errors import NotFound
from ds01_spawner.gateway.wire.call import Call, Reply
from ds01_spawner.gateway.wire.connection import Bounds
from integration.gateway.gateway_process import engine_docker, eventually
from integration.gateway.wire_server import Client, condition, reachable_folder, serving

IDLE = 500
MOST_MEMORY_MIB = 100
MOST_CPU = 0.02
WATCHED_SECONDS = 3.0
ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Process:
    """The wire as a process of its own."""

    path: Path
    pid: int

    def memory_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())


@pytest.fixture
def process() -> Iterator[Process]:
    folder = reachable_folder()
    path = folder / "wire.sock"
    running = subprocess.Popen(
        [sys.executable, "-m", "integration.gateway.wire_server", str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    )
    eventually(path.exists)
    yield Process(path, running.pid)
    running.terminate()
    running.wait(10)
    shutil.rmtree(folder)


@pytest.fixture
def container(tiny_image: str) -> Iterator[str]:
    name = f"ds01test-wire-{secrets.token_hex(4)}"
    engine_docker("run", "-di", "--name", name, tiny_image, "cat")
    yield name
    engine_docker("rm", "-f", name)


def attached(path: Path, container: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(20)
    made.connect(str(path))
    made.sendall(
        f"POST /v1.41/containers/{container}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n"
        "Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
    )
    assert made.recv(1000).startswith(b"HTTP/1.1 101 ")
    return made


def test_idle_streams_cost_next_to_nothing_and_leave_nothing(
    process: Process, container: str
) -> None:
    before = process.open_files()
    streams = [attached(process.path, container) for _ in range(IDLE)]
    try:
        began, cpu_began = time.monotonic(), process.cpu_seconds()
        time.sleep(WATCHED_SECONDS)  # an interval that is measured, not waited for
        cpu = (process.cpu_seconds() - cpu_began) / (time.monotonic() - began)
        memory = process.memory_mib()

        streams[0].sendall(b"heard\n")
        assert all(b"heard" in stream.recv(100) for stream in streams)
    finally:
        for stream in streams:
            stream.close()
    assert memory < MOST_MEMORY_MIB
    assert cpu < MOST_CPU
    eventually(lambda: process.open_files() <= before + 40, what="all connections are closed")


PIECES = (
    b"GET /v1.41/containers/json HTTP/1.1\r\n",
    b"POST /containers/create?name=x HTTP/1.1\r\n",
    b"PUT /v1.41/containers/a/archive?path=%2F HTTP/1.1\r\n",
    b"Host: docker\r\n",
    b"Content-Length: 10\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n",
    b"Expect: 100-continue\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"ffffffff\r\n",
    b'{"Image":"x"}',
    b"\x00" * 40,
    b"%2e%2e/%00/",
)


def mangled(chance: random.Random) -> bytes:
    """A request, or something like one."""
    data = bytearray(b"".join(chance.choices(PIECES, k=chance.randrange(1, 10))))
    if chance.random() < 0.8:
        data[:0] = PIECES[chance.randrange(3)] + PIECES[3]
    for _ in range(chance.choice((0, 0, 1, 3))):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(2)] = bytes([chance.randrange(256)])
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_sent_is_answered_or_the_connection_ends(seed: int) -> None:
    chance = random.Random(seed)

    async def dispatch(_endpoint: str | None, call: Call, reply: Reply) -> None:
        content = await call.body.read(100)
        if call.parts:
            raise NotFound("No such container")
        await reply.json({"length": len(content)})

    bounds = Bounds(head_seconds=0.2, idle_seconds=0.2, silence_seconds=0.2, linger_seconds=0.2)
    async with serving(dispatch, bounds=bounds) as (path, server):
        for _ in range(80):
            data = mangled(chance)
            client = Client(path)
            await client.send(data)
            if chance.random() < 0.8:
                client.end()
            told = await client.rest()
            client.close()
            statuses = [int(part[:3]) for part in told.split(b"HTTP/1.1 ")[1:]]
            assert all(status < 500 for status in statuses), (data, told)
        await condition(lambda: server.connections == 0)
