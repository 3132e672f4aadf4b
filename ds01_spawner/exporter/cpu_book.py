"""CPU time of people, from counters of containers that come and go. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.exporter.facts import WorkFacts
from ds01_spawner.ports.usage import ContainerUsage

_TOLD_IN = timedelta(seconds=1)
"""The engine's list tells whole seconds of when a container was made."""


@dataclass(frozen=True, slots=True)
class CpuBook:
    """What was read so far. A container that goes takes nothing with it: totals only grow.

    Attributes:
        read_at: When; `None` before the first time.
        counters: Of each container, by id, as last read.
        totals: Of each person, since the first time.
    """

    read_at: datetime | None = None
    counters: Mapping[str, float] = field(default_factory=dict)
    totals: Mapping[str, float] = field(default_factory=dict)


def booked(
    book: CpuBook,
    containers: Sequence[Container],
    usage: Mapping[str, ContainerUsage],
    now: datetime,
) -> tuple[CpuBook, WorkFacts]:
    """The book with these readings, and what they say.

    A container that was made since the last reading counts in full. One that was there and could
    not be read before counts from now on: nobody knows when its time was spent.
    """
    counters, totals = {}, dict(book.totals)
    memory: dict[str, int] = {}
    unread = 0
    for container in containers:
        user = labels.owner_of(container.labels)
        if user is None or not container.state.is_live:
            continue
        totals.setdefault(user, 0.0)
        found = usage.get(container.id)
        if found is None or found.cpu_seconds is None or found.memory_bytes is None:
            unread += 1
        if found is not None and found.memory_bytes is not None:
            memory[user] = memory.get(user, 0) + found.memory_bytes
        if found is None or found.cpu_seconds is None:
            if container.id in book.counters:
                counters[container.id] = book.counters[container.id]
            continue
        counters[container.id] = found.cpu_seconds
        before = book.counters.get(container.id)
        if before is None:
            new = book.read_at is not None and container.created_at >= book.read_at - _TOLD_IN
            before = 0.0 if new else found.cpu_seconds
        # After a restart the counter begins anew.
        grown = found.cpu_seconds - before
        totals[user] += grown if grown >= 0 else found.cpu_seconds
    return CpuBook(now, counters, totals), WorkFacts(
        totals, memory, unread, anything=bool(counters) or not unread
    )
