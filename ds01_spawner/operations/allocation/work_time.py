"""How much of its time the work of a container has left, by the policy in force. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.exemption import exempted
from ds01_spawner.domain.occupancy import HoldOf
from ds01_spawner.domain.timeouts import Timeouts, gpu_hold, time_left, timeouts_of
from ds01_spawner.domain.work import Rule, RuleStop, work_began
from ds01_spawner.policy.resolution import Policy


def timeouts_in(policy: Policy, container: Container) -> Timeouts:
    """The lifecycle limits of a container."""
    marks = container.labels
    limits = policy.limits(labels.owner_of(marks) or "", labels.groups_of(marks))
    return timeouts_of(limits, marks)


def runtime_left(
    policy: Policy, container: Container, began: datetime, moment: datetime, now: datetime
) -> timedelta | None:
    """What is left of `max_runtime` at `moment`; `None` is no limit, below zero is overdue.

    Args:
        policy: The policy in force.
        container: The container.
        began: First start of its work.
        moment: When.
        now: This moment: exemptions that hold now count.
    """
    user = labels.owner_of(container.labels) or ""
    name = labels.name_of(container.labels, container.name)
    lifted = exempted(policy.exemptions, user, name, Rule.RUNTIME, now)
    until = None if lifted is None else lifted.until
    return time_left(timeouts_in(policy, container), began, moment, until)


def holds(policy: Policy, stops: Iterable[RuleStop], now: datetime) -> HoldOf:
    """Tells how long a stopped container keeps its slots.

    Args:
        policy: The policy in force.
        stops: By which rules containers were stopped.
        now: This moment.
    """
    ended_by = {each.container_id: each.rule for each in stops}

    def hold_of(_user: str, container: Container) -> timedelta | None:
        ended = container.finished_at or now
        left = runtime_left(policy, container, work_began(container), ended, now)
        return gpu_hold(timeouts_in(policy, container), ended_by.get(container.id), left)

    return hold_of
