"""How much of its time the work of a container has left, by the policy in force. Pure."""

from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.exemption import exempted
from ds01_spawner.domain.timeouts import Timeouts, time_left, timeouts_of
from ds01_spawner.domain.work import Rule
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
