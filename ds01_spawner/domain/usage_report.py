"""What was used in a period, by person, group or project. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from ds01_spawner.domain.usage import DAY, Amount, Grain, Holder, added
from ds01_spawner.domain.usage_look import JOULES_PER_KWH
from ds01_spawner.domain.usage_unmanaged import UNMANAGED
from ds01_spawner.domain.wording import gpu_time, percent

_HOUR = 3600 * 10**6
_SECOND = 10**6
_SMALLEST_GAP = 0.05
"""Hours: less would be said to be 0.0."""
_SMALLEST_SHARE = 0.005
"""Less would be said to be 0 %."""


class Period(StrEnum):
    """How far back; each begins at midnight, UTC, and goes on until now."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    ALL = "all"


class By(StrEnum):
    """What the rows of a report are."""

    USER = "user"
    GROUP = "group"
    PROJECT = "project"


_DAYS = MappingProxyType({Period.WEEK: 7, Period.MONTH: 30, Period.YEAR: 365})


def begin_of(period: Period, now: datetime, first: datetime | None) -> datetime:
    """When a period begins: so many days, with today; or on the first day of all.

    Args:
        period: Which.
        now: The moment.
        first: Since when there is anything; `None` for nothing.
    """
    today = Grain.DAY.begin_of(now)
    if period is Period.ALL:
        return today if first is None else min(Grain.DAY.begin_of(first), today)
    return today - (_DAYS[period] - 1) * DAY


def whole_days(begin: datetime, end: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The days that a span touches, none of them after now."""
    last = Grain.DAY.begin_of(end)
    return Grain.DAY.begin_of(begin), min(last if last == end else last + DAY, now)


@dataclass(frozen=True, slots=True)
class Row:
    """What one person, group or project used; figures are `None` where nobody told.

    Attributes:
        name: Whose; empty for none.
        amount: Everything, added up.
        weighted_microseconds: What was held, each slot as its share of a whole GPU.
        queued_microseconds: What was waited for, likewise.
        unmanaged_microseconds: Of what was held, by containers past the platform; `None` where it
            was not asked.
    """

    name: str
    amount: Amount = field(default_factory=Amount)
    weighted_microseconds: float = 0.0
    queued_microseconds: float = 0.0
    unmanaged_microseconds: int | None = None

    @property
    def gpu_hours(self) -> float:
        """Slots were held, whatever their size."""
        return self.amount.held_microseconds / _HOUR

    @property
    def equivalent_hours(self) -> float:
        """The same, each slot as its share of a whole GPU."""
        return self.weighted_microseconds / _HOUR

    @property
    def unmanaged_hours(self) -> float | None:
        """Of `gpu_hours`, by containers past the platform."""
        held = self.unmanaged_microseconds
        return None if held is None else held / _HOUR

    @property
    def queued_equivalent_hours(self) -> float:
        """Slots were waited for, each as its share of a whole GPU."""
        return self.queued_microseconds / _HOUR

    @property
    def unseen_hours(self) -> float:
        """Of `gpu_hours`, while nobody looked."""
        amount = self.amount
        return max(amount.held_microseconds - amount.seen_microseconds, 0) / _HOUR

    @property
    def measured_hours(self) -> float:
        """Of `gpu_hours`, while it was told how busy the slot was."""
        return self.amount.measured_microseconds / _HOUR

    @property
    def busy_hours(self) -> float | None:
        """Of `measured_hours`, while it computed."""
        return self.amount.busy_microseconds / _HOUR if self.measured_hours else None

    @property
    def efficiency(self) -> float | None:
        """The share of the time measured in which the slots computed, 0 to 1."""
        amount = self.amount
        if not amount.measured_microseconds:
            return None
        return amount.busy_microseconds / amount.measured_microseconds

    @property
    def metered_hours(self) -> float:
        """Of `gpu_hours`, while the card told its energy."""
        return self.amount.metered_microseconds / _HOUR

    @property
    def energy_kwh(self) -> float | None:
        """What the cards took meanwhile."""
        if not self.amount.metered_microseconds:
            return None
        return self.amount.energy_millijoules / 1000 / JOULES_PER_KWH

    @property
    def co2e_kg(self) -> float | None:
        """What that emitted, as far as it was known then what a kilowatt-hour emits."""
        amount = self.amount
        return amount.co2e_micrograms / 10**9 if amount.rated_millijoules else None

    @property
    def mean_wait_seconds(self) -> float | None:
        """Of those who had to wait."""
        amount = self.amount
        return amount.waited_microseconds / amount.waits / _SECOND if amount.waits else None

    @property
    def mean_gave_up_seconds(self) -> float | None:
        """Of those who waited and were given nothing."""
        amount = self.amount
        return amount.gave_up_microseconds / amount.gave_up / _SECOND if amount.gave_up else None

    @property
    def longest_wait_seconds(self) -> float | None:
        """The longest."""
        amount = self.amount
        return amount.longest_wait_microseconds / _SECOND if amount.waits else None


def rows(totals: Mapping[Holder, Amount], by: By) -> tuple[Row, ...]:
    """One for each person, group or project, who used most first."""
    parts: dict[str, dict[Holder, Amount]] = {}
    for holder, amount in totals.items():
        parts.setdefault(str(getattr(holder, by.value)), {})[holder] = amount
    found = (total(each, name) for name, each in parts.items())
    return tuple(sorted(found, key=lambda row: (-row.weighted_microseconds, row.name)))


def total(totals: Mapping[Holder, Amount], name: str = "") -> Row:
    """Everything in one row; with what was held past the platform where doors are told apart."""
    weighted = sum(
        amount.held_microseconds * holder.gpu_equivalents for holder, amount in totals.items()
    )
    queued = sum(
        amount.queued_microseconds * holder.gpu_equivalents for holder, amount in totals.items()
    )
    return Row(name, added(totals.values()), weighted, queued, _unmanaged(totals))


def _unmanaged(totals: Mapping[Holder, Amount]) -> int | None:
    if not any(holder.interface for holder in totals):
        return None
    return sum(
        amount.held_microseconds
        for holder, amount in totals.items()
        if holder.interface.startswith(UNMANAGED)
    )


def past_platform(totals: Mapping[Holder, Amount]) -> Iterable[str]:
    """That somebody used GPUs past the platform, and how."""
    by: dict[str, int] = {}
    for holder, amount in totals.items():
        if holder.interface.startswith(UNMANAGED):
            kind = holder.interface.removeprefix(UNMANAGED)
            by[kind] = by.get(kind, 0) + amount.held_microseconds
    hours = {kind: held / _HOUR for kind, held in by.items()}
    if sum(hours.values()) < _SMALLEST_GAP:
        return
    said = ", ".join(f"{kind} {gpu_time(hours[kind])}" for kind in sorted(hours))
    yield (
        f"GPUs were held for {gpu_time(sum(hours.values()))} by containers that were started "
        f"past the platform ({said}). Nobody waited for these, and no limit held them."
    )


def notes(row: Row, source: str | None, unlooked: float = 0.0) -> Iterable[str]:
    """What a reader of a total has to know of it; the next look sees `unlooked` hours of it."""
    unseen = row.unseen_hours - unlooked
    if unseen > max(row.gpu_hours / 1000, _SMALLEST_GAP):
        yield (
            f"Of {gpu_time(row.gpu_hours)} with a GPU, the platform did not look for "
            f"{gpu_time(unseen)}: its lifecycle service did not run, or the GPUs could not be "
            "read. That time counts; how busy the GPU was, and what energy it took, is not known."
        )
    energy, rated = row.amount.energy_millijoules, row.amount.rated_millijoules
    nobody_said = energy and not rated and source is None
    if not nobody_said and rated < energy * (1 - _SMALLEST_SHARE):
        yield f"For {percent(1 - rated / energy)} of the energy nobody said what it emits."


def hints(row: Row, source: str | None) -> Iterable[str]:
    """What an administrator could do, so that more is known."""
    if row.amount.energy_millijoules and not row.amount.rated_millijoules and source is None:
        yield "Nobody said what a kilowatt-hour emits: you can, in carbon.yaml."
