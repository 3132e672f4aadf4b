"""The filters of prunes, and the moments that they say. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.reading.filters import Filters

_KNOWN = frozenset({"label", "label!", "until"})
_SECONDS = re.compile(r"^\d{1,12}(?:\.\d{1,9})?\Z", re.ASCII)
_DURATION = re.compile(r"^(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s))+\Z", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)", re.ASCII)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def check_prune_filters(filters: Filters, now: datetime) -> datetime | None:
    """Until when something must have been made to be pruned, or `None`.

    Raises:
        InvalidRequest: A filter is not known, or `until` is no moment.
    """
    for name in filters:
        if name not in _KNOWN:
            raise InvalidRequest(f"invalid filter {shown(name)}")
    moments: Sequence[str] = filters.get("until", ())
    if len(moments) > 1:
        raise InvalidRequest("more than one until filter specified")
    return moment(moments[0], now) if moments else None


def moment(text: str, now: datetime) -> datetime:
    """The moment that `24h`, `1700000000` or `2026-01-31T12:00:00` says.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        if _SECONDS.match(text):
            return datetime.fromtimestamp(float(text), UTC)
        if _DURATION.match(text):
            parts = _DURATION_PART.findall(text)
            return now - timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in parts))
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as exc:
        raise InvalidRequest(
            f"{shown(text)} is not a time.", "Use 24h, or 2026-01-31T12:00:00."
        ) from exc
    return found if found.tzinfo else found.astimezone()
