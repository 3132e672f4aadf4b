"""OpenSSH public keys: what somebody is to be known by in containers. Pure.

The formats are RFC 4253 section 6.6, RFC 5656, RFC 8709 and, for security keys, OpenSSH's
PROTOCOL.u2f. A key is taken apart here because what is stored ends up in an `authorized_keys`:
nothing may come along with it.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown

SMALLEST_RSA = 2048
_LARGEST_RSA = 16_384
_LONGEST_COMMENT = 100
_EXAMPLE = "Send the line of your .pub file, such as ~/.ssh/id_ed25519.pub."
_MAKE_ONE = "Make a new key: ssh-keygen -t ed25519."
_ED25519_BYTES = 32
_POINTS = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class SshKey:
    """A key of somebody's.

    Attributes:
        user: Whose.
        id: Short, and the same for the same key: for addresses.
        type: Such as `ssh-ed25519`.
        key: Its base64 part.
        comment: What its owner calls it; one line of printable characters.
        added_at: When.
        bits: Size of an RSA key; `None` for types of one size.
    """

    user: str
    id: str
    type: str
    key: str
    comment: str
    added_at: datetime
    bits: int | None = None

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as `ssh-keygen -l` shows it."""
        digest = hashlib.sha256(base64.b64decode(self.key)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    @property
    def line(self) -> str:
        """The line for `authorized_keys`."""
        return f"{self.type} {self.key} {self.comment}".rstrip()


def parse_public_key(text: str, user: str, now: datetime) -> SshKey:
    """The key that one line of a `.pub` file holds.

    Raises:
        InvalidRequest: It is no such line, or a key that nobody should use.
    """
    if "PRIVATE KEY" in text:
        raise InvalidRequest(
            "This is a private key. Nobody but you may ever have it; it was not stored.",
            f"Send the public key instead. If others may have seen this one: {_MAKE_ONE}",
        )
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if len(lines) != 1:
        raise InvalidRequest(f"One key is one line; there are {len(lines)}.", _EXAMPLE)
    words = lines[0].split(None, 2)
    kind = words[0]
    if kind == "ssh-dss":
        raise InvalidRequest("DSA keys (ssh-dss) are not safe any more.", _MAKE_ONE)
    if "-cert-v0" in kind:
        raise InvalidRequest("This is a certificate, not a key.", _EXAMPLE)
    check = _CHECKS.get(kind)
    if check is None:
        raise InvalidRequest(
            f"{shown(kind)} is not the type of a key that is taken here; options before it are "
            "not either.",
            f"{_EXAMPLE} Types: {', '.join(_CHECKS)}.",
        )
    blob = _decoded(words[1] if len(words) > 1 else "")
    reader = _Reader(blob)
    if reader.text() != kind:
        raise InvalidRequest(f"The key does not hold a key of type {kind}.", _EXAMPLE)
    bits = check(reader, kind)
    reader.end()
    return SshKey(
        user=user,
        id=hashlib.sha256(blob).hexdigest()[:_ID_LENGTH],
        type=kind,
        key=base64.b64encode(blob).decode(),
        comment=_comment(words[2] if len(words) > 2 else ""),  # noqa: PLR2004 - type, key, comment
        added_at=now,
        bits=bits,
    )


class _Reader:
    """The strings of a key: each with its length before it (RFC 4251 section 5)."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def string(self) -> bytes:
        size = int.from_bytes(self._data[:4], "big")
        found = self._data[4 : 4 + size]
        if len(self._data) < 4 or len(found) != size:  # noqa: PLR2004 - the length's own length
            raise _damaged()
        self._data = self._data[4 + size :]
        return found

    def text(self) -> str:
        return self.string().decode("ascii", errors="replace")

    def end(self) -> None:
        if self._data:
            raise _damaged()


def _rsa(reader: _Reader, _kind: str) -> int:
    exponent = int.from_bytes(reader.string(), "big")
    modulus = int.from_bytes(reader.string(), "big")
    bits = modulus.bit_length()
    if not SMALLEST_RSA <= bits <= _LARGEST_RSA:
        raise InvalidRequest(
            f"This RSA key has {bits} bits; {SMALLEST_RSA} to {_LARGEST_RSA} are taken.", _MAKE_ONE
        )
    if exponent < 3 or not exponent % 2 or not modulus % 2:  # noqa: PLR2004 - no RSA key has less
        raise _damaged()
    return bits


def _ed25519(reader: _Reader, kind: str) -> None:
    if len(reader.string()) != _ED25519_BYTES:
        raise _damaged()
    _application(reader, kind)


def _ecdsa(reader: _Reader, kind: str) -> None:
    curve = reader.text()
    point = reader.string()
    expected = kind.removeprefix("sk-").removeprefix("ecdsa-sha2-").partition("@")[0]
    if curve != expected or len(point) != _POINTS[curve] or point[:1] != b"\x04":
        raise _damaged()
    _application(reader, kind)


def _application(reader: _Reader, kind: str) -> None:
    """What a security key is for; `ssh:` or what its owner chose."""
    if kind.startswith("sk-"):
        reader.string()


_CHECKS: dict[str, Callable[[_Reader, str], int | None]] = {
    "ssh-ed25519": _ed25519,
    "ecdsa-sha2-nistp256": _ecdsa,
    "ecdsa-sha2-nistp384": _ecdsa,
    "ecdsa-sha2-nistp521": _ecdsa,
    "ssh-rsa": _rsa,
    "sk-ssh-ed25519@openssh.com": _ed25519,
    "sk-ecdsa-sha2-nistp256@openssh.com": _ecdsa,
}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _damaged() from None


def _comment(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:_LONGEST_COMMENT]


def _damaged() -> InvalidRequest:
    return InvalidRequest("The key is damaged: part of it is missing or changed.", _EXAMPLE)
