"""What was used, for people: a question to the books."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ds01_spawner.domain.errors import InvalidRequest, PolicyError, Unavailable
from ds01_spawner.domain.usage import DAY, DayAmount, Grain, days_settled, merged
from ds01_spawner.domain.usage_projects import together
from ds01_spawner.domain.usage_report import (
    By,
    Period,
    Row,
    begin_of,
    hints,
    notes,
    past_platform,
    rows,
    total,
    whole_days,
)
from ds01_spawner.domain.usage_series import (
    Part,
    Step,
    check_length,
    missing_hours,
    parts,
    step_for,
)
from ds01_spawner.domain.work import LONGEST_GAP
from ds01_spawner.ports import Clock, LedgerReader, LedgerTransaction

_HOUR = timedelta(hours=1)
_LITTLE = 0.01
"""Of an hour: a rounding."""

_NO_SOURCE = "Where the figures for CO₂e come from cannot be read right now."
_MOST_READ = 8
_Span = tuple[datetime, datetime]


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
        hints: Sentences for administrators, on what they could do about it.
    """

    taken_at: datetime
    begin: datetime
    end: datetime
    rows: tuple[Row, ...]
    total: Row
    source: str | None
    notes: tuple[str, ...]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """What was used, step by step.

    Attributes:
        taken_at: When it was asked.
        begin: Of the days that count.
        end: Of them; now, if today is one.
        step: How long each part is.
        parts: All of them, from the first to the last.
        total: All of them together.
        kept_from: Since when there are books; `None` where there are none.
        kept_until: When they were last kept; `None` where nobody says.
        source: Who says what a kilowatt-hour emits; `None` where nobody does.
        notes: Sentences on what is not known.
        hints: Sentences for administrators, on what they could do about it.
    """

    taken_at: datetime
    begin: datetime
    end: datetime
    step: Step
    parts: tuple[Part, ...]
    total: Row
    kept_from: datetime | None
    kept_until: datetime | None
    source: str | None
    notes: tuple[str, ...]
    hints: tuple[str, ...] = ()


class Reports:
    """Answers questions.

    Args:
        clock: The time.
        ledger: Where the books are.
        source: Tells who says what a kilowatt-hour emits.
    """

    def __init__(
        self, *, clock: Clock, ledger: LedgerReader, source: Callable[[], str | None] = lambda: None
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._source = source
        self._read_days: tuple[datetime | None, dict[_Span, Sequence[DayAmount]]] = None, {}

    def report(self, question: Question) -> Report:
        """What was used.

        Raises:
            InvalidRequest: The days end before they begin.
            Unavailable: The ledger cannot be used.
        """
        now = self._clock.now()
        by = (question.by.value, "gpu_equivalents", "interface")
        with self._ledger.reading() as transaction:
            begin, end = self._days(question, now, transaction.usage_begin)
            parts = [
                *transaction.usage_booked(begin, end, question.user, by),
                *transaction.usage_held(begin, end, question.user, by),
            ]
            unlooked = self._unlooked(transaction, end, question.user)
        found = merged(parts)
        everything = total(found)
        source, lacking, problems = self._source_told()
        return Report(
            taken_at=now,
            begin=begin,
            end=end,
            rows=rows(found, question.by),
            total=everything,
            source=source,
            notes=(
                *notes(everything, source, unlooked),
                *past_platform(found),
                *together(found),
                *lacking,
            ),
            hints=problems or tuple(hints(everything, source)),
        )

    def knows(self, user: str) -> bool:
        """Whether anything of somebody is in the books, long as it may be ago.

        Raises:
            Unavailable: The ledger cannot be used.
        """
        now = self._clock.now()
        with self._ledger.reading() as transaction:
            first = transaction.usage_begin()
            if first is None:
                return False
            begin = Grain.DAY.begin_of(first)
            return any(
                next(iter(read(begin, now, user, ("user",))), None) is not None
                for read in (transaction.usage_booked, transaction.usage_held)
            )

    def series(self, question: Question, step: Step | None = None) -> Series:
        """What was used, step by step; by default the finest that a graph shows.

        Raises:
            InvalidRequest: The days end before they begin, or there are too many steps.
            Unavailable: The ledger cannot be used.
        """
        now = self._clock.now()
        with self._ledger.reading() as transaction:
            first, mark = transaction.usage_begin(), transaction.pass_mark()
            begin, end = self._days(question, now, lambda: first)
            chosen = step or step_for(begin, end)
            check_length(begin, end, chosen)
            days = [
                *self._whole_days(transaction, begin, end, question.user),
                *transaction.booked_by_day(Grain.HOUR, begin, end, question.user),
                *transaction.held_by_day(begin, end, question.user),
            ]
            unlooked = self._unlooked(transaction, end, question.user)
        last = None if mark is None else mark.wall
        found = parts(days, (begin, end), chosen, (first, last))
        everything = total(merged((holder, amount) for _, holder, amount in days))
        source, lacking, problems = self._source_told()
        return Series(
            taken_at=now,
            begin=begin,
            end=end,
            step=chosen,
            parts=found,
            total=everything,
            kept_from=first,
            kept_until=last,
            source=source,
            notes=(
                *_outside(first, last, begin, found),
                *notes(everything, source, unlooked),
                *lacking,
            ),
            hints=problems or tuple(hints(everything, source)),
        )

    @staticmethod
    def _unlooked(transaction: LedgerTransaction, end: datetime, user: str | None) -> float:
        """Hours held since the last look, where the next one is not late: they are no gap yet."""
        mark = transaction.pass_mark()
        if mark is None or not timedelta(0) <= end - mark.wall <= LONGEST_GAP:
            return 0.0
        return total(merged(transaction.usage_held(mark.wall, end, user))).gpu_hours

    def _whole_days(
        self, transaction: LedgerTransaction, begin: datetime, end: datetime, user: str | None
    ) -> Sequence[DayAmount]:
        """What is booked as days; everybody's is read once, until the books are put together."""
        folded = days_settled(transaction.usage_mark(), self._clock.now())
        last = Grain.DAY.begin_of(end)
        if user is not None or folded is None:
            return transaction.booked_by_day(Grain.DAY, begin, end, user)
        if self._read_days[0] != folded:
            self._read_days = folded, {}
        known = self._read_days[1]
        found = known.get((begin, last))
        if found is None:
            if len(known) >= _MOST_READ:
                known.clear()
            until = last if last == end else last + DAY
            found = known[begin, last] = transaction.booked_by_day(Grain.DAY, begin, until)
        return found

    def _source_told(self) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
        """Who says what a kilowatt-hour emits; that it is not known, and why for administrators."""
        try:
            return self._source(), (), ()
        except (PolicyError, Unavailable) as exc:
            return None, (_NO_SOURCE,), (str(exc),)

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


def _outside(
    first: datetime | None, last: datetime | None, begin: datetime, found: tuple[Part, ...]
) -> tuple[str, ...]:
    """That the books do not hold all of a period."""
    if first is None:
        return ("The books are empty: nobody has used a GPU yet.",)
    before = max(first - begin, timedelta())
    notes = []
    if before:
        notes.append(f"The books begin on {first:%Y-%m-%d}: what was used before is not known.")
    if last is not None and missing_hours(found) - before / _HOUR > _LITTLE:
        notes.append(
            f"The books were last kept on {last:%Y-%m-%d at %H:%M} UTC: what was used since is not"
            " known."
        )
    return tuple(notes)
