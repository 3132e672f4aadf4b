"""One request at a time over a Unix socket, as somebody writes it by hand."""

import json
import socket
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

_SECONDS = 30


@dataclass(frozen=True)
class Told:
    """One answer."""

    status: int
    body: str

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["message"])

    @property
    def value(self) -> Any:
        return json.loads(self.body)


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(str(self._path))


def ask(path: Path, method: str, target: str, body: Any = None) -> Told:
    """The answer to one request; `body` is bytes, or what is sent as JSON."""
    connection = _UnixConnection(path)
    try:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        connection.request(method, target, content, {"Content-Type": kind} if content else {})
        answer = connection.getresponse()
        return Told(answer.status, answer.read(1_000_000).decode(errors="replace"))
    finally:
        connection.close()
