"""What a person may choose from now, read from the same facts that the decision will read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from ds01_spawner.domain import names
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.offer import Offer, SizeOffer, make_offer
from ds01_spawner.domain.quota import Asker
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.allocation.situation import Situation

_FRESH_ENOUGH = timedelta(seconds=2)


def offer_to(
    admission: Admission, user: str, container: str, hub_groups: Sequence[str] = ()
) -> Offer:
    """The offer to `user` for a container of theirs called `container`.

    Raises:
        Refused: The name cannot be a person's, or is a system account's.
        Unavailable: Something needed cannot be read.
    """
    limits = admission.limits(user, hub_groups)
    situation = admission.current(_FRESH_ENOUGH)
    standings = situation.standings(situation.tickets, admission.rules.strategy)
    asker = Asker(user, names.container_name(container, user), limits)
    situation.limits[user] = limits
    offer = make_offer(asker, situation.occupancy, standings)

    def place(size: str) -> int:
        ticket = _would_be(asker, GpuRequest.parse(size), situation)
        ranked = situation.standings_with(ticket, admission.rules.strategy)
        return next(standing.place for standing in ranked if standing.ticket.id == ticket.id)

    def placed(size: SizeOffer) -> SizeOffer:
        if size.error or not (at := place(size.size)):
            return size
        wait = situation.likely_wait(GpuRequest.parse(size.size), at)
        return replace(size, place=at, wait=wait)

    return replace(offer, sizes=tuple(map(placed, offer.sizes)))


def _would_be(asker: Asker, gpu: GpuRequest, situation: Situation) -> Ticket:
    """The ticket that a person would hold if they asked now."""
    return Ticket(
        id="",
        user=asker.user,
        container_name=asker.container_name,
        gpu=gpu,
        priority=asker.limits.priority,
        created_at=situation.now,
        seen_at=situation.now,
    )
