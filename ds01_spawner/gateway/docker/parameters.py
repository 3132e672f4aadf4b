"""Query parameters, read as the engine reads them."""

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.wire.call import Call

_FALSE = frozenset({"", "0", "no", "false", "none"})
_LONGEST_NUMBER = 12


def flag(call: Call, name: str) -> bool:
    """Whether a switch is on; anything but Docker's five ways to say no is yes."""
    return call.first(name).strip().lower() not in _FALSE


def number(call: Call, name: str) -> int | None:
    """A whole number, or `None` when it is not given.

    Raises:
        InvalidRequest: It is something else.
    """
    text = call.first(name).strip()
    if not text:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > _LONGEST_NUMBER:
        raise InvalidRequest(f"invalid value for {name}: {shown(text)} is not a whole number")
    return int(text)
