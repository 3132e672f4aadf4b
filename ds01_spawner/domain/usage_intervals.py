"""From what the engine shows and what the event log tells: who held which slot from when to when.

The log tells the moments, of what came and went while nobody looked too. What it does not tell
(a container that is run past the platform, a log that is full) is taken from the engine's list.
Pure.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.usage import KEEP_INTERVALS
from ds01_spawner.domain.usage_begun import Begun, seen_begun, told_begun
from ds01_spawner.domain.usage_clock import booked_until
from ds01_spawner.domain.usage_shares import share_of
from ds01_spawner.domain.usage_waits import ALLOCATE, GAVE_UP

START = "container.start"
EXIT = "container.exit"
ACTIONS = frozenset({START, EXIT, ALLOCATE, *GAVE_UP})
"""What the books are kept by."""

Key = tuple[str, str, datetime]


def key_of(interval: UsageInterval) -> Key:
    """What an interval is kept by."""
    return interval.container_id, interval.gpu_uuid, interval.started_at


class Intervals:
    """Intervals as they are known, and what changes in them.

    Only one process may do this with a ledger: it reads a snapshot that could be older than
    another's.

    Args:
        known: Intervals that may change.
        slots: What there is.
        now: The moment; what was seen later was seen before the clock was set back.

    Attributes:
        changes: Intervals to put into the ledger, by their keys.
    """

    def __init__(
        self,
        known: Iterable[UsageInterval],
        slots: Iterable[Slot] = (),
        now: datetime | None = None,
    ) -> None:
        self._now = now
        self._known = {key_of(each): each for each in known}
        self._slots = {slot.uuid: slot for slot in slots}
        self._newest: dict[str, datetime] = {}
        self.changes: dict[Key, UsageInterval] = {}

    def put(self, interval: UsageInterval) -> None:
        """Know an interval so from now on."""
        self._known[key_of(interval)] = interval
        self.changes[key_of(interval)] = interval

    def open(self) -> tuple[UsageInterval, ...]:
        """What lasts."""
        return tuple(each for each in self._known.values() if each.ended_at is None)

    def tell(self, event: Event) -> None:
        """Follow what the log tells."""
        container_id = event.details.get("id")
        if event.outcome != "ok" or not isinstance(container_id, str):
            return
        self._newest[container_id] = max(event.ts, self._newest.get(container_id, event.ts))
        if event.action == START:
            self._start(told_begun(container_id, event))
        elif event.action == EXIT:
            ended = labels.parse_timestamp(str(event.details.get("ended_at", "")))
            self._exit(container_id, ended or event.ts)

    def see(self, containers: Iterable[Container], taken_at: datetime) -> None:
        """Follow what the engine showed, but of what the log tells newer things."""
        old = [each for each in containers if not self._is_newer(each.id, taken_at)]
        running = {
            (container.id, uuid): container
            for container in old
            if container.state.is_live and container.labels.get(labels.MANAGED) == "true"
            for uuid in labels.gpu_uuids_of(container.labels)
        }
        finished = {container.id: container.finished_at for container in old}
        for interval in self.open():
            container_id = interval.container_id
            found = running.pop((container_id, interval.gpu_uuid), None)
            if found is not None:
                self._follow(interval, found)
            elif not self._is_newer(container_id, taken_at):
                finished_at = finished.get(container_id)
                if finished_at is None:
                    self._end_unknown(interval, taken_at)
                else:
                    self._end(interval, finished_at)
        for (_, uuid), container in running.items():
            self._begin_seen(container, uuid, taken_at)

    def _follow(self, interval: UsageInterval, container: Container) -> None:
        if not interval.interface:  # an earlier release did not write down whose it is
            self.put(self._told_apart(interval, container))
        elif container.name != interval.container_name:
            self.put(replace(interval, container_name=container.name))

    def _is_newer(self, container_id: str, taken_at: datetime) -> bool:
        newest = self._newest.get(container_id)
        return newest is not None and newest >= taken_at

    def _of(self, container_id: str) -> list[UsageInterval]:
        found = [each for each in self._known.values() if each.container_id == container_id]
        return sorted(found, key=lambda each: each.started_at)

    def _start(self, begun: Begun) -> None:
        for uuid in begun.uuids:
            earlier = [each for each in self._of(begun.container_id) if each.gpu_uuid == uuid]
            last = earlier[-1] if earlier else None
            if last is None:
                self._put_told(begun, uuid, begun.since)
                continue
            if last.ended_at is None and last.started_at == begun.since and not last.begin_told:
                self.put(replace(last, begin_told=True))  # it was seen before this was read
                continue
            if begun.at <= last.started_at:
                continue
            if last.ended_at is None:  # how it ended was not told yet
                self._end_unknown(last, begun.at)
            if last.ended_at is None or begun.at >= last.ended_at:
                self._put_told(begun, uuid, begun.at)

    def _put_told(self, begun: Begun, uuid: str, since: datetime) -> None:
        self.put(replace(self._interval(begun, uuid, since), begin_told=True))

    def _exit(self, container_id: str, ended_at: datetime) -> None:
        """The last run that began before ended then; unless its end is known already."""
        last: dict[str, UsageInterval] = {}
        for interval in self._of(container_id):
            if interval.started_at <= ended_at:
                last[interval.gpu_uuid] = interval
        for interval in last.values():
            if interval.ended_at is None or not interval.end_known:
                self._end(interval, ended_at)

    def _end(self, interval: UsageInterval, ended_at: datetime) -> None:
        self._put_end(interval, max(ended_at, self._ahead(interval) or ended_at), known=True)

    def _end_unknown(self, interval: UsageInterval, latest: datetime) -> None:
        """Nobody told how it ended: what nobody saw does not count until somebody does."""
        seen = interval.seen_at or interval.started_at
        self._put_end(interval, self._ahead(interval) or min(seen, latest), known=False)

    def _put_end(self, interval: UsageInterval, end: datetime, *, known: bool) -> None:
        first = interval.folded_until or interval.started_at
        self.put(replace(interval, ended_at=max(end, interval.started_at, first), end_known=known))

    def _ahead(self, interval: UsageInterval) -> datetime | None:
        """Up to where it was seen before the clock was set back; `None` otherwise."""
        if self._now is None or (until := booked_until(interval, self._now)) <= self._now:
            return None
        return until

    def _begin_seen(self, container: Container, uuid: str, taken_at: datetime) -> None:
        known = any(each.gpu_uuid == uuid for each in self._of(container.id))
        begun = seen_begun(container, taken_at)
        since = begun.allocated_at
        if known or since is None or taken_at - since > KEEP_INTERVALS:
            since = taken_at  # what was before is booked already
        self.put(self._interval(begun, uuid, since))

    def _told_apart(self, interval: UsageInterval, container: Container) -> UsageInterval:
        begun = seen_begun(container, interval.started_at)
        found = self._interval(begun, interval.gpu_uuid, interval.started_at)
        return replace(
            interval,
            group=found.group,
            project=found.project,
            interface=found.interface,
            container_name=found.container_name,
            slot_id=found.slot_id,
            profile=found.profile,
        )

    def _interval(self, begun: Begun, uuid: str, since: datetime) -> UsageInterval:
        slot = self._slots.get(uuid)
        names = dict(zip(begun.uuids, begun.slot_ids, strict=False))
        return UsageInterval(
            container_id=begun.container_id,
            gpu_uuid=uuid,
            user=begun.user,
            gpu_equivalents=share_of(uuid, begun.uuids, begun.equivalents, self._slots),
            started_at=since,
            group=begun.group,
            project=begun.project,
            interface=begun.interface,
            container_name=begun.container_name,
            slot_id=names.get(uuid, ""),
            profile=slot.profile if slot else "",
        )


def usage_changes(
    known: Iterable[UsageInterval], containers: Iterable[Container], now: datetime
) -> tuple[UsageInterval, ...]:
    """Intervals to add or to end, so that the ledger agrees with what runs."""
    intervals = Intervals(known)
    intervals.see(containers, now)
    return tuple(intervals.changes.values())
