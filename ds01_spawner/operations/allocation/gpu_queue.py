"""Who waits for a GPU, in which order and for what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ds01_spawner.domain.allocator import Granted, NothingFree, Rejected
from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.domain.queue import Standing
from ds01_spawner.operations.allocation.admission import Admission


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One person who waits.

    Attributes:
        place: 1-based, among those who compete for the same slots; 0 when served next time
            they ask.
        length: How many compete for the same slots.
        user: Who.
        container: Engine name of the container to be.
        gpu: What for, in words.
        priority: 0 to 100.
        since: Arrival.
        reason: What they wait for, as a sentence.
    """

    place: int
    length: int
    user: str
    container: str
    gpu: str
    priority: int
    since: datetime
    reason: str


def read_gpu_queue(admission: Admission) -> tuple[QueueEntry, ...]:
    """The queue now, in the order it would be served.

    Raises:
        Unavailable: Engine, driver, ledger or policy cannot be read.
    """
    situation = admission.current()
    return queue_entries(situation.standings(situation.tickets, admission.rules.strategy))


def queue_entries(standings: Sequence[Standing]) -> tuple[QueueEntry, ...]:
    """What these standings say to people."""
    return tuple(
        QueueEntry(
            place=standing.place,
            length=standing.length,
            user=standing.ticket.user,
            container=standing.ticket.container_name,
            gpu=str(standing.ticket.gpu),
            priority=standing.ticket.priority,
            since=standing.ticket.created_at,
            reason=_reason(standing),
        )
        for standing in standings
    )


def gpu_queue_json(entries: Sequence[QueueEntry]) -> dict[str, object]:
    """The queue as `ds01 gpu queue --json` prints it."""
    return {
        "queue": [
            {
                "place": entry.place,
                "length": entry.length,
                "user": entry.user,
                "container": entry.container,
                "gpu": entry.gpu,
                "priority": entry.priority,
                "since": format_timestamp(entry.since),
                "reason": entry.reason,
            }
            for entry in entries
        ]
    }


def _reason(standing: Standing) -> str:
    match standing.verdict:
        case NothingFree(reason=reason):
            return reason
        case Rejected(error=error):
            return str(error)
        case Granted():
            return "Starting now."
