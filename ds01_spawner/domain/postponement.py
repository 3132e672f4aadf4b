"""What asking for a keep-alive would give. Pure: the offer and the answer come from here."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain.lifecycle import Countdown, Subject, countdowns, stops_at
from ds01_spawner.domain.work import KeepAlive, Rule

DEFAULT = timedelta(hours=24)
"""What is given to who names no duration where the policy allows any."""


@dataclass(frozen=True, slots=True)
class Postponement:
    """What a keep-alive would do to one running container.

    Attributes:
        until: Until when it would go on, used or not.
        unused: Its way to the idle end as it is now, and from now on if it is in use.
        idle_end: When it is stopped there at the earliest.
        other_end: The nearest limit that a keep-alive does not move, if there is one.
    """

    until: datetime
    unused: Countdown
    idle_end: datetime
    other_end: Countdown | None

    @property
    def is_in_vain(self) -> bool:
        """Whether it would not run any longer."""
        return self.until <= self.idle_end


def allowance(longest: timedelta | None) -> timedelta:
    """What is given to who names no duration, under `keep_alive_max`."""
    return DEFAULT if longest is None else longest


def offered(subject: Subject, now: datetime) -> datetime | None:
    """Until when it would be kept running for who asks now; `None` where that is of no use."""
    most = postponed(subject, None, now)
    return None if most is None or most.is_in_vain else most.until


def postponed(subject: Subject, asked: timedelta | None, now: datetime) -> Postponement | None:
    """What it gives to ask now for `asked`, or for the most; `None` where it is not to be had.

    It is not where `keep_alive_max` is 0 or the container is never stopped for being idle.
    """
    longest = subject.policies.keep_alive_max
    unused = _idle_end(_unused(subject, now), now)
    if unused is None or longest == timedelta(0):
        return None
    wanted = allowance(longest) if asked is None else asked
    until = now + (wanted if longest is None else min(wanted, longest))
    kept = KeepAlive(subject.container.id, now, until, "", "")
    if subject.kept is not None and subject.kept.until >= until:
        kept = subject.kept
    after = _idle_end(_unused(replace(subject, kept=kept), now), now) or unused
    others = [each for each in countdowns(subject, now) if each.rule is not Rule.IDLE]
    other_end = min(others, key=lambda each: each.deadline, default=None)
    end = after.deadline
    return Postponement(
        until=end if other_end is None else min(end, other_end.deadline),
        unused=unused,
        idle_end=stops_at(unused, subject.warnings, now),
        other_end=other_end,
    )


def _unused(subject: Subject, now: datetime) -> Subject:
    """The container as it is, or as if its use ended now."""
    track, policies = subject.track, subject.policies
    earliest = max(now, track.run_started_at + policies.startup_grace)
    track = replace(
        track,
        idle_checks=policies.idle_detection_window,
        idle_since=track.idle_since or earliest,
    )
    return replace(subject, track=track)


def _idle_end(subject: Subject, now: datetime) -> Countdown | None:
    return next((each for each in countdowns(subject, now) if each.rule is Rule.IDLE), None)
