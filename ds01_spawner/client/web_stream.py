"""Sessions from elsewhere, by a websocket through the hub."""

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from ds01_spawner.client.models import ExecRequest, Problem
from ds01_spawner.client.problems import (
    MEDIA_TYPE,
    NotTheApi,
    Unauthenticated,
    Unreachable,
    error_of,
)
from ds01_spawner.client.streams import Session, Wanted
from ds01_spawner.domain.errors import DS01Error, Unavailable

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

PIECE_BYTES = 64 * 1024
_BEGIN_SECONDS = 60.0


def behind_hub(http: httpx.Client, name: str, wanted: Wanted) -> Session:
    """A command in a container of one's own, by a websocket through the hub.

    Raises:
        DS01Error: It cannot be run; the gateway says why.
    """
    # Here: it takes 40 ms to load, and most of what the client does goes without.
    from websockets.exceptions import InvalidStatus, WebSocketException  # noqa: PLC0415
    from websockets.sync.client import connect  # noqa: PLC0415

    base = http.base_url
    scheme = "wss" if base.scheme == "https" else "ws"
    address = f"{scheme}://{base.netloc.decode()}{base.path}containers/{quote(name, safe='')}/exec"
    headers = {
        key: http.headers[key] for key in ("Authorization", "User-Agent") if key in http.headers
    }
    user_agent = headers.pop("User-Agent", None)
    try:
        connection = connect(
            address,
            additional_headers=headers,
            user_agent_header=user_agent,
            open_timeout=_BEGIN_SECONDS,
            compression=None,
            max_size=None,
            ping_interval=None,  # who is held back answers late, and is not dead
        )
    except InvalidStatus as exc:
        raise _refusal(exc.response.status_code, exc.response.headers, exc.response.body) from exc
    except (OSError, TimeoutError, WebSocketException) as exc:
        raise Unreachable(f"The API at {base} cannot be reached: {exc}.", "Try again.") from exc
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    session = _WebSession(connection)
    session.begin(wanted)
    return session


class _WebSession(Session):
    """The gateway's own way: `gateway/api/exec_handler`."""

    def __init__(self, connection: "ClientConnection") -> None:
        self._connection = connection
        self._code: int | None = None

    def begin(self, wanted: Wanted) -> None:
        """Run it; that it cannot be is told by `read`."""
        rows, columns = wanted.size or (None, None)
        request = ExecRequest(
            command=wanted.command,
            tty=wanted.tty,
            rows=rows,
            cols=columns,
            environment=dict(wanted.environment),
            workdir=wanted.workdir,
        )
        self._send(request.model_dump_json(exclude_none=True))
        first = self._next()  # says that it runs, or why it does not
        if first is not None and first != "{}":
            self._code = _ended(first)

    def read(self) -> tuple[int, bytes] | None:
        while self._code is None:
            message = self._next()
            if message is None:
                return None
            if isinstance(message, str):
                self._code = _ended(message)
                return None
            if len(message) > 1:
                return message[0], message[1:]
        return None

    def write(self, data: bytes) -> None:
        for begin in range(0, len(data), PIECE_BYTES):
            self._send(data[begin : begin + PIECE_BYTES])

    def end_input(self) -> None:
        self._say({"end_input": True})

    def resize(self, rows: int, columns: int) -> None:
        self._say({"resize": [rows, columns]})

    def exit_code(self) -> int:
        if self._code is None:
            raise Unavailable("The connection broke before the command ended.", "It may still run.")
        return self._code

    def close(self) -> None:
        if self._code is None:  # a thread that waits to write would hold up a polite end
            with suppress(OSError):
                self._connection.socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _next(self) -> str | bytes | None:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 - loaded already

        try:
            return self._connection.recv()
        except ConnectionClosed:
            return None

    def _say(self, what: Mapping[str, Any]) -> None:
        self._send(json.dumps(what))

    def _send(self, data: str | bytes) -> None:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 - loaded already

        with suppress(ConnectionClosed):
            self._connection.send(data)


def _ended(text: str | bytes) -> int:
    """The exit code that a last message says.

    Raises:
        DS01Error: It says why there is none.
    """
    try:
        said = json.loads(text)
        if isinstance(said, dict) and isinstance(said.get("exit"), int):
            return int(said["exit"])
        problem = Problem.told(text)
    except (ValueError, ValidationError) as exc:
        raise Unavailable("The gateway says something that cannot be read.", "Try again.") from exc
    raise error_of(problem)


def _refusal(status: int, headers: Mapping[str, str], body: bytes | bytearray | None) -> DS01Error:
    if headers.get("Content-Type", "").startswith(MEDIA_TYPE):
        with suppress(ValidationError):
            return error_of(Problem.told(bytes(body or b"")))
    said = f"The gateway answers {status}."
    if status == httpx.codes.UNAUTHORIZED:
        return Unauthenticated(said, "Log in again.")
    return NotTheApi(said, "Try again.", status=status)
