"""What the API says when it will not, read without the typed client."""

import json
from typing import Any

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
_NO_CAPACITY = "no-capacity"


SSH = b"SSH-"
"""What an SSH server says first (RFC 4253, section 4.2)."""

_MOST_WORDS = 300


def not_ssh(name: str, said: bytes) -> bytes:
    """A line for what comes in place of an SSH server: the engine's or the kernel's words."""
    words = " ".join(said.decode(errors="replace").split())
    shown = "".join(char for char in words if char.isprintable())[:_MOST_WORDS]
    return f"ds01: No SSH server can be started in {name}. What came instead: {shown}\n".encode()


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
