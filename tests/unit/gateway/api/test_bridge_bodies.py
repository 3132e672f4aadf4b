"""What the API on the socket says of bodies that it cannot take."""

import json
import socket
from pathlib import Path

import pytest

from fakes.api_socket import api_socket

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]

HEAD = b"POST /ds01/ssh-keys HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("rest", "status", "words"),
    [
        pytest.param(b"Content-Length: 1048577\r\n\r\n", 413, "larger than 1 MiB", id="large"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "chunk", id="broken-chunks"),
        pytest.param(b"Content-Length: 10\r\n\r\n{", 400, "did not come", id="stalled"),
    ],
)
def test_each_fault_of_a_body_has_its_own_words(
    tmp_path: Path, rest: bytes, status: int, words: str
) -> None:
    with api_socket(tmp_path, silence_seconds=0.2) as (_lab, path, _who):
        problem = _asked(path, HEAD + rest)
    assert (problem["status"], words in str(problem["detail"])) == (status, True), problem


def _asked(path: Path, request: bytes) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(request)
        answer = b""
        while b'"detail"' not in answer or not answer.endswith(b"}"):
            part = client.recv(65536)
            assert part, answer
            answer += part
    return dict(json.loads(answer.partition(b"\r\n\r\n")[2]))
