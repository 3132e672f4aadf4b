"""Books of a lab in service: days long ago, hours of late, a gap, people and projects."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta

from ds01_spawner.domain.usage import (
    DAY,
    HOUR,
    KEEP_HOURS,
    Amount,
    Booking,
    Grain,
    Holder,
    UsageMark,
)
from ds01_spawner.domain.work import PassMark
from ds01_spawner.ports import Ledger

PEOPLE = {
    "alice": ("student", "thesis"),
    "bob": ("student", "vision"),
    "carol": ("researcher", "climate"),
    "dave": ("researcher", "genomes"),
    "erin": ("student", ""),
}
SIZES = (("full", 1.0), ("2g.10gb", 2 / 7))
GRAMS_PER_KWH = 380
GAP = (17, 15)
"""Days ago, from and to: held, and nobody looked."""

_MICRO = 3600 * 10**6


def fill(
    ledger: Ledger,
    now: datetime,
    days: int = 30,
    seed: int = 7,
    people: Mapping[str, tuple[str, str]] = PEOPLE,
) -> None:
    """Write the books of so many days, with today; `people` with their group and project."""
    chance = random.Random(seed)
    today = Grain.DAY.begin_of(now)
    bookings: dict[Grain, list[Booking]] = {Grain.DAY: [], Grain.HOUR: []}
    for ago in range(days - 1, -1, -1):
        begin = today - ago * DAY
        grain = Grain.DAY if begin < today - KEEP_HOURS else Grain.HOUR
        quiet = 0.4 if begin.weekday() >= 5 else 1.0
        for user, (group, project) in people.items():
            if chance.random() > 0.75 * quiet:
                continue
            profile, share = SIZES[group == "student"]
            holder = Holder(user, group, project, "hub", profile, share)
            at = begin + (timedelta(0) if grain is Grain.DAY else chance.randrange(8, 14) * HOUR)
            if at > now:
                continue
            seen = not GAP[1] <= ago <= GAP[0]
            bookings[grain].append(Booking(holder, at, _amount(chance, share, seen=seen)))
    with ledger.transaction() as transaction:
        for each, some in bookings.items():
            transaction.book_usage(each, some)
        transaction.put_usage_mark(UsageMark("", today))
        transaction.put_pass_mark(PassMark("boot", now, 5.0))


def _amount(chance: random.Random, share: float, *, seen: bool) -> Amount:
    held = round(chance.uniform(2, 14) * _MICRO)
    waits = chance.choice([0, 0, 1, 2])
    waited = waits * round(chance.uniform(60, 2400) * 10**6)
    in_vain = 3 * waited if waits > 1 else 0
    given = Amount(
        held_microseconds=held,
        grants=2,
        waits=waits,
        waited_microseconds=waited,
        longest_wait_microseconds=waited // max(waits, 1),
        gave_up=int(in_vain > 0),
        gave_up_microseconds=in_vain,
        queued_microseconds=waited + in_vain,
    )
    if not seen:
        return given
    is_whole = share == 1.0
    energy = round(held / 10**6 * 230 * share * 1000)
    more = Amount(
        seen_microseconds=held,
        measured_microseconds=held * is_whole,
        busy_microseconds=round(held * chance.uniform(0.2, 0.95)) * is_whole,
        metered_microseconds=held,
        energy_millijoules=energy,
        rated_millijoules=energy,
        co2e_micrograms=round(energy / 3_600_000_000 * GRAMS_PER_KWH * 10**6),
    )
    return given + more
