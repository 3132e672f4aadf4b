import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ds01_cli.main import run
from ds01_cli.ssh import by_socket
from ds01_cli.ssh.answers import refusal
from ds01_cli.ssh.by_socket import DockerLine
from ds01_cli.ssh.pump import MESSAGES, OUTPUT
from ds01_spawner.domain.errors import DS01Error, Forbidden, NoCapacity, NotFound, Unavailable

pytestmark = pytest.mark.enable_socket

ACCESS = {
    "name": "thesis",
    "user": "alice",
    "host_keys": ["ssh-ed25519 AAAA"],
    "command": ["/bin/sh", "start"],
    "started": True,
}


def frame(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def line() -> DockerLine:
    return DockerLine(socket.socket(), "thesis")


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_frames_are_told_apart_however_they_arrive(size: int) -> None:
    sent = frame(1, b"SSH-2.0-x\r\n") + frame(2, b"hm") + frame(1, b"") + frame(1, b"y" * 50)
    docker, heard = line(), list[tuple[int, bytes]]()
    for begin in range(0, len(sent), size):
        heard += docker.heard(sent[begin : begin + size])
    assert (
        b"".join(part for stream, part in heard if stream == OUTPUT)
        == (b"SSH-2.0-x\r\n" + b"y" * 50)
        or size < 4
    )
    assert b"".join(part for stream, part in heard if stream == MESSAGES) == b"hm"
    assert not docker.is_over
    assert list(docker.heard(b"")) == []
    assert docker.is_over


def test_what_is_no_ssh_server_is_said_to_be_none() -> None:
    said = list(line().heard(frame(1, b"OCI runtime exec failed: no\x1b[2J such file")))
    words = "What came instead: OCI runtime exec failed: no[2J such file"
    line_said = f"ds01: No SSH server can be started in thesis. {words}\n"
    assert said == [(MESSAGES, line_said.encode())]


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (404, {"detail": "None.", "next_step": "Make one."}, NotFound, "None. Make one."),
        (403, {"message": "No."}, Forbidden, "No."),
        (409, {"detail": "Paused"}, DS01Error, "Paused"),
        (409, {"type": "urn:ds01:problem:capacity", "detail": "Full."}, NoCapacity, "Full."),
        (503, {"detail": "Down."}, Unavailable, "Down."),
    ],
)
def test_refusals_are_the_platforms_errors(
    status: int, body: dict[str, str], kind: type[DS01Error], words: str
) -> None:
    error = refusal(status, json.dumps(body).encode())
    assert (type(error), str(error)) == (kind, words)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"detail": 5}', b"\xff"])
def test_what_is_not_the_apis_is_nobodys(body: bytes) -> None:
    assert refusal(500, body) is None


@contextmanager
def gateway(path: Path, serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A socket where one connection is served."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def one() -> None:
            client, _ = listener.accept()
            with client:
                serve(client)

        thread = threading.Thread(target=one, daemon=True)
        thread.start()
        yield str(path)
        thread.join(10)


def answered(client: socket.socket, head: str, body: bytes = b"") -> str:
    """The request's first line; answers it."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += client.recv(65536)
    client.sendall(head.encode() + body)
    return seen.split(b"\r\n")[0].decode()


def test_three_requests_on_one_connection_lead_into_a_container(tmp_path: Path) -> None:
    asked = []

    def serve(client: socket.socket) -> None:
        content = json.dumps(ACCESS).encode()
        asked.append(
            answered(client, f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n", content)
        )
        chunked = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
        asked.append(answered(client, chunked, b'5\r\n{"Id"\r\n7\r\n: "e1"}\r\n0\r\n\r\n'))
        head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\n"
        asked.append(answered(client, head, frame(1, b"SSH-2.0-y")))

    with gateway(tmp_path / "s", serve) as path:
        opened = by_socket.opened(path, "thesis")
        assert list(opened.line.early()) == [(OUTPUT, b"SSH-2.0-y")]
        assert (opened.host_keys, opened.started) == (("ssh-ed25519 AAAA",), True)
        opened.line.sock.close()
    assert asked == [
        "POST /ds01/containers/thesis/ssh HTTP/1.1",
        "POST /containers/thesis/exec HTTP/1.1",
        "POST /exec/e1/start HTTP/1.1",
    ]


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{", b"\0" * 70000],
    ids=["nothing", "no HTTP", "half an answer", "no end"],
)
def test_a_gateway_that_says_nothing_sensible_is_down(tmp_path: Path, answer: bytes) -> None:
    def serve(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(answer)

    with gateway(tmp_path / "s", serve) as path, pytest.raises(Unavailable, match="ds01-gateway"):
        by_socket.opened(path, "thesis")


def test_without_a_gateway_it_says_so_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DS01_GATEWAY_SOCKET", "/nonexistent")
    assert run(["ssh-proxy", "thesis.ds01"]) == 1
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "does not answer on /nonexistent" in told.err


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["a", "b"], 2), (["--what", "a"], 2), (["-h"], 0)]
)
def test_wrong_usage_is_told(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ssh-proxy", *arguments]) == code
    told = capsys.readouterr()
    assert "Usage: ds01 ssh-proxy" in told.out + told.err
