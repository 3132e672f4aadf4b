"""What is booked of waits for slots: of those that ended with slots, and those given up. Pure.

A wait is booked when it ends, as the event log tells: how long it was in the hour in which it
ended, and what was waited for in all hours that it took. So what is held and what is waited for,
together, is what was wanted.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder, microseconds, spread

ALLOCATE = "gpu.allocate"
GAVE_UP = frozenset({"gpu.unqueue", "cleanup.ticket"})
"""Somebody left the queue, or asks no more; nothing was given."""

SHORTEST_WAIT = timedelta(seconds=1)
"""What is answered sooner is no wait."""

LONGEST_WAIT = timedelta(days=40)
"""A figure beyond is none: no wait lasts so long, and older hours are not kept."""

MOST_EQUIVALENTS = 4096.0


@dataclass(frozen=True, slots=True)
class _Wish:
    """What somebody waited for."""

    holder: Holder
    count: int


def waits(events: Iterable[Event], slots: Collection[Slot]) -> Iterator[Booking]:
    """How often slots were given, after what waits, and who gave up.

    Args:
        events: Of `ALLOCATE` and `GAVE_UP`; others are left out.
        slots: What there is: who asks for a size waits for the smallest slot that would do.
    """
    for event in events:
        if event.outcome != "ok" or not (event.action == ALLOCATE or event.action in GAVE_UP):
            continue
        waited = _waited(event.details)
        long = microseconds(waited) if waited >= SHORTEST_WAIT else 0
        granted = event.action == ALLOCATE
        wish = _given(event) if granted else _asked(event, slots)
        amount = _granted(long) if granted else _gave_up(long)
        if amount != Amount():
            yield Booking(wish.holder, Grain.HOUR.begin_of(event.ts), amount)
        queued = Amount(queued_microseconds=long * wish.count)
        for hour, part in spread(queued, event.ts - waited, event.ts) if long else ():
            yield Booking(wish.holder, hour, part)


def figure(said: object) -> float:
    """What something says, if it is a share of GPUs that can be; nothing otherwise."""
    try:
        found = float(str(said))
    except ValueError:
        return 0.0
    return found if 0 <= found <= MOST_EQUIVALENTS else 0.0


def _granted(long: int) -> Amount:
    return Amount(
        grants=1,
        waits=int(long > 0),
        waited_microseconds=long,
        longest_wait_microseconds=long,
    )


def _gave_up(long: int) -> Amount:
    return Amount(gave_up=int(long > 0), gave_up_microseconds=long)


def _waited(said: Mapping[str, object]) -> timedelta:
    try:
        seconds = float(str(said.get("waited_seconds", 0)))
    except ValueError:
        return timedelta(0)
    if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST_WAIT.total_seconds():
        return timedelta(0)
    return timedelta(seconds=seconds)


def _given(event: Event) -> _Wish:
    uuids = event.details.get("uuids")
    count = len(uuids) if isinstance(uuids, (list, tuple)) and uuids else 1
    share = figure(event.details.get("equivalents")) / count
    return _Wish(_holder(event, str(event.details.get("profile") or ""), share), count)


def _asked(event: Event, slots: Collection[Slot]) -> _Wish:
    """What was waited for; without a size, as older releases wrote it, nobody knows how much."""
    said = event.details
    count = said.get("count")
    if not isinstance(count, int):
        count = 1
    try:
        wish = GpuRequest.parse(str(said.get("size") or ""), count)
    except InvalidRequest:
        wish = GpuRequest()
    fitting = [slot for slot in slots if wish.accepts(slot)]
    if not fitting:
        return _Wish(_holder(event, "", 0.0), max(wish.count, 1))
    least = min(fitting, key=lambda slot: (slot.equivalents, slot.profile))
    return _Wish(_holder(event, least.profile, round(least.equivalents, 4)), wish.count)


def _holder(event: Event, profile: str, share: float) -> Holder:
    return Holder(
        user=event.user or "",
        group=str(event.details.get("group") or ""),
        project=str(event.details.get("project") or ""),
        interface=event.interface,
        profile=profile,
        gpu_equivalents=share,
    )
