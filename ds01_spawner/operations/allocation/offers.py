"""What a person may choose from now, read from the same facts that the decision will read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from ds01_spawner.domain import names
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.offer import Offer, SizeOffer, make_offer
from ds01_spawner.domain.queue import Standing
from ds01_spawner.domain.quota import Asker
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.allocation.situation import Situation

_FRESH_ENOUGH = timedelta(seconds=2)
_SHORTEST = timedelta(minutes=1)
"""Of a wait in the queue: no wait is for who is served at once."""


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

    def standing(size: str, count: int) -> Standing:
        ticket = _would_be(asker, GpuRequest.parse(size, count), situation)
        ranked = situation.standings_with(ticket, admission.rules.strategy)
        return next(each for each in ranked if each.ticket.id == ticket.id)

    def placed(size: SizeOffer) -> SizeOffer:
        if size.error:
            return size
        found = [standing(size.size, 1)]
        for count in range(2, size.max_count + 1):
            last = found[-1]
            # Who waits for fewer has the same place with more.
            found.append(_for_more(last, count) if last.place else standing(size.size, count))
        waits = tuple(_wait(each, situation) for each in found)
        return replace(size, place=found[0].place, waits=waits)

    return replace(offer, sizes=tuple(map(placed, offer.sizes)))


def _for_more(standing: Standing, count: int) -> Standing:
    ticket = standing.ticket
    return replace(standing, ticket=replace(ticket, gpu=replace(ticket.gpu, count=count)))


def _wait(standing: Standing, situation: Situation) -> timedelta | None:
    if not standing.place:
        return timedelta(0)
    wait = situation.likely_wait(standing)
    return None if wait is None else max(wait, _SHORTEST)


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
