"""What a kilowatt-hour emits from moment to moment, and what is booked of hours by it. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain.usage import HOUR, KEEP_HOURS, Amount, Booking, Grain, Holder
from ds01_spawner.domain.usage_look import JOULES_PER_KWH, Intensity, no_intensity

LONGEST_ROW = timedelta(days=1)
"""A row of the series says nothing of later times, also where no other follows."""

_MILLIJOULES_PER_KWH = JOULES_PER_KWH * 1000
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Series:
    """What a kilowatt-hour emitted, from moment to moment.

    Attributes:
        times: When each figure begins to hold, in order.
        grams: They.
    """

    times: tuple[datetime, ...] = ()
    grams: tuple[float, ...] = ()

    def at(self, moment: datetime) -> float | None:
        """The figure that holds at a moment, or `None`."""
        place = bisect_right(self.times, moment) - 1
        if place < 0 or moment - self.times[place] > LONGEST_ROW:
            return None
        return self.grams[place]

    def of_hour(self, begin: datetime) -> float | None:
        """The mean over the hour that begins then; `None` where not all of it is told."""
        moment, end, weighted = begin, begin + HOUR, 0.0
        while moment < end:
            place = bisect_right(self.times, moment) - 1
            if place < 0 or moment - self.times[place] >= LONGEST_ROW:
                return None
            until = min([end, self.times[place] + LONGEST_ROW, *self.times[place + 1 : place + 2]])
            weighted += self.grams[place] * ((until - moment) / HOUR)
            moment = until
        return weighted


@dataclass(frozen=True, slots=True)
class Rates:
    """What is known of emissions.

    Attributes:
        at: What a kilowatt-hour emits at a moment.
        series: What of that comes from a time series; it may tell of what is past.
        notes: Sentences on what could not be read, and what counts instead.
    """

    at: Intensity = no_intensity
    series: Series = Series()
    notes: tuple[str, ...] = ()


def told_anew(series: Series, before: Series | None, now: datetime) -> Iterator[datetime]:
    """Begins of hours of which a series tells something else than it did before.

    Only of those that are over, and that are kept as hours.

    Args:
        series: What it tells.
        before: What it told; `None` where nobody remembers.
        now: The moment.
    """
    hour = Grain.DAY.begin_of(now) - KEEP_HOURS
    while series.times and hour + HOUR <= now:
        grams = series.of_hour(hour)
        if grams is not None and (before is None or before.of_hour(hour) != grams):
            yield hour
        hour += HOUR


def corrections(
    booked: Iterable[tuple[Holder, Amount]], hour: datetime, grams: float
) -> Iterator[Booking]:
    """What has to be added to an hour so that all of its energy emitted so much."""
    for holder, amount in booked:
        emitted = round(amount.energy_millijoules * _MICRO * grams / _MILLIJOULES_PER_KWH)
        missing = replace(
            Amount(),
            rated_millijoules=amount.energy_millijoules - amount.rated_millijoules,
            co2e_micrograms=emitted - amount.co2e_micrograms,
        )
        if missing != Amount():
            yield Booking(holder, hour, missing)
