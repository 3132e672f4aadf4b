"""What one decision is made on, and how everybody who waits stands in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.allocator import Granted, Rejected
from ds01_spawner.domain.errors import QuotaExceeded
from ds01_spawner.domain.expected_wait import expected_wait
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.occupancy import Occupancy, SlotState, Snapshot
from ds01_spawner.domain.queue import Standing, serve
from ds01_spawner.domain.quota import Asker, check_quota, doing, fitting_slots
from ds01_spawner.domain.request import GpuKind
from ds01_spawner.domain.strategies import Strategy


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision is made on.

    Attributes:
        now: The moment.
        occupancy: Who has what.
        snapshot: What engine and driver said.
        tickets: The queue, in no order.
        usage: Recent GPU-equivalent seconds of each person.
        limits: Limits looked up so far, by user.
        limits_of: Anybody's limits.
        hold: How long a slot was held lately, on average; `None` where too little is known.
    """

    now: datetime
    occupancy: Occupancy
    snapshot: Snapshot
    tickets: tuple[Ticket, ...]
    usage: dict[str, float]
    limits: dict[str, Limits]
    limits_of: Callable[[str], Limits]
    hold: timedelta | None = None

    def others(self, ticket: Ticket) -> tuple[Ticket, ...]:
        """The queue without this ticket."""
        return tuple(entry for entry in self.tickets if entry.id != ticket.id)

    def standings(self, tickets: Sequence[Ticket], strategy: Strategy) -> tuple[Standing, ...]:
        """The standing of each of these tickets, in rank order."""
        return serve(tickets, self.usage, self.occupancy, self.limits_of, strategy)

    def standings_with(self, ticket: Ticket, strategy: Strategy) -> tuple[Standing, ...]:
        """The standing of `ticket` and of everybody else who waits, in rank order."""
        if ticket.gpu.kind is GpuKind.NONE:
            asker = Asker(ticket.user, ticket.container_name, self.limits_of(ticket.user))
            error = check_quota(ticket.gpu, asker, self.occupancy)
            return (Standing(ticket, Rejected(error) if error else Granted(()), 0, 0),)
        stored = next((entry for entry in self.tickets if entry.id == ticket.id), None)
        mine = replace(ticket, overtaken=stored.overtaken) if stored else ticket
        return self.standings((*self.others(mine), mine), strategy)

    def likely_wait(self, standing: Standing) -> timedelta | None:
        """How long a ticket waits that is not served now; `None` where nothing tells."""
        ticket = standing.ticket
        limits = self.limits_of(ticket.user)
        fitting = {slot.uuid for slot in fitting_slots(ticket.gpu, limits, self.occupancy.slots)}
        uses = [
            use
            for use in self.occupancy.uses
            if use.slot.uuid in fitting and use.state is not SlotState.UNAVAILABLE
        ]
        kept = [
            use.until - self.now
            for use in uses
            if use.state is SlotState.HELD
            and use.until is not None
            and use.container != ticket.container_name
        ]
        counts = (*standing.ahead, ticket.gpu.count)
        return expected_wait(counts, len(uses), standing.free, self.hold, kept)


def check_waiting(situation: Situation, ticket: Ticket) -> None:
    """Nobody waits for more containers than they may run.

    Raises:
        QuotaExceeded: What runs and what waits already come to the limit.
    """
    allowed = situation.limits_of(ticket.user).max_containers_per_user
    others = [each for each in situation.others(ticket) if each.user == ticket.user]
    waiting = {each.container_name for each in others} - {ticket.container_name}
    running = set(situation.occupancy.containers_of(ticket.user)) - {ticket.container_name}
    used = len(waiting | running)
    if allowed is None or used < allowed:
        return
    raise QuotaExceeded(
        f"{len(running)} of {allowed} containers are "
        f"{doing(running, ticket.user, situation.occupancy)} and {len(waiting - running)} more "
        "wait for a GPU.",
        "Stop or cancel one first.",
        limit="max_containers_per_user",
        used=used,
        asked=1,
        allowed=allowed,
    )
