"""What one look adds to the intervals that last: that they were seen, how busy, for what energy.

What lies between two looks counts as what the second found, if they are no further apart than
`LONGEST_GAP`. A longer time was seen by nobody: it is held, and nothing else is said of it.

Containers that share a slot, which the platform gives to one, have an equal part each of what its
card tells: together they were no busier, and took no more energy, than it was. Pure.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.gpu import CardPower, Slot, SlotActivity
from ds01_spawner.domain.usage import Amount, Booking, holder_of, microseconds, spread
from ds01_spawner.domain.usage_clock import booked_until
from ds01_spawner.domain.work import LONGEST_GAP

JOULES_PER_KWH = 3_600_000
MOST_WATTS = 5_000.0
"""No card takes more; a counter that says so was set."""

_OF_CARDS = (
    "measured_microseconds",
    "busy_microseconds",
    "metered_microseconds",
    "energy_millijoules",
    "rated_millijoules",
    "co2e_micrograms",
)
"""What cards tell: of a slot and not of each container."""

Intensity = Callable[[datetime], float | None]
"""Grams of CO2e for a kilowatt-hour at a moment; `None` where nobody knows."""


def no_intensity(_moment: datetime) -> float | None:
    """Nobody knows."""
    return None


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of the cards at one moment.

    Attributes:
        taken_at: When.
        slots: Every slot, by the UUID of its device.
        activity: What slots do, by the same; one that could not be read is missing.
        power: What cards take, by UUID; one that could not be read is missing.
    """

    taken_at: datetime
    slots: Mapping[str, Slot] = field(default_factory=dict)
    activity: Mapping[str, SlotActivity] = field(default_factory=dict)
    power: Mapping[str, CardPower] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look adds.

    Attributes:
        intervals: Those that were looked at, as they are now.
        bookings: By hour.
    """

    intervals: tuple[UsageInterval, ...]
    bookings: tuple[Booking, ...]


def sight(
    intervals: Iterable[UsageInterval], look: Look, before: Look | None, intensity: Intensity
) -> Sight:
    """What a look adds to the intervals that last.

    Args:
        intervals: Those that last.
        look: This look.
        before: The one before, by the same process: energy counters are read as differences.
        intensity: What a kilowatt-hour emits.
    """
    seen: list[UsageInterval] = []
    bookings: list[Booking] = []
    lasting = tuple(intervals)
    sharers = Counter(each.gpu_uuid for each in lasting)
    for interval in lasting:
        begin = booked_until(interval, look.taken_at)
        if begin >= look.taken_at:
            if begin != (interval.seen_at or interval.started_at):
                seen.append(replace(interval, seen_at=begin))
            continue
        amount = Amount()
        if look.taken_at - begin <= LONGEST_GAP:
            amount = _amount(interval, begin, look, before, intensity)
            amount = _part(amount, sharers[interval.gpu_uuid])
        seen.append(_with(interval, amount, look.taken_at))
        bookings += _booked(interval, amount, begin, look.taken_at)
    return Sight(tuple(seen), tuple(bookings))


def ending(interval: UsageInterval) -> tuple[UsageInterval, tuple[Booking, ...]]:
    """An interval that ended, with the time since the last look: it ran, nobody knows how busy."""
    begin, end = interval.seen_at or interval.started_at, interval.ended_at
    if end is None or end <= begin or end - begin > LONGEST_GAP or not interval.end_known:
        return interval, ()
    amount = Amount(seen_microseconds=microseconds(end - begin))
    return _with(interval, amount, end), tuple(_booked(interval, amount, begin, end))


def _amount(
    interval: UsageInterval,
    begin: datetime,
    look: Look,
    before: Look | None,
    intensity: Intensity,
) -> Amount:
    span = microseconds(look.taken_at - begin)
    amount = Amount(seen_microseconds=span)
    activity = look.activity.get(interval.gpu_uuid)
    if activity is not None and activity.utilisation is not None:
        share = min(max(activity.utilisation, 0.0), 1.0)
        amount = replace(amount, measured_microseconds=span, busy_microseconds=round(span * share))
    joules = _joules(interval, look.taken_at - begin, look, before)
    if joules is None:
        return amount
    energy = round(joules * 1000)
    amount = replace(amount, metered_microseconds=span, energy_millijoules=energy)
    grams = intensity(look.taken_at)
    if grams is None:
        return amount
    micrograms = round(joules / JOULES_PER_KWH * grams * 1_000_000)
    return replace(amount, rated_millijoules=energy, co2e_micrograms=micrograms)


def _part(amount: Amount, sharers: int) -> Amount:
    return replace(amount, **{name: getattr(amount, name) // sharers for name in _OF_CARDS})


def _joules(
    interval: UsageInterval, span: timedelta, look: Look, before: Look | None
) -> float | None:
    """The slot's share of what its card took: by the card's counter, else by its power now.

    No card tells it of a part: that gets the share of the card that it computes on.
    """
    slot = look.slots.get(interval.gpu_uuid)
    power = look.power.get(slot.gpu_uuid) if slot else None
    if slot is None or power is None:
        return None
    watts = _mean_watts(slot.gpu_uuid, power, look, before)
    if watts is None:
        watts = power.power_watts
    if watts is None or not 0 <= watts <= MOST_WATTS:
        return None
    return watts * span.total_seconds() * slot.equivalents


def _mean_watts(gpu_uuid: str, power: CardPower, look: Look, before: Look | None) -> float | None:
    """Since the look before, by the counter; `None` where it does not tell or was set back."""
    earlier = before.power.get(gpu_uuid) if before else None
    if before is None or earlier is None:
        return None
    if power.energy_joules is None or earlier.energy_joules is None:
        return None
    seconds = (look.taken_at - before.taken_at).total_seconds()
    joules = power.energy_joules - earlier.energy_joules
    if not 0 < seconds <= LONGEST_GAP.total_seconds():
        return None
    return joules / seconds if 0 <= joules <= MOST_WATTS * seconds else None


def _with(interval: UsageInterval, amount: Amount, seen_at: datetime) -> UsageInterval:
    return replace(
        interval,
        seen_at=seen_at,
        seen_microseconds=interval.seen_microseconds + amount.seen_microseconds,
        measured_microseconds=interval.measured_microseconds + amount.measured_microseconds,
        busy_microseconds=interval.busy_microseconds + amount.busy_microseconds,
        metered_microseconds=interval.metered_microseconds + amount.metered_microseconds,
        energy_millijoules=interval.energy_millijoules + amount.energy_millijoules,
    )


def _booked(
    interval: UsageInterval, amount: Amount, begin: datetime, end: datetime
) -> Iterable[Booking]:
    if amount == Amount():
        return
    for hour, part in spread(amount, begin, end):
        yield Booking(holder_of(interval), hour, part)
