"""Query parameters, read as the engine reads them."""

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.wire.call import Call, Query

_FALSE = frozenset({"", "0", "no", "false", "none"})
_LONGEST_NUMBER = 18
"""Digits, so that it fits into the engine's 64 bits."""


def one(query: Query, name: str) -> str:
    """A parameter that is not given twice; empty where it is not given.

    Raises:
        InvalidRequest: It is given with two values.
    """
    values = query.get(name) or ("",)
    if len(set(values)) > 1:
        raise InvalidRequest(f"The parameter {name} is given twice.", "Give it once.")
    return values[0]


def flag(call: Call, name: str) -> bool:
    """Whether a switch is on."""
    return is_on(call.first(name))


def is_on(text: str) -> bool:
    """Whether the text of a switch says so; anything but Docker's five ways to say no is yes."""
    return text.strip().lower() not in _FALSE


def number(call: Call, name: str) -> int | None:
    """A whole number, or `None` when it is not given.

    Raises:
        InvalidRequest: It is something else.
    """
    return whole_number(name, call.first(name))


def whole_number(name: str, text: str) -> int | None:
    """The whole number that a parameter's text says, or `None` when it is empty.

    Raises:
        InvalidRequest: It is something else.
    """
    text = text.strip()
    if not text:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > _LONGEST_NUMBER:
        raise InvalidRequest(f"invalid value for {name}: {shown(text)} is not a whole number")
    return int(text)


def terminal_size(call: Call) -> Query:
    """The size of a terminal that a resize asks for, as the engine is told it."""
    return {name: [str(size)] for name in ("h", "w") if (size := number(call, name)) is not None}
