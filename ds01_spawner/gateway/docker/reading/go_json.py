"""JSON read the way that the engine would read it, or refused where the two could differ.

Go matches a key to a field whatever its case, Unicode's odd `s` and `k` included, and the last of
two spellings wins (https://pkg.go.dev/encoding/json#Unmarshal). So nothing is forwarded as it came:
each field is read here once, by name, and said anew.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Never

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.names import shown

MAX_DEPTH = 64
MAX_VALUES = 50_000
"""No client has so many to say, and each takes time of everybody's."""

_MOST_MARKS = 2 * MAX_VALUES
_LARGEST = 2**63
_DIGITS = 20
_ASCII_OF = {
    **{upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)},
    0x017F: ord("s"),
    0x212A: ord("k"),
}


def folded(key: str) -> str:
    """What `key` is to Go when it looks for a field; fields have ASCII names."""
    return key.translate(_ASCII_OF)


def is_empty(value: object) -> bool:
    """Whether a value says nothing: null, false, 0, or text, list and object of nothing."""
    if isinstance(value, Mapping):
        return all(is_empty(each) for each in value.values())
    if isinstance(value, list):
        return all(is_empty(each) for each in value)
    return not value


def decoded(body: bytes) -> Any:
    """The value that `body` spells.

    Raises:
        InvalidRequest: It is not one JSON value in UTF-8, says a key twice, or holds what
            programs read differently (NaN, numbers beyond 64 bits, NUL, half a character); or it
            is too deep or holds too many values.
    """
    # Counted before they are made: a few megabytes of `[],` take half a second of everybody's.
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > _MOST_MARKS:
        raise _too_many()
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError as exc:
        raise InvalidRequest("The request's body is not UTF-8.") from exc
    except RecursionError as exc:
        raise _too_deep() from exc
    except ValueError as exc:
        raise InvalidRequest(f"The request's body is not JSON: {exc}.") from exc
    _check(value)
    return value


class Fields:
    """The fields of one JSON object. Each is read once, by its name; `finish` refuses the rest."""

    def __init__(self, value: object, place: str = "") -> None:
        """Take an object, or null for one without fields.

        Args:
            value: What was decoded.
            place: What the object is called in messages; empty for the whole body.

        Raises:
            InvalidRequest: It is something else, or names a field twice in any spelling.
        """
        self.place = place
        self._values: dict[str, Any] = {}
        self._keys: dict[str, str] = {}
        if value is None:
            return
        if not isinstance(value, dict):
            raise InvalidRequest(f"{place or 'The body'} must be a JSON object.")
        for key, each in value.items():
            name = folded(key)
            if name in self._values:
                raise InvalidRequest(
                    f"{self._called(key)} is given twice, the other time as "
                    f"{shown(self._keys[name])}.",
                    "Give it once.",
                )
            self._values[name] = each
            self._keys[name] = key

    @classmethod
    def of(cls, body: bytes) -> "Fields":
        """The fields of a request's body.

        Raises:
            InvalidRequest: It is not one JSON object, or not well formed.
        """
        if not body.strip():
            raise InvalidRequest("The request has no body; a JSON object is needed.")
        return cls(decoded(body))

    def take(self, name: str) -> Any:
        """The value as it is, or `None` where it is not said."""
        return self._values.pop(name.lower(), None)

    def text(self, name: str) -> str:
        """A string; empty where it is not said."""
        value = self.take(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else self._mistyped(name, "a string", value)

    def flag(self, name: str) -> bool | None:
        """True or false, or `None` where it is not said."""
        value = self.take(name)
        if value is None or isinstance(value, bool):
            return value
        return self._mistyped(name, "true or false", value)

    def number(self, name: str) -> int | None:
        """A whole number, or `None` where it is not said."""
        value = self.take(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        return self._mistyped(name, "a whole number", value)

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Strings; one alone counts as a list of it, as for the engine. `None`: not said."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self._mistyped(name, "a list of strings", value)
        return tuple(value)

    def entries(self, name: str) -> Mapping[str, Any]:
        """An object whose keys are data, such as labels: they keep their case."""
        value = self.take(name)
        if value is None:
            return {}
        return value if isinstance(value, dict) else self._mistyped(name, "an object", value)

    def text_entries(self, name: str) -> dict[str, str]:
        """The same, of strings; a null is an empty one."""
        found = self.entries(name)
        for key, value in found.items():
            if value is not None and not isinstance(value, str):
                self._mistyped(f"{name}[{shown(key)}]", "a string", value)
        return {key: value or "" for key, value in found.items()}

    def inner(self, name: str) -> "Fields":
        """An object with fields of its own; without any where it is not said."""
        return Fields(self.take(name), self._called(name))

    def each(self, name: str) -> Sequence["Fields"]:
        """A list of such objects."""
        value = self.take(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self._mistyped(name, "a list", value)
        called = self._called(name)
        return [Fields(each, f"{called}[{place}]") for place, each in enumerate(value)]

    def drop(self, *names: str) -> None:
        """Ignore fields, whatever they say."""
        for name in names:
            self.take(name)

    def finish(self) -> None:
        """Return when nothing is left unread that says something.

        Raises:
            Forbidden: Something is.
        """
        for name, value in self._values.items():
            if not is_empty(value):
                raise Forbidden(
                    f"{self._called(self._keys[name])} is not known here.",
                    "Leave out the option that sets it, or ask an administrator.",
                )

    def _called(self, name: str) -> str:
        known = shown(name)[1:-1]
        return f"{self.place}.{known}" if self.place else known

    def _mistyped(self, name: str, expected: str, value: object) -> Never:
        raise InvalidRequest(f"{self._called(name)} must be {expected}; found {shown(value)}.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise InvalidRequest(
            f"The key {shown(twice)} is given twice in one object.", "Give it once."
        )
    return found


def _integer(text: str) -> int:
    value = int(text) if len(text) <= _DIGITS else _LARGEST
    if not -_LARGEST <= value < _LARGEST:
        raise InvalidRequest(f"The number {shown(text)[1:-1]} does not fit into 64 bits.")
    return value


def _no_constant(text: str) -> Never:
    raise InvalidRequest(f"{text} is not JSON.")


def _check(value: object) -> None:
    """Level by level, so that what is too deep or too much is not gone through to its end."""
    level, count = [value], 0
    for _ in range(MAX_DEPTH + 1):
        count += len(level)
        if count > MAX_VALUES:
            raise _too_many()
        below: list[object] = []
        for each in level:
            if isinstance(each, str):
                _check_text(each)
            elif isinstance(each, list):
                below += each
            elif isinstance(each, dict):
                below += each
                below += each.values()
        if not below:
            return
        level = below
    raise _too_deep()


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        good = False
    else:
        good = "\0" not in text
    if not good:
        raise InvalidRequest(f"{shown(text)} holds a NUL or half a character.")


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"The request's body is nested more than {MAX_DEPTH} levels deep.")


def _too_many() -> InvalidRequest:
    return InvalidRequest(f"The request's body holds more than {MAX_VALUES} values.")
