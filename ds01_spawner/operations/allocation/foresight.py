"""What a request would come to now, read from the same facts that the decision will read."""

from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.domain import names
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.allocator import NothingFree, Rejected
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.allocation.situation import check_waiting


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would come of a request that is made now.

    Attributes:
        limits: The person's.
        image: The engine's reference.
        slots: What would be granted; empty without a GPU, and where nothing that would do is free.
        waits: Whether nothing that would do is free.
        place: In the queue, from 1, where it waits.
        length: How many compete for the same slots.
        reason: What is in use, as a sentence.
        wait: How long it is likely to take; `None` where nothing tells.
    """

    limits: Limits
    image: str
    slots: tuple[Slot, ...] = ()
    waits: bool = False
    place: int = 0
    length: int = 0
    reason: str = ""
    wait: timedelta | None = None


def foresee(admission: Admission, request: LaunchRequest, *, wait: bool) -> Foreseen:
    """What `admit` would answer now. Nothing is kept free, and nothing is written into the log.

    Raises:
        Refused: It would not be allowed, however long the person waits.
        Unavailable: Something needed cannot be read.
    """
    request.check_names()
    limits = admission.limits(request.user, request.hub_groups)
    image = admission.rules.resolve_image(request.user, limits.group, request.image)
    admission.rules.check_storage(request.user, limits)
    situation = admission.current()
    situation.limits[request.user] = limits
    mine = Ticket(
        id="",
        user=request.user,
        container_name=names.container_name(request.name, request.user),
        gpu=request.gpu,
        priority=limits.priority,
        created_at=situation.now,
        seen_at=situation.now,
    )
    ranked = situation.standings_with(mine, admission.rules.strategy)
    standing = next(each for each in ranked if each.ticket.id == mine.id)
    verdict = standing.verdict
    if isinstance(verdict, Rejected):
        raise verdict.error
    if isinstance(verdict, NothingFree):
        if wait:
            check_waiting(situation, mine)
        return Foreseen(
            limits,
            image,
            waits=True,
            place=standing.place,
            length=standing.length,
            reason=verdict.reason,
            wait=situation.likely_wait(standing),
        )
    return Foreseen(limits, image, verdict.slots)
