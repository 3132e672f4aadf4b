"""Durations and sizes as people write them: `90s`, `30m`, `48h`, `7d`; `512m`, `32g`, `1t`."""

import re
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache

DURATION_PATTERN = r"^\d+(\.\d+)? ?[smhd]$"
SIZE_PATTERN = r"^\d+(\.\d+)? ?([kmgtpKMGTP]([iI]?[bB])?|[bB])$"

_MAX_DURATION = timedelta(days=36_500)
_MAX_SIZE = 2**63 - 1
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_BYTES = {"p": 1024**5, "t": 1024**4, "g": 1024**3, "m": 1024**2, "k": 1024, "b": 1}
_IN_WORDS = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))
_DURATION = re.compile(DURATION_PATTERN, re.ASCII)
_SIZE = re.compile(SIZE_PATTERN, re.ASCII)
_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)


@lru_cache(maxsize=1024)  # a policy says the same few values to thousands of people
def parse_duration(text: str) -> timedelta:
    """The time that `text` spells: a number and one of `s`, `m`, `h`, `d`.

    Raises:
        ValueError: It is anything else; the message says what was expected.
    """
    expected = "expected a duration such as 90s, 30m, 48h or 7d"
    if _DURATION.match(text) is None:
        raise ValueError(_fault(text, expected, "48h"))
    seconds = Fraction(text[:-1].strip()) * _SECONDS[text[-1]]
    if seconds > _MAX_DURATION.total_seconds():
        raise ValueError(f"{text!r} is more than 100 years; {expected}")
    return timedelta(microseconds=round(seconds * 1_000_000))


@lru_cache(maxsize=1024)
def parse_size(text: str) -> int:
    """The bytes that `text` spells: a number and one of `b`, `k`, `m`, `g`, `t`, `p`, binary.

    `32g`, `32G`, `32GB` and `32 GiB` are the same.

    Raises:
        ValueError: It is anything else; the message says what was expected.
    """
    expected = "expected a size such as 512m, 32g or 1t"
    if _SIZE.match(text) is None:
        raise ValueError(_fault(text, expected, "32g"))
    number = text.rstrip("bBiI ") if text[-1] in "bB" else text
    unit = number[-1].lower()
    if unit not in _BYTES:
        number, unit = f"{number} ", "b"
    size = round(Fraction(number[:-1].strip()) * _BYTES[unit])
    if size > _MAX_SIZE:
        raise ValueError(f"{text!r} is more than any machine has; {expected}")
    return size


def format_duration(duration: timedelta) -> str:
    """The shortest exact spelling that `parse_duration` reads: `48h`, `90s`, `7d`, `1.5s`.

    Days are used from a week on, so that `48h` stays `48h`.
    """
    microseconds = duration // timedelta(microseconds=1)
    for unit in "dhm":
        whole, rest = divmod(microseconds, _SECONDS[unit] * 1_000_000)
        if whole and not rest and (unit != "d" or whole >= 7):  # noqa: PLR2004 - a week
            return f"{whole}{unit}"
    whole, rest = divmod(microseconds, 1_000_000)
    return f"{whole}.{rest:06}".rstrip("0").rstrip(".") + "s" if rest else f"{whole}s"


def format_size(size: int) -> str:
    """The shortest exact spelling that `parse_size` reads: `32g`, `1536m`, `100b`."""
    for unit, factor in _BYTES.items():
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}b"


def amount_in_words(size: float) -> str:
    """Bytes as people say them: `64 GiB`, `1.5 GiB`, `100 bytes`."""
    for unit, factor in _IN_WORDS:
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size:g} bytes"


def _fault(text: str, expected: str, example: str) -> str:
    number = _NUMBER.match(text)
    if number is None:
        return f"{expected}; found {text!r}"
    if text.startswith("-"):
        return f"{text} is negative; {expected}"
    if number.end() == len(text):
        return f"{text} has no unit; {expected} (did you mean {text.lstrip('+')}{example[-1]}?)"
    return f"{text[number.end() :].strip()!r} is not a unit; {expected}"
