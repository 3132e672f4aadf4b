"""What is booked of GPU slots: who held how much of them, how busy, for what energy. Pure.

Amounts are whole microseconds, millijoules and micrograms, so that their sums are the same in any
order, and before and after they are put together to hours and days. Hours and days are those of
UTC.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter, sub

from ds01_spawner.domain.allocation import UsageInterval

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

KEEP_INTERVALS = timedelta(days=35)
"""What ended longer ago is kept as hours; the queue's fair share looks back for less."""

KEEP_HOURS = timedelta(days=45)
"""Older hours are kept as days."""


class Grain(StrEnum):
    """How finely something is booked."""

    HOUR = "hour"
    DAY = "day"

    def begin_of(self, moment: datetime) -> datetime:
        """When the hour or day of `moment` began."""
        moment = moment.astimezone(UTC)
        hour = moment.hour if self is Grain.HOUR else 0
        return moment.replace(hour=hour, minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom something is booked for.

    Attributes:
        user: Who.
        group: Their policy group then; empty where nobody said, as in what follows.
        project: Project.
        interface: The door.
        profile: `full`, or a MIG profile name.
        gpu_equivalents: What a slot of theirs counts of a whole GPU.
    """

    user: str = ""
    group: str = ""
    project: str = ""
    interface: str = ""
    profile: str = ""
    gpu_equivalents: float = 0.0


HOLDER_FIELDS = tuple(field.name for field in fields(Holder))
"""What holders are told apart by; a question may ask for fewer, and the others are empty."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much.

    Attributes:
        held_microseconds: Slots were held.
        seen_microseconds: Somebody looked meanwhile; what is held and not seen is a gap.
        measured_microseconds: The driver told how busy the slot was.
        busy_microseconds: Of that, it computed.
        metered_microseconds: The card told its energy.
        energy_millijoules: How much that was.
        rated_millijoules: Of that, for how much it was known what it emits.
        co2e_micrograms: And that is what it emitted.
        grants: How often slots were given.
        waits: How often after a wait.
        waited_microseconds: All waits together.
        longest_wait_microseconds: The longest of them.
        gave_up: How often somebody waited and was given nothing.
        gave_up_microseconds: All these waits together.
        queued_microseconds: Slots were waited for, whether they were given in the end or not.
    """

    held_microseconds: int = 0
    seen_microseconds: int = 0
    measured_microseconds: int = 0
    busy_microseconds: int = 0
    metered_microseconds: int = 0
    energy_millijoules: int = 0
    rated_millijoules: int = 0
    co2e_micrograms: int = 0
    grants: int = 0
    waits: int = 0
    waited_microseconds: int = 0
    longest_wait_microseconds: int = 0
    gave_up: int = 0
    gave_up_microseconds: int = 0
    queued_microseconds: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return added((self, other))


LARGEST = frozenset({"longest_wait_microseconds"})
"""Of these the largest counts; all others add up."""

_FIELDS = tuple(field.name for field in fields(Amount))
_TOGETHER = tuple(max if name in LARGEST else sum for name in _FIELDS)
_figures = attrgetter(*_FIELDS)


def added(amounts: Collection[Amount]) -> Amount:
    """All of them together. Column by column: a report adds up thousands."""
    if len(amounts) < 2:  # noqa: PLR2004 - there is nothing to add up
        return next(iter(amounts), Amount())
    columns = zip(_TOGETHER, zip(*map(_figures, amounts), strict=True), strict=True)
    return Amount(*[together(column) for together, column in columns])


@dataclass(frozen=True, slots=True)
class Booking:
    """An amount of one hour or day.

    Attributes:
        holder: Whose.
        begin: When the hour or day began.
        amount: How much.
    """

    holder: Holder
    begin: datetime
    amount: Amount


DayAmount = tuple[datetime, Holder, Amount]
"""What was used on a day; the same day and holder may come several times."""


@dataclass(frozen=True, slots=True)
class UsageMark:
    """How far the books are kept.

    Attributes:
        event_place: Up to here the event log is read.
        folded_at: When old intervals and hours were last put together; `None` for never.
        kept_at: When they were last kept; `None` for never.
    """

    event_place: str
    folded_at: datetime | None = None
    kept_at: datetime | None = None


def days_settled(mark: UsageMark | None, now: datetime) -> datetime | None:
    """When days were last put together, if none changes before the next day; `None` otherwise."""
    folded = None if mark is None else mark.folded_at
    return folded if folded is not None and folded >= Grain.DAY.begin_of(now) else None


def holder_of(interval: UsageInterval) -> Holder:
    """Whom an interval is booked for."""
    return Holder(
        interval.user,
        interval.group,
        interval.project,
        interval.interface,
        interval.profile,
        interval.gpu_equivalents,
    )


def microseconds(span: timedelta) -> int:
    """A span as a whole number; none below nothing."""
    return max(span // MICROSECOND, 0)


def spread(amount: Amount, begin: datetime, end: datetime) -> Iterator[tuple[datetime, Amount]]:
    """The parts of an amount of `begin` to `end` that fall into each hour; their sum is `amount`.

    Each part is in proportion to its time, rounded so that nothing is lost.
    """
    whole = microseconds(end - begin)
    if whole == 0:
        if amount != Amount():
            yield Grain.HOUR.begin_of(begin), amount
        return
    figures = _figures(amount)
    done: Sequence[int] = _figures(Amount())
    hour = Grain.HOUR.begin_of(begin)
    while hour < end:
        passed = microseconds(min(hour + HOUR, end) - begin)
        so_far = [figure * passed // whole for figure in figures]
        yield hour, Amount(*map(sub, so_far, done))
        done = so_far
        hour += HOUR


def held_in(interval: UsageInterval, begin: datetime, end: datetime) -> int:
    """Microseconds of a period in which an interval held its slot and that are in no hour yet."""
    first = max(begin, interval.folded_until or interval.started_at, interval.started_at)
    last = end if interval.ended_at is None else min(end, interval.ended_at)
    return microseconds(last - first)


def fold(
    interval: UsageInterval, until: datetime
) -> tuple[tuple[Booking, ...], UsageInterval | None]:
    """The hours of an interval before `until`, and what is left of it; `None` when it is over."""
    begin = interval.folded_until or interval.started_at
    end = until if interval.ended_at is None else min(until, interval.ended_at)
    holder, held = holder_of(interval), Amount(held_microseconds=held_in(interval, begin, end))
    parts = spread(held, begin, end) if end > begin else ()
    bookings = tuple(Booking(holder, hour, part) for hour, part in parts)
    if interval.ended_at is not None and interval.ended_at <= until:
        return bookings, None
    return bookings, replace(interval, folded_until=max(begin, until))


def put_together(bookings: Iterable[Booking], grain: Grain) -> tuple[Booking, ...]:
    """The same amounts, one for each holder and hour or day."""
    found: dict[tuple[Holder, datetime], list[Amount]] = {}
    for each in bookings:
        found.setdefault((each.holder, grain.begin_of(each.begin)), []).append(each.amount)
    return tuple(
        Booking(holder, begin, added(amounts)) for (holder, begin), amounts in found.items()
    )


def merged(parts: Iterable[tuple[Holder, Amount]]) -> Mapping[Holder, Amount]:
    """One amount for each holder."""
    found: dict[Holder, list[Amount]] = {}
    for holder, amount in parts:
        found.setdefault(holder, []).append(amount)
    return {holder: added(amounts) for holder, amounts in found.items()}
