"""Who is served next when slots are short.

Rank is by priority, then by who used less recently, then by arrival. Somebody further back may be
served first with slots that do not help those ahead. Who was passed over `MAX_OVERTAKEN` times by
others taking slots that would have suited them goes to the front, and from then on such slots are
kept for them: a large or low-priority request waits for a bounded number of others.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain.allocation import Ticket, UsageInterval
from ds01_spawner.domain.allocator import Granted, NothingFree, Rejected, Verdict, decide
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.occupancy import Occupancy, SlotState
from ds01_spawner.domain.quota import Asker, acceptable, replaced_uses
from ds01_spawner.domain.strategies import Strategy

MAX_OVERTAKEN = 8
TICKET_LIFETIME = timedelta(seconds=15)
"""A ticket counts only while its process keeps saying that it waits."""

USAGE_HALF_LIFE = timedelta(days=1)
USAGE_HORIZON = timedelta(days=7)

LimitsOf = Callable[[str], Limits]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the queue says to one ticket.

    Attributes:
        ticket: The ticket.
        verdict: `Granted` when it is served now.
        place: 1-based place among those who compete for the same slots; 0 when served now.
        length: How many compete for the same slots, itself included.
        ahead: How many slots each of those asks for who compete for them and are before; empty when
            served now.
        free: How many of the slots that would do are free, and too few.
    """

    ticket: Ticket
    verdict: Verdict
    place: int
    length: int
    ahead: tuple[int, ...] = ()
    free: int = 0


def alive(tickets: Sequence[Ticket], now: datetime) -> tuple[Ticket, ...]:
    """Tickets whose process still waits.

    One that was seen in the future was left by a process that died before the clock was set back.
    """
    return tuple(ticket for ticket in tickets if abs(now - ticket.seen_at) < TICKET_LIFETIME)


def recent_usage(intervals: Sequence[UsageInterval], now: datetime) -> Mapping[str, float]:
    """GPU-equivalent seconds of each person, halved for each `USAGE_HALF_LIFE` of age.

    The integral of `equivalents * 2 ** (-age / half_life)` over each interval, the decayed usage
    of Slurm's multifactor fair share (https://slurm.schedmd.com/priority_multifactor.html).
    """
    half_life = USAGE_HALF_LIFE.total_seconds()
    scale = half_life / 0.6931471805599453
    usage: dict[str, float] = {}
    for interval in intervals:
        begin = max((now - interval.started_at).total_seconds(), 0.0)
        end = max((now - (interval.ended_at or now)).total_seconds(), 0.0)
        seconds = scale * (2 ** (-end / half_life) - 2 ** (-begin / half_life))
        seconds = max(seconds, 0.0) * interval.gpu_equivalents
        usage[interval.user] = usage.get(interval.user, 0.0) + seconds
    return usage


def ranked(tickets: Sequence[Ticket], usage: Mapping[str, float]) -> tuple[Ticket, ...]:
    """Tickets in the order in which they are offered slots."""

    def rank(ticket: Ticket) -> tuple[bool, float, float, datetime, str]:
        if ticket.overtaken >= MAX_OVERTAKEN:
            return False, 0.0, 0.0, ticket.created_at, ticket.id
        used = round(usage.get(ticket.user, 0.0))
        return True, -ticket.priority, used, ticket.created_at, ticket.id

    return tuple(sorted(tickets, key=rank))


def serve(
    tickets: Sequence[Ticket],
    usage: Mapping[str, float],
    occupancy: Occupancy,
    limits_of: LimitsOf,
    strategy: Strategy,
) -> tuple[Standing, ...]:
    """The standing of every ticket, in rank order, if all were served at this moment.

    Args:
        tickets: Those alive.
        usage: Recent usage of each person.
        occupancy: Who has what.
        limits_of: Each person's limits.
        strategy: Orders slots of the same size.
    """
    standings: list[Standing] = []
    withheld: set[str] = set()
    waiting: list[tuple[Ticket, frozenset[str]]] = []
    for ticket in ranked(tickets, usage):
        limits = limits_of(ticket.user)
        asker = Asker(ticket.user, ticket.container_name, limits)
        verdict = decide(ticket.gpu, asker, occupancy, strategy, withheld=withheld)
        if isinstance(verdict, Granted):
            occupancy = occupancy.with_reserved(verdict.slots, ticket.user, ticket.container_name)
        if not isinstance(verdict, NothingFree):
            standings.append(Standing(ticket, verdict, 0, 0))
            continue
        wanted = frozenset(slot.uuid for slot in acceptable(ticket.gpu, limits, occupancy.slots))
        ahead = tuple(before.gpu.count for before, others in waiting if others & wanted)
        waiting.append((ticket, wanted))
        if ticket.overtaken >= MAX_OVERTAKEN:
            withheld |= wanted
        free = _within_reach(wanted, asker, occupancy)
        standings.append(Standing(ticket, verdict, 1 + len(ahead), 0, ahead, free))
    return tuple(_with_length(standing, waiting) for standing in standings)


def _within_reach(wanted: Collection[str], asker: Asker, occupancy: Occupancy) -> int:
    """How many of these slots nobody has, or what the ticket replaces."""
    own = {use.slot.uuid for use in replaced_uses(asker, occupancy)}
    return sum(
        use.slot.uuid in wanted and (use.state is SlotState.FREE or use.slot.uuid in own)
        for use in occupancy.uses
    )


def _with_length(standing: Standing, waiting: Sequence[tuple[Ticket, frozenset[str]]]) -> Standing:
    mine = next((wanted for ticket, wanted in waiting if ticket is standing.ticket), None)
    if mine is None:
        return standing
    return replace(standing, length=sum(1 for _, others in waiting if others & mine))


def overtaken_by(
    served: Ticket, slots: Sequence[Slot], standings: Sequence[Standing], limits_of: LimitsOf
) -> tuple[Ticket, ...]:
    """Tickets that `served` passed: ranked or arrived earlier, and its slots would suit them.

    Args:
        served: Who got slots.
        slots: Those of them that were free for everybody, not kept for `served` all along.
        standings: The whole queue, in rank order.
        limits_of: Each person's limits.
    """
    passed: list[Ticket] = []
    before = True
    for standing in standings:
        ticket = standing.ticket
        if ticket.id == served.id:
            before = False
            continue
        if isinstance(standing.verdict, Granted | Rejected):
            continue
        earlier = before or ticket.created_at < served.created_at
        if earlier and acceptable(ticket.gpu, limits_of(ticket.user), slots):
            passed.append(replace(ticket, overtaken=ticket.overtaken + 1))
    return tuple(passed)
