"""Figures and times as templates say them."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from jinja2 import pass_context
from jinja2.runtime import Context

from ds01_spawner.charts import amounts
from ds01_spawner.domain.page_words import titled
from ds01_spawner.domain.wording import about, clock_time, length, size, span

NEVER = "never"
UNKNOWN = "not known"
UNLIMITED = "unlimited"

_DAY = timedelta(days=1)


def sized(size_bytes: float | None) -> str:
    """`82.4 GB`."""
    return UNKNOWN if size_bytes is None else size(int(size_bytes))


@pass_context
def clocked(context: Context, moment: datetime | None) -> str:
    """`14:35`, `14:35 tomorrow`: in the server's time zone."""
    return NEVER if moment is None else clock_time(moment, context["now"], context["zone"])


@pass_context
def to_the_second(context: Context, moment: datetime) -> str:
    """`14:35:07`: in the server's time zone."""
    return f"{moment.astimezone(context['zone']):%H:%M:%S}"


@pass_context
def ahead(context: Context, moment: datetime) -> str:
    """`in 2 hours 5 minutes`, `now`."""
    left: timedelta = moment - context["now"]
    return "now" if left <= timedelta(0) else f"in {span(left)}"


@pass_context
def aged(context: Context, moment: datetime | None) -> str:
    """`3 days ago`, `just now`."""
    if moment is None:
        return UNKNOWN
    past: timedelta = context["now"] - moment
    if past < timedelta(minutes=1):
        return "just now"
    return f"{past.days} day{'s' * (past.days > 1)} ago" if past >= _DAY else f"{span(past)} ago"


def lasting(seconds: float | None) -> str:
    """`2 hours 5 minutes`."""
    return UNLIMITED if seconds is None else length(timedelta(seconds=seconds))


def expected(seconds: float | None) -> str:
    """`about 25 minutes`; empty where nothing tells."""
    return "" if seconds is None else about(timedelta(seconds=seconds))


def counted(number: float | None) -> str:
    """`3`, `0.5`; without trailing zeros."""
    return UNKNOWN if number is None else f"{number:g}"


def share(part: float | None, whole: float | None) -> float | None:
    """From 0 to 1; `None` where there is nothing to compare."""
    if part is None or not whole:
        return None
    return min(max(part / whole, 0.0), 1.0)


def in_path(text: str) -> str:
    """As JupyterHub writes names in addresses."""
    return quote(text, safe="@~")


def asked_gpu(size: str) -> str:
    """A size as it was asked for: `any part`, `whole`, `2g.10gb`."""
    return {"mig": "any part", "full": "whole"}.get(size, size)


def image_name(reference: str) -> str:
    """An image as its users call it: those of their own without what the platform puts before."""
    place, _, name = reference.partition("/")
    return name if name and place.startswith("ds01-") else reference


FILTERS: Mapping[str, Callable[..., Any]] = {
    "sized": sized,
    "clocked": clocked,
    "to_the_second": to_the_second,
    "ahead": ahead,
    "aged": aged,
    "asked_gpu": asked_gpu,
    "expected": expected,
    "lasting": lasting,
    "counted": counted,
    "image_name": image_name,
    "in_path": in_path,
    "gpu_hours": amounts.hours,
    "energy": amounts.energy,
    "emitted": amounts.emitted,
    "share": share,
    "titled": titled,
}
