"""The kinds of values in configuration files, as pydantic types that read text.

Every reader takes what the YAML reader gives, which is text, and says what it expected.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.limits import SlotConflict
from ds01_spawner.domain.names import check_user
from ds01_spawner.domain.units import DURATION_PATTERN, SIZE_PATTERN, parse_duration, parse_size
from ds01_spawner.domain.unmanaged import Response
from ds01_spawner.policy.document import found
from ds01_spawner.policy.yaml_reader import Blank

T = TypeVar("T")

NUMBER_PATTERN = r"^\d+(\.\d+)?$"
PERCENT_PATTERN = r"^\d+(\.\d+)? ?%$"

_WHOLE = re.compile(r"^[+-]?\d{1,15}$", re.ASCII)
_NUMBER = re.compile(r"^[+-]?\d{1,15}(\.\d{1,15})?$", re.ASCII)
_PERCENT = re.compile(PERCENT_PATTERN, re.ASCII)
CHECKPOINT_SIGNALS = ("SIGUSR1", "SIGUSR2")
"""What batch systems send before the end and training programs save on.

Jupyter servers and shells handle SIGTERM, SIGINT and SIGHUP as well: by ending, or by interrupting
what runs, and so long before the time.
"""

_ENDS_PROGRAMS = frozenset(
    prefix + name
    for prefix in ("", "SIG")
    for name in ("TERM", "INT", "HUP", "QUIT", "ABRT", "KILL", "STOP", "TSTP")
)
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_MIN_CONTAINER_MEMORY = 6 * 1024**2  # the engine refuses less


def text_of(value: object, expected: str) -> str:
    """The text that stands in the file; a `ValueError` says what was `expected` if none does."""
    if isinstance(value, str):
        return value
    if isinstance(value, Blank):
        raise ValueError(f"nothing stands after the colon; {expected}")  # noqa: TRY004
    if value is None:
        raise ValueError(f"null has no meaning here; {expected}")
    raise ValueError(f"{expected}; found {found(value)}")


def read_whole(value: object, at_least: int = 0, at_most: int | None = None) -> int:
    """The whole number that a text spells, within bounds."""
    expected = f"expected a whole number of at least {at_least}"
    if at_most is not None:
        expected = f"expected a whole number from {at_least} to {at_most}"
    text = text_of(value, expected)
    if _WHOLE.match(text) is None:
        raise ValueError(f"{expected}; found {found(text)}")
    number = int(text)
    if number < 0:
        raise ValueError(f"{text} is negative; {expected}")
    if number < at_least or (at_most is not None and number > at_most):
        raise ValueError(f"{expected}; found {text}")
    return number


def read_number(value: object) -> float:
    """The number, zero or more, that a text spells."""
    expected = "expected a number such as 4 or 0.5"
    text = text_of(value, expected)
    if _NUMBER.match(text) is None:
        raise ValueError(f"{expected}; found {found(text)}")
    if text.startswith("-"):
        raise ValueError(f"{text} is negative; {expected}")
    return float(text)


def read_share(value: object) -> float:
    """The share, 0 to 1, that `5%`, `0.05` or `5` spells.

    A bare 1 could be either, so it is refused.
    """
    expected = "expected a share such as 5% or 0.05"
    text = text_of(value, expected)
    if _PERCENT.match(text):
        share = float(Fraction(text.rstrip("% ")) / 100)
    else:
        number = read_number(text)
        if text.lstrip("+") == "1":
            raise ValueError("1 could be 1% or all of it; write 1% or 100%")
        share = number if number <= 1 else number / 100
    if share > 1:
        raise ValueError(f"{text} is more than all of it; {expected}")
    return share


def _duration(value: object) -> timedelta:
    return parse_duration(text_of(value, "expected a duration such as 90s, 30m, 48h or 7d"))


def _size(value: object) -> int:
    return parse_size(text_of(value, "expected a size such as 512m, 32g or 1t"))


def _flag(value: object) -> bool:
    text = text_of(value, "expected true or false")
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ValueError(f"expected true or false; found {found(text)}")


def _signal(value: object) -> str:
    expected = "expected SIGUSR1 or SIGUSR2, or null for none"
    text = text_of(value, expected)
    if text in _ENDS_PROGRAMS:
        raise ValueError(f"{text} ends or interrupts programs that handle it; {expected}")
    name = text if text.startswith("SIG") else f"SIG{text}"
    if name not in CHECKPOINT_SIGNALS:
        raise ValueError(f"{expected}; found {found(text)}")
    return name


def blank_is_empty(value: object) -> object:
    """An empty list where nothing stands after the colon."""
    return () if isinstance(value, Blank) else value


def _name(value: str) -> str:
    try:
        check_user(value)
    except InvalidRequest as exc:
        raise ValueError(exc.message) from exc
    if value.split() != [value]:
        raise ValueError(f"the name {value!r} holds a space; expected one name")
    return value


def _positive(value: T) -> T:
    if not value:
        raise ValueError("0 is not a limit here; write null for unlimited")
    return value


def _never_zero(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("0 would stop everything at once; write null for never")
    return value


def _enough_to_start(value: int) -> int:
    if value < _MIN_CONTAINER_MEMORY:
        raise ValueError("a container needs at least 6m of memory")
    return value


def _whole(at_least: int, at_most: int | None = None) -> Callable[[object], int]:
    return lambda value: read_whole(value, at_least, at_most)


def _number_schema(**bounds: float) -> WithJsonSchema:
    return WithJsonSchema({"type": "number", "minimum": 0} | bounds)


def _text_schema(pattern: str, *examples: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, "examples": list(examples)}


_DURATION_SCHEMA = WithJsonSchema(_text_schema(DURATION_PATTERN, "90s", "30m", "48h", "7d"))
_SIZE_SCHEMA = WithJsonSchema(_text_schema(SIZE_PATTERN, "512m", "32g", "1t"))
_SHARE_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            _text_schema(PERCENT_PATTERN, "5%"),
            {"type": "number", "minimum": 0, "maximum": 100, "not": {"const": 1}},
        ]
    }
)

Duration = Annotated[timedelta, BeforeValidator(_duration), _DURATION_SCHEMA]
"""`90s`, `30m`, `48h`, `7d`; zero is allowed."""
Timeout = Annotated[
    timedelta, AfterValidator(_never_zero), BeforeValidator(_duration), _DURATION_SCHEMA
]
"""A duration longer than nothing."""
Size = Annotated[int, AfterValidator(_positive), BeforeValidator(_size), _SIZE_SCHEMA]
"""`512m`, `32g`, `1t` in bytes, more than nothing: the engine reads 0 as "no limit"."""
Threshold = Annotated[int, BeforeValidator(_size), _SIZE_SCHEMA]
"""A size that may be nothing."""
Memory = Annotated[
    int,
    AfterValidator(_positive),
    AfterValidator(_enough_to_start),
    BeforeValidator(_size),
    _SIZE_SCHEMA,
]
"""A size that a container can start with."""
Count = Annotated[
    int, BeforeValidator(_whole(0)), WithJsonSchema({"type": "integer", "minimum": 0})
]
"""0, 1, 2, …"""
PositiveCount = Annotated[
    int,
    AfterValidator(_positive),
    BeforeValidator(_whole(0)),
    WithJsonSchema({"type": "integer", "minimum": 1}),
]
"""1, 2, 3, …"""
Priority = Annotated[
    int,
    BeforeValidator(_whole(0, 100)),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 100}),
]
"""0 to 100."""
Amount = Annotated[float, BeforeValidator(read_number), _number_schema()]
"""A number, zero or more."""
Cpus = Annotated[
    float,
    AfterValidator(_positive),
    BeforeValidator(read_number),
    _number_schema(exclusiveMinimum=0),
]
"""CPUs, more than none: the engine reads 0 as "no limit"."""
Share = Annotated[float, BeforeValidator(read_share), _SHARE_SCHEMA]
"""0 to 1, written `5%` or `0.05`."""
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
"""`true` or `false`, and the older `yes`, `no`, `on`, `off`."""
CheckpointSignal = Annotated[
    str,
    BeforeValidator(_signal),
    WithJsonSchema(
        {
            "type": "string",
            "enum": [
                *CHECKPOINT_SIGNALS,
                *(name.removeprefix("SIG") for name in CHECKPOINT_SIGNALS),
            ],
        }
    ),
]
"""`SIGUSR1` or `SIGUSR2`; `USR1` is the same."""
Conflict = Annotated[
    SlotConflict, WithJsonSchema({"type": "string", "enum": [each.value for each in SlotConflict]})
]
"""`report` or `stop`."""
ToUnmanaged = Annotated[
    Response, WithJsonSchema({"type": "string", "enum": [each.value for each in Response]})
]
"""`report`, `warn` or `stop`."""
Name = Annotated[str, AfterValidator(_name)]
"""A person's or group's name."""
Names = Annotated[tuple[Name, ...], BeforeValidator(blank_is_empty)]
"""A list of names; may be empty."""
