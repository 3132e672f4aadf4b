"""What was used step by step through a period: for graphs. Pure.

A step outside of what the books hold is not known, which is not nothing: graphs leave it open.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.usage import DAY, Amount, DayAmount, Grain, Holder, merged
from ds01_spawner.domain.usage_report import Row, total

MOST_DAYS = 92
MOST_WEEKS = 120
"""More steps than these are finer than a graph of a page's width shows."""

MOST_STEPS = 4000
"""Of a series: the days of ten years."""

LATE = timedelta(minutes=10)
"""The books may be this far behind: they are kept once in a pass of the lifecycle service."""

_WEEK = 7 * DAY
_HOUR = timedelta(hours=1)


class Step(StrEnum):
    """How long each part of a series is; weeks begin on Monday, days at midnight, UTC."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def begin_of(self, moment: datetime) -> datetime:
        """When the step of `moment` began."""
        day = Grain.DAY.begin_of(moment)
        if self is Step.WEEK:
            return day - day.weekday() * DAY
        return day.replace(day=1) if self is Step.MONTH else day

    def after(self, begin: datetime) -> datetime:
        """When the step that began then ends."""
        if self is Step.MONTH:
            return (begin + 31 * DAY).replace(day=1)
        return begin + (_WEEK if self is Step.WEEK else DAY)


def step_for(begin: datetime, end: datetime) -> Step:
    """The finest step that a graph of this period shows."""
    long = end - begin
    if long <= MOST_DAYS * DAY:
        return Step.DAY
    return Step.WEEK if long <= MOST_WEEKS * _WEEK else Step.MONTH


def check_length(begin: datetime, end: datetime, step: Step) -> None:
    """Return when a period has no more steps than anybody looks at.

    Raises:
        InvalidRequest: It has.
    """
    shortest = {Step.DAY: DAY, Step.WEEK: _WEEK, Step.MONTH: 28 * DAY}[step]
    count = (end - begin) // shortest
    if count > MOST_STEPS:
        raise InvalidRequest(
            f"From {begin:%Y-%m-%d} on these are about {count} steps of a {step.value}; "
            f"at most {MOST_STEPS} are told.",
            "Ask for longer steps, or from a later day on.",
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One step.

    Attributes:
        begin: Of it; the first one is cut to the period.
        end: Of it, or of the period, or now.
        missing: How much of it is outside of the books: nobody knows what was used.
        used: What was used in the rest.
    """

    begin: datetime
    end: datetime
    missing: timedelta
    used: Row

    @property
    def is_known(self) -> bool:
        """Whether the books hold any of it."""
        return self.missing < self.end - self.begin or self.end == self.begin


def parts(
    days: Iterable[DayAmount],
    span: tuple[datetime, datetime],
    step: Step,
    kept: tuple[datetime | None, datetime | None],
) -> tuple[Part, ...]:
    """Every step of a period, the empty ones too.

    Args:
        days: What was used, by day; a day may come several times.
        span: Begin and end of the period.
        step: How long each is.
        kept: From when until when the books are kept; no begin is no books, no end is until now.
    """
    by_step: dict[datetime, list[tuple[Holder, Amount]]] = {}
    for day, holder, amount in days:
        by_step.setdefault(step.begin_of(day), []).append((holder, amount))
    found = []
    for begin, end in _steps(span, step):
        used = total(merged(by_step.get(step.begin_of(begin), ())), begin.date().isoformat())
        found.append(Part(begin, end, _missing(begin, end, kept), used))
    return tuple(found)


def missing_hours(series: Sequence[Part]) -> float:
    """Hours of a period of which the books hold nothing."""
    return sum((each.missing for each in series), timedelta()) / _HOUR


def _steps(span: tuple[datetime, datetime], step: Step) -> Iterable[tuple[datetime, datetime]]:
    begin, end = span
    while begin < end:
        following = step.after(step.begin_of(begin))
        yield begin, min(following, end)
        begin = following


def _missing(
    begin: datetime, end: datetime, kept: tuple[datetime | None, datetime | None]
) -> timedelta:
    first, last = kept
    if first is None:
        return end - begin
    seen_from = max(begin, first)
    seen_until = end if last is None or end - last <= LATE else min(end, last)
    return (end - begin) - max(seen_until - seen_from, timedelta())
