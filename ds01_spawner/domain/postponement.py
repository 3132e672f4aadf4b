"""What asking for a keep-alive would give. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain.lifecycle import Countdown, Subject, countdowns
from ds01_spawner.domain.work import KeepAlive, Rule

DEFAULT = timedelta(hours=24)
"""What is given to who names no duration where the policy allows any."""


@dataclass(frozen=True, slots=True)
class Postponement:
    """What a keep-alive would do to one running container.

    Attributes:
        until: Until when it would go on, used or not.
        idle_end: When it could be stopped for being idle at the earliest without it.
        other_end: The nearest limit that a keep-alive does not move, if there is one.
    """

    until: datetime
    idle_end: datetime
    other_end: Countdown | None

    @property
    def is_in_vain(self) -> bool:
        """Whether nothing that could be asked for makes it run longer."""
        return self.until <= self.idle_end


def allowance(longest: timedelta | None) -> timedelta:
    """What is given to who names no duration, under `keep_alive_max`."""
    return DEFAULT if longest is None else longest


def postponed(subject: Subject, asked: timedelta | None, now: datetime) -> Postponement | None:
    """What it gives to ask now for `asked`, or for the most; `None` where it is not to be had.

    It is not where `keep_alive_max` is 0 or the container is never stopped for being idle.
    """
    bound, longest = subject.timeouts.idle_timeout.value, subject.policies.keep_alive_max
    if bound is None or longest == timedelta(0):
        return None
    wanted = allowance(longest) if asked is None else asked
    until = now + (wanted if longest is None else min(wanted, longest))
    today = countdowns(subject, now)
    others = [each for each in today if each.rule is not Rule.IDLE]
    other_end = min(others, key=lambda each: each.deadline, default=None)
    kept = KeepAlive(subject.container.id, now, until, "", "")
    if subject.kept is not None and subject.kept.until >= until:
        kept = subject.kept
    after = _idle_deadline(countdowns(replace(subject, kept=kept), now)) or kept.until
    reduction = subject.policies.high_demand_idle_reduction if subject.high_demand else 0.0
    return Postponement(
        until=after if other_end is None else min(after, other_end.deadline),
        idle_end=_idle_deadline(today) or now + bound * (1 - reduction),
        other_end=other_end,
    )


def _idle_deadline(found: tuple[Countdown, ...]) -> datetime | None:
    return next((each.deadline for each in found if each.rule is Rule.IDLE), None)
