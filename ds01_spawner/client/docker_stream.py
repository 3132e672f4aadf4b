"""Sessions on the server, through the Docker door of the gateway's socket."""

import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from ds01_spawner.client.problems import Unreachable, error_by_status
from ds01_spawner.client.streams import STDERR, STDOUT, Session, Wanted
from ds01_spawner.domain.errors import DS01Error, Unavailable

PIECE_BYTES = 64 * 1024
_DOOR = "http://localhost"
_CONNECT_SECONDS = 10.0
_BEGIN_SECONDS = 60.0
_END_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_HEAD_BYTES = 8
_MOST_HEAD_BYTES = 64 * 1024


def on_socket(http: httpx.Client, path: str, container_id: str, wanted: Wanted) -> Session:
    """A command in a container, through the Docker door of this machine's gateway.

    Raises:
        DS01Error: It cannot be run; the gateway says why.
    """
    body: dict[str, Any] = {
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": wanted.tty,
        "Cmd": list(wanted.command),
        "Env": [f"{name}={value}" for name, value in wanted.environment.items()],
    }
    if wanted.workdir:
        body["WorkingDir"] = wanted.workdir
    made = _door(http, "POST", f"/containers/{quote(container_id, safe='')}/exec", body)
    if not isinstance(made.get("Id"), str):
        raise _not_understood()
    session = _SocketSession(http, made["Id"], tty=wanted.tty)
    session.begin(path)
    if wanted.tty and wanted.size is not None:
        session.resize(*wanted.size)
    return session


class _SocketSession(Session):
    """Docker's own way: https://docs.docker.com/reference/api/engine/version/v1.50/#tag/Exec."""

    def __init__(self, http: httpx.Client, exec_id: str, *, tty: bool) -> None:
        self._http = http
        self._exec_id = exec_id
        self._tty = tty
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._unread = b""
        self._left = 0
        self._stream = STDOUT
        self._writing = threading.Lock()

    def begin(self, path: str) -> None:
        """Run it."""
        try:
            self._socket.settimeout(_CONNECT_SECONDS)
            self._socket.connect(path)
            self._socket.settimeout(_BEGIN_SECONDS)
            self._socket.sendall(self._request())
            status, content = self._answer()
            self._socket.settimeout(None)
        except OSError as exc:
            self._socket.close()
            raise Unreachable(f"{path} cannot be reached: {exc}.", "Try again.") from exc
        if status != httpx.codes.SWITCHING_PROTOCOLS:
            self._socket.close()
            if status == httpx.codes.OK:
                raise _not_understood()
            raise error_by_status(status, _message(content))

    def read(self) -> tuple[int, bytes] | None:
        try:
            if self._tty:
                data = self._some(PIECE_BYTES)
                return (STDOUT, data) if data else None
            while not self._left:
                head = self._exactly(_HEAD_BYTES)
                if head is None:
                    return None
                self._stream = STDERR if head[0] == STDERR else STDOUT
                self._left = int.from_bytes(head[4:], "big")
            data = self._some(min(self._left, PIECE_BYTES))
        except OSError:
            return None
        self._left -= len(data)
        return (self._stream, data) if data else None

    def write(self, data: bytes) -> None:
        with self._writing, suppress(OSError):
            self._socket.sendall(data)

    def end_input(self) -> None:
        with self._writing, suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def resize(self, rows: int, columns: int) -> None:
        size = urlencode({"h": rows, "w": columns})
        with suppress(DS01Error):  # it has ended
            _door(self._http, "POST", f"/exec/{self._exec_id}/resize?{size}")

    def exit_code(self) -> int:
        deadline = time.monotonic() + _END_SECONDS
        while True:
            shown = _door(self._http, "GET", f"/exec/{self._exec_id}/json")
            code = shown.get("ExitCode")
            if not shown.get("Running") and isinstance(code, int):
                return code
            if time.monotonic() >= deadline:
                raise Unavailable("The command still runs.", "It closed its output, or you did.")
            time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _request(self) -> bytes:
        body = json.dumps({"Detach": False, "Tty": self._tty}).encode()
        head = (
            f"POST /exec/{self._exec_id}/start HTTP/1.1\r\nHost: localhost\r\n"
            "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _answer(self) -> tuple[int, bytes]:
        """The status, and the body of what is no stream; what follows a head is kept."""
        received = b""
        while b"\r\n\r\n" not in received:
            part = self._socket.recv(PIECE_BYTES)
            if not part or len(received) > _MOST_HEAD_BYTES:
                raise ConnectionError("it answers nothing")
            received += part
        head, _, rest = received.partition(b"\r\n\r\n")
        words = head.split(b"\r\n", 1)[0].split(b" ")
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        if status == httpx.codes.SWITCHING_PROTOCOLS:
            self._unread = rest
            return status, b""
        while not _is_whole(rest) and (part := self._socket.recv(PIECE_BYTES)):
            rest += part
        return status, rest

    def _some(self, most: int) -> bytes:
        if self._unread:
            data, self._unread = self._unread[:most], self._unread[most:]
            return data
        return self._socket.recv(most)

    def _exactly(self, count: int) -> bytes | None:
        found = b""
        while len(found) < count:
            part = self._some(count - len(found))
            if not part:
                return None
            found += part
        return found


def _door(http: httpx.Client, method: str, path: str, body: object = None) -> dict[str, Any]:
    """What the Docker door answers."""
    try:
        answer = http.request(method, f"{_DOOR}{path}", json=body, timeout=_BEGIN_SECONDS)
    except httpx.HTTPError as exc:
        raise Unreachable(f"The gateway cannot be reached: {exc}.", "Try again.") from exc
    if not answer.is_success:
        raise error_by_status(answer.status_code, _message(answer.content))
    try:
        found = answer.json() if answer.content else {}
    except ValueError as exc:
        raise _not_understood() from exc
    return found if isinstance(found, dict) else {}


def _not_understood() -> Unavailable:
    return Unavailable(
        "The answer of the gateway cannot be read.",
        "Client and gateway may be of different releases: update one.",
    )


def _is_whole(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def _message(content: bytes) -> str:
    """What Docker's error says."""
    with suppress(ValueError):
        said = json.loads(content)
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            return str(said["message"])
    return content.decode(errors="replace")[:500] or "The gateway gives no reason."
