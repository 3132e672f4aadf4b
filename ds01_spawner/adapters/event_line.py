"""One event as one line of JSON, with everything secret taken out."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from ds01_spawner.domain.event import Event
from ds01_spawner.domain.labels import format_timestamp

MAX_LINE_BYTES = 64 * 1024
REMOVED = "[removed]"

_MAX_TEXT = 1500
_MAX_READ = 16_000
"""Of one text: much more than is written, because a secret within shortens it."""

_MAX_DEPTH = 8
_LONGEST_WORD = 1000
_HALF_A_WORD = re.compile(r"(?<=\s)\S*\Z")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    {
        *("apikey", "authorization", "cookie", "cookies", "credential", "credentials"),
        *("passphrase", "passwd", "password", "passwords", "pwd"),
        *("secret", "secrets", "token", "tokens"),
    }
)
_KEY_QUALIFIERS = frozenset(
    {
        *("access", "api", "auth", "crypt", "encryption", "host"),
        *("private", "secret", "session", "signing", "ssh"),
    }
)
_SECRET_TEXT = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*-----|$)", re.DOTALL), ""),
    (re.compile(r"(://[^/\s:@]+:)[^/\s@]+(?=@)"), r"\1"),
    (re.compile(r"\b(bearer|basic|token) +[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), r"\1 "),
    (
        re.compile(
            # No prefix such as \w*: at every character of a long word it would begin anew.
            r"((?:password|passwd|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)"
            r"(?!\[removed\])[^\s\"',;&]+",
            re.IGNORECASE,
        ),
        r"\1",
    ),
)


def event_line(event: Event) -> bytes:
    """The line for `event`, newline included, at most `MAX_LINE_BYTES` long."""
    fields: dict[str, Any] = {
        "ts": format_timestamp(event.ts),
        "user": None if event.user is None else _text(event.user),
        "action": _text(event.action),
        "resource": _text(event.resource),
        "actor": _text(event.actor),
        "interface": _text(event.interface),
        "outcome": _text(event.outcome),
        "reason": _text(event.reason),
        "details": without_secrets(event.details),
    }
    line = _encoded(fields)
    if len(line) > MAX_LINE_BYTES:
        line = _encoded(fields | {"details": {"left_out_bytes": len(line)}})
    return line


def without_secrets(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it; what is called a token, password or key is replaced."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str) or depth >= _MAX_DEPTH:
        return _text(str(value))
    if isinstance(value, Mapping):
        return {
            _text(str(key)): REMOVED
            if _is_secret(str(key)) and not isinstance(inner, (bool, type(None)))
            else without_secrets(inner, depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [without_secrets(inner, depth + 1) for inner in value]
    return _text(str(value))


def _is_secret(key: str) -> bool:
    """Whether a key names a secret; `key` alone does not: a policy has keys too."""
    words = {word.lower() for word in _WORD.findall(key)}
    return bool(words & _SECRET_WORDS) or ("key" in words and bool(words & _KEY_QUALIFIERS))


def _text(text: str) -> str:
    is_cut = len(text) > _MAX_READ
    if is_cut:
        # Not in the middle of a word: half a secret may not look like one.
        words, last = text[: _MAX_READ - _LONGEST_WORD], text[_MAX_READ - _LONGEST_WORD : _MAX_READ]
        text = words + _HALF_A_WORD.sub("", last)
    for pattern, kept in _SECRET_TEXT:
        text = pattern.sub(kept + REMOVED, text)
    is_cut = is_cut or len(text) > _MAX_TEXT
    return f"{text[:_MAX_TEXT]}…" if is_cut else text


def _encoded(fields: Mapping[str, Any]) -> bytes:
    # A lone surrogate, as in a broken file name, becomes the JSON escape of itself.
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"
