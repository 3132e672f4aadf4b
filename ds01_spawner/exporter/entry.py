"""Who is given the figures: they name people, and whoever has a shell here reaches the port."""

import hmac
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

TOKEN_FILE = "exporter.token"  # noqa: S105 - a file's name
FEWEST_BYTES = 32
"""What `openssl rand -hex 16` gives: nobody guesses it."""

_MOST_BYTES = 4096
_SCHEME = "bearer"


class Admission(StrEnum):
    """What somebody who asks for the figures is answered."""

    GIVEN = "given"
    WRONG = "wrong"
    CLOSED = "closed"


Entry = Callable[[str], Admission]
"""Decides by the header `Authorization`, empty without one."""


def open_to_all(_authorization: str) -> Admission:
    """Whoever asks."""
    return Admission.GIVEN


class TokenEntry:
    """Whoever knows the token of a file; nobody while there is none. It is read at each request.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, authorization: str) -> Admission:
        """Whether this header has the token."""
        token = self._token()
        if len(token) < FEWEST_BYTES:
            return Admission.CLOSED
        scheme, _, said = authorization.partition(" ")
        # Headers come as latin-1 (PEP 3333).
        given = said.strip().encode("latin-1", "replace")
        known = scheme.lower() == _SCHEME and hmac.compare_digest(given, token)
        return Admission.GIVEN if known else Admission.WRONG

    def _token(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(_MOST_BYTES).strip()
        except OSError:
            return b""
