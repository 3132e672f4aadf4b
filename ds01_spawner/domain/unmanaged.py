"""What is done about work on GPUs that was started past the platform. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from ds01_spawner.domain.attribution import Attributed, Owner, Proof, WorkloadClass
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.people import FIRST_PERSON_ID
from ds01_spawner.domain.workload import Workload

CLASSES = (
    WorkloadClass.DEVCONTAINER,
    WorkloadClass.COMPOSE,
    WorkloadClass.AIME,
    WorkloadClass.DOCKER,
    WorkloadClass.HOST,
)
"""What the policy has a word on; what is `unknown` is reported, always."""

GRACE = timedelta(minutes=30)
HOLDS_FOR_LATER = timedelta(days=1)


class Response(StrEnum):
    """What is done."""

    REPORT = "report"
    WARN = "warn"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class UnmanagedPolicy:
    """What is done about each class.

    Attributes:
        responses: By class; one that is not in it is reported.
        grace: From the warning, or where nobody can be warned from the first look, to the stop.
        spare: Names of people, and of nobody's containers, that are reported and left alone.
    """

    responses: Mapping[WorkloadClass, Response] = field(
        default_factory=lambda: MappingProxyType({})
    )
    grace: timedelta = GRACE
    spare: tuple[str, ...] = ()

    def response_to(self, workload: Workload) -> Response:
        """What is done about it. Without a GPU nothing is: it takes nothing from anybody."""
        if not workload.slots or self.spares(workload.owner):
            return Response.REPORT
        return self.responses.get(workload.owner.kind, Response.REPORT)

    def spares(self, owner: Owner) -> bool:
        """Whether work past the platform is left alone.

        A person by their own name; a container by its name only where nothing says that it is a
        person's, who might have called it so.
        """
        if owner.kind not in CLASSES:
            return False
        name = owner.user if owner.user is not None else owner.container
        return name in self.spare


def warned_at(
    workload: Workload, key: str, notices: Sequence[Notice], now: datetime
) -> datetime | None:
    """Since when this work counts as warned about; `None` when its owner has to be.

    A warning holds for the run that it was given for, and no longer once that was stopped. Outside
    of containers it holds for whatever the same person starts within a day: who runs one short
    program after the other is told once, and each has the whole grace.

    Args:
        workload: What is past the platform.
        key: Key of the policy that the warning names.
        notices: What was told lately, to anybody, oldest first.
        now: The moment.
    """
    owner = workload.owner
    last = None
    for each in notices:
        if (each.user, each.container_id, each.rule) == (owner.user, owner.container_id or "", key):
            last = each
    if last is None or last.kind is NoticeKind.STOPPED:
        return None
    since = workload.since or last.created_at
    if last.created_at >= since:
        return last.created_at
    holds = owner.kind is WorkloadClass.HOST and now - last.created_at < HOLDS_FOR_LATER
    return since if holds else None


def may_end(each: Attributed) -> bool:
    """Whether a process outside of containers may be ended: a person's that computes.

    What only draws is a screen, and what a system account runs is the server's own.
    """
    is_persons = each.owner.proof is Proof.SESSION or (each.uid or 0) >= FIRST_PERSON_ID
    host = each.owner.kind is WorkloadClass.HOST and each.owner.user is not None
    return host and is_persons and each.process.computes and each.started_seconds is not None
