"""What is booked of a slot when the clock was set back. Pure.

A time that comes a second time is booked once: what was seen of it the first time stays, and looks
add something again when the clock is beyond the last of them.
"""

from datetime import datetime, timedelta

from ds01_spawner.domain.allocation import UsageInterval

MOST_SET_BACK = timedelta(days=1)
"""A look that is further ahead was taken by a clock that was wrong: nobody waits for its time."""


def booked_until(interval: UsageInterval, now: datetime) -> datetime:
    """Up to where it is booked what somebody saw; later than `now` if the clock was set back."""
    until = interval.seen_at or interval.started_at
    if until - now <= MOST_SET_BACK:
        return until
    return max(now, interval.started_at + timedelta(microseconds=interval.seen_microseconds))
