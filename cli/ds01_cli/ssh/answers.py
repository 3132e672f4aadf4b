"""What the API says when it will not, read without the typed client."""

import json
from typing import Any

from ds01_cli.ssh.pump import MESSAGES, OUTPUT
from ds01_spawner.domain.errors import DS01Error, Forbidden, NoCapacity, NotFound, Unavailable

_ERRORS: dict[int, type[DS01Error]] = {
    400: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: DS01Error,
    422: Forbidden,
    429: Unavailable,
    503: Unavailable,
}
_NO_CAPACITY = ":capacity"


SSH = b"SSH-"
"""What an SSH server says first (RFC 4253, section 4.2)."""

_MOST_WORDS = 300


class Greeting:
    """Looks whether it is an SSH server that speaks first.

    Args:
        name: The container.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._held = b""
        self._is_ssh: bool | None = None

    def checked(self, data: bytes) -> tuple[int, bytes]:
        """What of `data` is passed on, and where to; in place of others' words, a line."""
        if self._is_ssh is not None:
            return OUTPUT, data if self._is_ssh else b""
        self._held += data
        if len(self._held) < len(SSH) and SSH.startswith(self._held):
            return OUTPUT, b""
        self._is_ssh = self._held.startswith(SSH)
        return (OUTPUT, self._held) if self._is_ssh else (MESSAGES, self._line())

    def _line(self) -> bytes:
        words = " ".join(self._held.decode(errors="replace").split())
        shown = "".join(char for char in words if char.isprintable())[:_MOST_WORDS]
        said = f"No SSH server can be started in {self._name}. What came instead: {shown}"
        return f"ds01: {said}\n".encode()


def refusal(status: int, body: bytes) -> DS01Error | None:
    """The error of an answer in the API's own words; `None` where they are not the API's."""
    try:
        said: Any = json.loads(body)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    detail = said.get("detail") or said.get("message")
    if not isinstance(detail, str):
        return None
    if str(said.get("type", "")).endswith(_NO_CAPACITY):
        return NoCapacity(detail, str(said.get("next_step") or ""))
    return _ERRORS.get(status, DS01Error)(detail, str(said.get("next_step") or ""))
