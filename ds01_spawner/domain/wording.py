"""Times, spans, sizes and names as people read them. Pure."""

import unicodedata
from datetime import datetime, timedelta, tzinfo

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_LONGEST = 80
_UNSAFE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_KIB = 1024
_FEW_MINUTES = 7
_MINUTES_TO = 57
_HOURS_TO = 24
_MINUTE_SECONDS, _HOUR_SECONDS = 60, 3600


def clean(text: str, longest: int = _LONGEST) -> str:
    """`text` on one line of a terminal: nothing in it controls anything, and it is cut.

    What could is replaced by `�`: control characters, those that turn the direction of writing,
    those that nobody sees, line ends, and halves of characters.
    """
    safe = "".join("�" if unicodedata.category(char) in _UNSAFE else char for char in text)
    return safe if len(safe) <= longest else f"{safe[: longest - 1]}…"


def clock_time(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """`14:35`, `14:35 tomorrow`, `14:35 on Friday 6 February`; with the year if it is another."""
    there, today = moment.astimezone(zone), now.astimezone(zone).date()
    text = f"{there:%H:%M}"
    apart = (there.date() - today).days
    if apart == 0:
        return text
    if abs(apart) == 1:
        return f"{text} {'tomorrow' if apart == 1 else 'yesterday'}"
    year = "" if there.year == today.year else f" {there.year}"
    return f"{text} on {_date(there)}{year}"


def date_and_time(moment: datetime, zone: tzinfo) -> str:
    """`Saturday 31 January, 14:35`."""
    there = moment.astimezone(zone)
    return f"{_date(there)}, {there:%H:%M}"


def span(duration: timedelta) -> str:
    """`24 minutes`, `1 hour 20 minutes`, `3 days 2 hours`: to the minute, later to the hour."""
    minutes = max(round(duration / timedelta(minutes=1)), 0)
    if minutes == 0:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:  # noqa: PLR2004 - two days
        return _joined(_counted(hours // 24, "day"), _counted(hours % 24, "hour"))
    return _joined(_counted(hours, "hour"), _counted(minutes, "minute"))


def length(duration: timedelta) -> str:
    """How long a limit is: `20 seconds`, `1 minute 30 seconds`, from there on as `span`."""
    seconds = max(round(duration / timedelta(seconds=1)), 0)
    if seconds == 0:
        return "no time"
    minutes, rest = divmod(seconds, 60)
    if minutes > 1:
        return span(duration)
    return _joined(_counted(minutes, "minute"), _counted(rest, "second"))


def about(duration: timedelta) -> str:
    """An estimate: `a few minutes`, `about 25 minutes`, `about 3 hours`, `more than a day`."""
    minutes = duration / timedelta(minutes=1)
    if minutes < _FEW_MINUTES:
        return "a few minutes"
    if minutes < _MINUTES_TO:
        return f"about {5 * round(minutes / 5)} minutes"
    hours = round(minutes / 60)
    return "more than a day" if hours > _HOURS_TO else f"about {_counted(max(hours, 1), 'hour')}"


def percent(share: float) -> str:
    """`45 %`, of 0.45."""
    return f"{share * 100:.0f} %"


def gpu_time(hours: float) -> str:
    """How long a GPU was held: `3.2 hours`, `12 minutes`, `40 seconds`; never 0 of what was."""
    seconds = max(hours, 0.0) * _HOUR_SECONDS
    if seconds >= _HOUR_SECONDS:
        number = f"{hours:,.1f}".removesuffix(".0")
        return "1 hour" if number == "1" else f"{number} hours"
    if round(seconds) >= _MINUTE_SECONDS:
        return _counted(round(seconds / _MINUTE_SECONDS), "minute")
    return _counted(max(round(seconds), 1), "second") if seconds else "no time"


def size(size_bytes: int) -> str:
    """`82.4 GB`, `512 MB`: binary units by the names that people use."""
    amount, units = float(size_bytes), ["bytes", "KB", "MB", "GB", "TB", "PB"]
    while amount >= 1000 and len(units) > 1:  # noqa: PLR2004 - three digits are read at a glance
        amount, units = amount / _KIB, units[1:]
    shown = f"{amount:.1f}" if amount < 100 else f"{amount:.0f}"  # noqa: PLR2004
    return f"{shown.removesuffix('.0')} {units[0]}"


def _date(there: datetime) -> str:
    # Not strftime: it speaks the language of whoever started the process.
    return f"{_DAYS[there.weekday()]} {there.day} {_MONTHS[there.month - 1]}"


def _counted(number: int, noun: str) -> str:
    return "" if number == 0 else f"{number} {noun}{'' if number == 1 else 's'}"


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)
