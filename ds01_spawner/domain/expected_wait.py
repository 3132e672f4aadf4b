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
    place: int, slots: int, hold: timedelta | None, known: Sequence[timedelta]
) -> timedelta | None:
    """How long until somebody at this place is served; `None` where nothing tells.

    Args:
        place: In the queue, from 1.
        slots: How many slots would do.
        hold: How long one is held, on average.
        known: In what time single ones of them are certainly free.
    """
    bounds = []
    if hold is not None and slots:
        bounds.append(place * hold / slots)
    if len(known) >= place:
        bounds.append(max(sorted(known)[place - 1], timedelta(0)))
    return min(bounds, default=None)
