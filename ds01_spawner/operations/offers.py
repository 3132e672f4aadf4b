"""What a person may choose from now, read from the same facts that the decision will read."""

from collections.abc import Sequence
from datetime import timedelta

from ds01_spawner.domain import names
from ds01_spawner.domain.offer import Offer, make_offer
from ds01_spawner.domain.quota import Asker
from ds01_spawner.operations.admission import Admission

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
    return make_offer(asker, situation.occupancy, standings)
