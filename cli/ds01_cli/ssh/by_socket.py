"""The way into a container on the server: the gateway's socket, and Docker's own words on it."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ds01_cli.frame.no_api import silent
from ds01_cli.ssh.answers import Greeting, refusal
from ds01_cli.ssh.pump import MESSAGES, OUTPUT, Opened
from ds01_spawner.domain.errors import DS01Error, Unavailable

_SECONDS = 120.0
"""A container that is stopped is started before there is an answer."""

_HEAD = 8
_STREAMS = {1: OUTPUT, 2: MESSAGES}
_SWITCHED, _OK, _MULTIPLE = 101, 200, 300
_MOST_HEAD_BYTES = 64 * 1024


def opened(path: str, name: str) -> Opened:
    """A connection to the SSH server of one's own container.

    Raises:
        DS01Error: There is none; says why.
    """
    talk = _Talk(path)
    try:
        access = talk.ask("POST", f"/ds01/containers/{quote(name, safe='')}/ssh")
        body = {
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": False,
            "Cmd": access["command"],
        }
        made = talk.ask("POST", f"/containers/{quote(access['name'], safe='')}/exec", body)
        early = talk.switch(f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})
    except (OSError, LookupError, TypeError, ValueError) as exc:
        raise silent(path) from exc
    talk.sock.settimeout(None)
    line = DockerLine(talk.sock, name, early)
    return Opened(line, tuple(access["host_keys"]), bool(access["started"]))


class DockerLine:
    """An exec without a terminal: frames of 8 bytes with the stream and the size, and the data.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
    """

    def __init__(self, sock: socket.socket, name: str, early: bytes = b"") -> None:
        self.sock = sock
        self._received = early
        self.is_over = False
        self._data = bytearray()
        self._left = 0
        self._stream = OUTPUT
        self._greeting = Greeting(name)

    def said(self, data: bytes) -> bytes:
        """As it is."""
        return data

    def early(self) -> Iterator[tuple[int, bytes]]:
        """What came with the answer that began the stream."""
        if self._received:
            yield from self.heard(self._received)

    def heard(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """What has come of each frame."""
        self.is_over = not data
        self._data += data
        while self._data:
            if not self._left:
                if len(self._data) < _HEAD:
                    return
                self._stream = _STREAMS.get(self._data[0], MESSAGES)
                self._left = int.from_bytes(self._data[4:_HEAD], "big")
                del self._data[:_HEAD]
                continue
            part = bytes(self._data[: self._left])
            del self._data[: len(part)]
            self._left -= len(part)
            yield self._checked(part)

    def _checked(self, part: bytes) -> tuple[int, bytes]:
        """A part, or where the engine speaks in the program's place a sentence."""
        return self._greeting.checked(part) if self._stream == OUTPUT else (self._stream, part)

    def answer(self) -> bytes:
        """Nothing."""
        return b""

    def end(self) -> bytes:
        """Nothing: the sending side is closed."""
        self.sock.shutdown(socket.SHUT_WR)
        return b""


class _Talk:
    """HTTP on one connection, as little of it as there is between these two."""

    def __init__(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_SECONDS)
        self._data = b""
        try:
            self.sock.connect(path)
        except OSError as exc:
            raise silent(path) from exc

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The JSON that is answered.

        Raises:
            DS01Error: It is refused.
            OSError: The connection ended.
            ValueError: The answer cannot be read.
        """
        status, content = self._exchange(method, path, body, "")
        if not _OK <= status < _MULTIPLE:
            raise _error(status, content)
        found: dict[str, Any] = json.loads(content)
        return found

    def switch(self, path: str, body: Any) -> bytes:
        """What has come already of the stream that the connection is from now on."""
        headers = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
        status, content = self._exchange("POST", path, body, headers)
        if status != _SWITCHED:
            raise _error(status, content)
        early, self._data = self._data, b""
        return early

    def _exchange(self, method: str, path: str, body: Any, headers: str) -> tuple[int, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: ds01\r\nUser-Agent: ds01-cli\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self.sock.sendall(head.encode() + content)
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        said = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if status == _SWITCHED:
            return status, b""
        if said.get("transfer-encoding", "").lower() == "chunked":
            return status, self._chunks()
        return status, self._exactly(int(said.get("content-length", "0")))

    def _chunks(self) -> bytes:
        content = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            content += self._exactly(size + 2)[:-2]
        self._until(b"\r\n")
        return content

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._data:
            if len(self._data) > _MOST_HEAD_BYTES:
                raise ValueError("no end of the head")
            self._more()
        found, _, self._data = self._data.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            self._more()
        found, self._data = self._data[:size], self._data[size:]
        return found

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the gateway ended the connection")
        self._data += data


def _error(status: int, content: bytes) -> DS01Error:
    known = refusal(status, content)
    return known or Unavailable(f"The gateway answers {status}.", "Try again in a minute.")
