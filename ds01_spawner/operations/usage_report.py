"""What was used, for people: a question to the books."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ds01_spawner.domain.errors import InvalidRequest, PolicyError, Unavailable
from ds01_spawner.domain.usage import merged
from ds01_spawner.domain.usage_report import (
    By,
    Period,
    Row,
    begin_of,
    notes,
    rows,
    total,
    whole_days,
)
from ds01_spawner.ports import Clock, Ledger


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        by: What the rows are.
        period: How far back, where nothing else is said.
        user: Whose alone; `None` for everybody's.
        since: Begin of the days that count, instead of the period's.
        until: Their end, instead of now.
    """

    by: By
    period: Period = Period.WEEK
    user: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was used.

    Attributes:
        taken_at: When it was asked.
        begin: Of the days that count.
        end: Of them; now, if today is one.
        rows: Who used most first.
        total: All of them together.
        source: Who says what a kilowatt-hour emits; `None` where nobody does.
        notes: Sentences on what is not known.
    """

    taken_at: datetime
    begin: datetime
    end: datetime
    rows: tuple[Row, ...]
    total: Row
    source: str | None
    notes: tuple[str, ...]


class Reports:
    """Answers questions.

    Args:
        clock: The time.
        ledger: Where the books are.
        source: Tells who says what a kilowatt-hour emits.
    """

    def __init__(
        self, *, clock: Clock, ledger: Ledger, source: Callable[[], str | None] = lambda: None
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._source = source

    def report(self, question: Question) -> Report:
        """What was used.

        Raises:
            InvalidRequest: The days end before they begin.
            Unavailable: The ledger cannot be used.
        """
        now = self._clock.now()
        by = (question.by.value, "gpu_equivalents")
        with self._ledger.transaction() as transaction:
            begin, end = self._days(question, now, transaction.usage_begin)
            parts = [
                *transaction.usage_booked(begin, end, question.user, by),
                *transaction.usage_held(begin, end, question.user, by),
            ]
        found = merged(parts)
        everything = total(found)
        source, problems = self._source_told()
        return Report(
            taken_at=now,
            begin=begin,
            end=end,
            rows=rows(found, question.by),
            total=everything,
            source=source,
            notes=(*notes(everything, source), *problems),
        )

    def _source_told(self) -> tuple[str | None, tuple[str, ...]]:
        try:
            return self._source(), ()
        except (PolicyError, Unavailable) as exc:
            return None, (str(exc),)

    @staticmethod
    def _days(
        question: Question, now: datetime, first: Callable[[], datetime | None]
    ) -> tuple[datetime, datetime]:
        since, until = question.since, question.until or now
        if since is None:
            anything = first() if question.period is Period.ALL else None
            since = begin_of(question.period, min(until, now), anything)
        begin, end = whole_days(since, until, now)
        if end < begin:
            raise InvalidRequest("These days end before they begin.", "Say since before until.")
        return begin, end
