"""Ports and sockets through SSH, as editors use them."""

import secrets
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from integration.gateway.gateway_process import eventually
from integration.ports import free_port
from integration.ssh.house import Seat

pytestmark = pytest.mark.timeout(240, func_only=True)

SERVER = """
import socket, sys
s = socket.socket(socket.AF_UNIX if sys.argv[1].startswith("/") else socket.AF_INET)
s.bind(sys.argv[1] if sys.argv[1].startswith("/") else ("127.0.0.1", int(sys.argv[1])))
s.listen(); print("listens", flush=True)
while True:
    c, _ = s.accept(); c.sendall(b"hello from inside"); c.close()
"""


@contextmanager
def connected(
    seat: Seat, host: str, *options: str, command: str
) -> Iterator[subprocess.Popen[bytes]]:
    session = seat.popen(*options, "-o", "ExitOnForwardFailure=yes", host, command)
    try:
        yield session
    finally:
        session.kill()
        session.communicate()


def said_by(address: tuple[str, int]) -> bytes:
    with socket.socket() as client:
        client.settimeout(20)
        client.connect(address)
        return client.recv(100)


def through_socks(port: int, wanted: int) -> bytes:
    """What a port of the container says, by SOCKS 5 (RFC 1928)."""
    with socket.socket() as client:
        client.settimeout(20)
        client.connect(("127.0.0.1", port))
        client.sendall(b"\x05\x01\x00")
        assert client.recv(2) == b"\x05\x00"
        client.sendall(
            b"\x05\x01\x00\x01" + socket.inet_aton("127.0.0.1") + struct.pack(">H", wanted)
        )
        assert client.recv(10)[1] == 0
        return client.recv(100)


def inside(place: str) -> str:
    return f"python3 -u -c '{SERVER}' {place}"


def wait_for(session: subprocess.Popen[bytes], word: bytes) -> None:
    assert session.stdout is not None
    line = session.stdout.readline()
    assert line.startswith(word), (line, session.stderr.read() if session.stderr else b"")


def test_a_port_of_the_container_is_reached_from_here(way: Seat, host: str) -> None:
    here, there = free_port(), free_port()
    option = f"127.0.0.1:{here}:localhost:{there}"
    with connected(way, host, "-L", option, command=inside(str(there))) as session:
        wait_for(session, b"listens")
        assert said_by(("127.0.0.1", here)) == b"hello from inside"


def test_a_socket_of_the_container_is_reached_from_here(way: Seat, host: str) -> None:
    here, place = free_port(), f"/tmp/{secrets.token_hex(4)}.sock"
    option = f"127.0.0.1:{here}:{place}"
    with connected(way, host, "-L", option, command=inside(place)) as session:
        wait_for(session, b"listens")
        assert said_by(("127.0.0.1", here)) == b"hello from inside"


def test_a_port_here_is_reached_from_the_container(way: Seat, host: str) -> None:
    there = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            client.sendall(b"hello from outside")
            client.close()

        threading.Thread(target=serve, daemon=True).start()
        option = f"127.0.0.1:{there}:localhost:{server.getsockname()[1]}"
        script = (
            'import socket; s = socket.create_connection(("127.0.0.1", %d)); print(s.recv(100))'
        )
        with connected(
            way, host, "-R", option, command=f"python3 -c '{script % there}'"
        ) as session:
            wait_for(session, b"b'hello from outside'")


def test_vscode_shakes_hands(way: Seat, host: str) -> None:
    """It starts `ssh -T -D PORT HOST bash -s`, sends a script, and goes to what that started."""
    socks, there = free_port(), free_port()
    session = way.popen("-T", "-D", f"127.0.0.1:{socks}", host, "bash", "-s")
    try:
        assert session.stdin is not None
        session.stdin.write(
            f"echo uuid: $(id -un)\n{inside(str(there))} &\nwait\n".encode(),
        )
        session.stdin.flush()
        wait_for(session, f"uuid: {way.person.name}".encode())
        wait_for(session, b"listens")
        assert through_socks(socks, there) == b"hello from inside"
    finally:
        session.kill()
        session.communicate()


def test_what_a_session_started_ends_with_the_container_not_with_the_session(
    way: Seat, host: str
) -> None:
    name = secrets.token_hex(4)
    done = way.ssh(host, f"setsid sh -c 'sleep 77; : {name}' >/dev/null 2>&1 </dev/null & echo ok")
    assert done.out == "ok\n"
    top = way.person.docker("top", host.removesuffix(".ds01"), "-o", "pid,args")
    assert name in top
    way.person.docker("exec", host.removesuffix(".ds01"), "pkill", "-f", name)
    eventually(
        lambda: name not in way.person.docker("top", host.removesuffix(".ds01"), "-o", "pid,args")
    )
