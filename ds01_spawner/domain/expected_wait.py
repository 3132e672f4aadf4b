"""How long somebody who asks now is likely to wait for a GPU. Pure.

An estimate from what was: nobody knows when others stop.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ds01_spawner.domain.allocation import UsageInterval

FEWEST_ENDS = 5
"""With fewer slots given back, the past says nothing."""

_COARSE = timedelta(minutes=5)


def coarse(wait: timedelta | None) -> float | None:
    """In seconds, to five minutes: what follows a queue is not told of each second."""
    return None if wait is None else max(round(wait / _COARSE), 1) * _COARSE.total_seconds()


def typical_hold(intervals: Sequence[UsageInterval], now: datetime) -> timedelta | None:
    """How long a slot is held, on average; `None` where too little is known.

    All time that slots were held, those that still are included, by how many were given back: the
    maximum-likelihood mean of exponential times of which some have not ended
    (https://en.wikipedia.org/wiki/Exponential_distribution#Parameter_estimation, censored).
    """
    held = sum(
        (max((each.ended_at or now) - each.started_at, timedelta(0)) for each in intervals),
        timedelta(0),
    )
    ends = sum(1 for each in intervals if each.ended_at is not None)
    return held / ends if ends >= FEWEST_ENDS and held else None


def expected_wait(
    counts: Sequence[int],
    slots: int,
    free: int,
    hold: timedelta | None,
    known: Sequence[timedelta],
) -> timedelta | None:
    """How long until the last of those who wait is served; `None` where nothing tells.

    Each waits until as many slots are free as they ask for, and has them then.

    Args:
        counts: How many slots each asks for, in the order in which they are served; oneself last.
        slots: How many would do.
        free: How many of them are free now.
        hold: How long one is held, on average.
        known: In what time single ones of them are certainly free.
    """
    if counts[-1] > slots:
        return None
    wanted = [min(count, slots) for count in counts]
    # Who is not served now waits for one slot at least: those that are free are kept for others.
    free = min(free, sum(wanted) - 1)
    missing = sum(wanted) - free
    bounds = []
    if hold is not None:
        bounds.append(hold * _holds(wanted, slots, free))
    if len(known) >= missing:
        bounds.append(max(sorted(known)[missing - 1], timedelta(0)))
    return min(bounds, default=None)


def _holds(counts: Sequence[int], slots: int, free: int) -> float:
    """The wait in mean times that a slot is held.

    Of `n` slots held for exponential times the first is given back after `1/n` of the mean, the
    next `1/(n-1)` later
    (https://en.wikipedia.org/wiki/Order_statistic#Order_statistics_sampled_from_an_exponential_distribution).
    """
    waited = 0.0
    for count in counts:
        held = slots - free
        waited += sum(1 / (held - given_back) for given_back in range(max(count - free, 0)))
        free = max(free - count, 0)
    return waited
