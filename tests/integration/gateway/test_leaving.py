"""Whoever is closed out while something of theirs is open, before a real gateway.

It has accounts and a network of the test's own, in namespaces, and no engine.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ds01_spawner.gateway.attendance import LOOK_SECONDS, LOOKS
from integration.gateway.gateway_process import GPUS, eventually
from integration.unix_people import run_folder

UID = 47091
NAME = "ds01-test-leaving"
WITHIN_SECONDS = 20.0
OWN_ACCOUNTS = 'for each in passwd shadow group; do mount --bind "$0/$each" "/etc/$each"; done'
PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
CONNECT = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
socket.send_fds(socket.socket(fileno=int(sys.argv[3])), [b"."], [connection.fileno()])
sys.stdin.read()
"""
"""The kernel says of a connection who made it, whoever has it later."""


class House:
    """A gateway, and the files that say who has an account.

    Attributes:
        folder: Where they are.
        run: The folder of its socket.
    """

    def __init__(self, folder: Path, run: Path) -> None:
        self.folder = folder
        self.run = run
        for each in ("config", "state", "etc", "home"):
            (folder / each).mkdir(mode=0o755)
        os.chown(folder / "home", UID, UID)
        (folder / "config" / "resource-limits.yaml").write_text("defaults: {}\n")
        (folder / "config" / "gpu-config.yaml").write_text(GPUS.format(seed="leaving"))
        line = f"{NAME}:x:{UID}:{UID}::{folder}/home:/bin/sh\n"
        self.write("passwd", f"{Path('/etc/passwd').read_text()}{line}")
        self.write("group", f"{Path('/etc/group').read_text()}{NAME}:x:{UID}:\n")
        self.write("shadow", f"{NAME}:*:19000:0:99999:7:::\n")

    def write(self, name: str, text: str) -> None:
        """In place: what is mounted is the file, not its name."""
        (self.folder / "etc" / name).write_text(text)
        (self.folder / "etc" / name).chmod(0o644)

    def close_out(self) -> None:
        """As `usermod --expiredate 1` does."""
        self.write("shadow", f"{NAME}:*:19000:0:99999:7::1:\n")

    def start(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "DS01_CONFIG_DIR": str(self.folder / "config"),
            "DS01_STATE_DIR": str(self.folder / "state"),
            "DS01_RUN_DIR": str(self.run),
            "DS01_GATEWAY_SOCKET": str(self.run / "docker.sock"),
            "DS01_ENGINE_SOCKET": str(self.folder / "no-engine.sock"),
        }
        own = ("unshare", "--mount", "--net", "sh", "-c", f'{OWN_ACCOUNTS}; exec "$@"')
        with (self.folder / "gateway.log").open("wb") as log:
            return subprocess.Popen(
                [*own, str(self.folder / "etc"), sys.executable, "-m", "ds01_spawner.gateway"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def takes_connections(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.run / "docker.sock")) == 0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with run_folder() as run:
        made = House(tmp_path, run)
        process = made.start()
        try:
            eventually(made.takes_connections, 30, what=(tmp_path / "gateway.log").read_text())
            yield made
        finally:
            process.terminate()
            process.wait(20)
            for each in ("docker.sock", "docker.sock.lock"):
                (run / each).unlink(missing_ok=True)


@pytest.fixture
def connect(house: House) -> Iterator[Callable[[], socket.socket]]:
    """Makes connections of the person's; the process that made them lives on."""
    made: list[tuple[subprocess.Popen[bytes], socket.socket]] = []

    def connect() -> socket.socket:
        here, there = socket.socketpair()
        process = subprocess.Popen(
            [
                *("/usr/bin/python3", "-I", "-c", CONNECT, str(house.run / "docker.sock")),
                *(str(UID), str(there.fileno())),
            ],
            stdin=subprocess.PIPE,
            pass_fds=[there.fileno()],
            cwd="/",
        )
        there.close()
        _, (handle,), _, _ = socket.recv_fds(here, 1, 1)
        here.close()
        connection = socket.socket(fileno=handle)
        connection.settimeout(30)
        made.append((process, connection))
        return connection

    yield connect
    for process, connection in made:
        connection.close()
        process.communicate(timeout=20)


def until(connection: socket.socket, text: bytes) -> None:
    said = b""
    while text not in said:
        part = connection.recv(65536)
        assert part, said
        said += part


def test_what_somebody_has_open_ends_within_20_seconds_of_their_account(
    house: House, connect: Callable[[], socket.socket]
) -> None:
    kept, silent = connect(), connect()
    end = time.monotonic() + (LOOKS + 1) * LOOK_SECONDS
    while time.monotonic() < end:  # nothing ends while they have an account
        kept.sendall(PING)  # there is no engine: 503 each time
        until(kept, b"\r\n\r\n")
        time.sleep(1)

    house.close_out()
    began = time.monotonic()
    for each in (kept, silent):
        while each.recv(65536):
            pass
    assert time.monotonic() - began < WITHIN_SECONDS
