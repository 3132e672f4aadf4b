"""The lifecycle limits of one container: its owner's, or those for containers of its origin."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.work import Rule


@dataclass(frozen=True, slots=True)
class Bound:
    """A duration and the key of the policy that says it.

    Attributes:
        value: The duration; `None` is never.
        key: Dotted key, such as `idle_timeout` or `container_types.hub.idle_timeout`.
    """

    value: timedelta | None
    key: str


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The lifecycle limits of one container."""

    idle_timeout: Bound
    max_runtime: Bound
    gpu_hold_after_stop: Bound
    container_hold_after_stop: Bound


def gpu_hold(timeouts: Timeouts, ended_by: Rule | None, left: timedelta | None) -> timedelta | None:
    """How long a stopped container keeps its GPU; `None` is for ever.

    Not beyond the time of its work: then the GPU is for whoever waits. A hold without end is the
    administrator's word, and ends only when a rule says that the time is up.

    Args:
        timeouts: The container's limits.
        ended_by: The rule that stopped it, or `None`.
        left: What was left of `max_runtime` when it stopped; `None` is no limit.
    """
    if ended_by is Rule.RUNTIME:
        return timedelta(0)
    hold = timeouts.gpu_hold_after_stop.value
    if hold is None or left is None:
        return hold
    return min(hold, max(left, timedelta(0)))


def time_left(
    timeouts: Timeouts, began: datetime | None, moment: datetime, exempt_until: datetime | None
) -> timedelta | None:
    """What is left of `max_runtime` at `moment`; `None` is no limit, below zero is overdue.

    Args:
        timeouts: The container's limits.
        began: First start of its work, as far as it is known.
        moment: When.
        exempt_until: End of an exemption from `max_runtime`, or `None`.
    """
    limit = timeouts.max_runtime.value
    if limit is None or began is None:
        return None
    end = began + limit
    return (end if exempt_until is None else max(end, exempt_until)) - moment


def timeouts_of(limits: Limits, marks: Mapping[str, str]) -> Timeouts:
    """The lifecycle limits of a container with the labels `marks`, whose owner has `limits`."""
    origin = labels.origin_of(marks)
    override = limits.container_types.get(origin)

    def bound(key: str) -> Bound:
        if override is not None and key in override.given:
            return Bound(getattr(override, key), f"container_types.{origin}.{key}")
        return Bound(getattr(limits, key), key)

    return Timeouts(
        idle_timeout=bound("idle_timeout"),
        max_runtime=bound("max_runtime"),
        gpu_hold_after_stop=bound("gpu_hold_after_stop"),
        container_hold_after_stop=bound("container_hold_after_stop"),
    )
