"""Keeps the books of GPU slots: in each pass of the lifecycle service, in one transaction.

What the event log told since the last pass, what the engine shows and what the cards say become
intervals and amounts by the hour. What is old is put together, once a day.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.carbon import Rates
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.occupancy import Snapshot
from ds01_spawner.domain.usage import (
    KEEP_HOURS,
    KEEP_INTERVALS,
    Booking,
    Grain,
    UsageMark,
    days_settled,
    fold,
    put_together,
)
from ds01_spawner.domain.usage_intervals import ACTIONS, Intervals
from ds01_spawner.domain.usage_look import Intensity, Look, ending, sight
from ds01_spawner.domain.usage_projects import Names, Place, month_of, with_few_names
from ds01_spawner.domain.usage_waits import waits
from ds01_spawner.operations.usage.late_rates import LateRates
from ds01_spawner.operations.usage.unmanaged_use import Past, UnmanagedUse
from ds01_spawner.ports import EventReader, GpuProbe, Ledger, LedgerTransaction

FOLDED_AT_ONCE = 500
"""Everybody waits for the ledger meanwhile; what is left of an old release's years waits a pass."""

_PAST_A_MONTH = timedelta(days=32)


class Books:
    """Keeps them. Only one process may, which the lifecycle service's lease sees to.

    Args:
        ledger: Where they are.
        events: What the log tells.
        probe: Asked what the cards take.
        instance: Id of this installation: another's containers are in its own books.
        rates: Tells what a kilowatt-hour emits.
        unmanaged: Sees what containers past the platform hold; `None` where another installation
            on the engine does.
    """

    def __init__(  # noqa: PLR0913 - the parts it stands on
        self,
        *,
        ledger: Ledger,
        events: EventReader,
        probe: GpuProbe,
        instance: str,
        rates: Callable[[], Rates] = Rates,
        unmanaged: UnmanagedUse | None = None,
    ) -> None:
        self._ledger = ledger
        self._events = events
        self._probe = probe
        self._instance = instance
        self._rates = rates
        self._unmanaged = unmanaged
        self._late = LateRates(ledger)
        self._before: Look | None = None

    def keep(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Book what happened since the last time; sentences on what could not be found out.

        Raises:
            Unavailable: The ledger cannot be used: nothing was booked, and the next time does.
        """
        notes: list[str] = []
        look = self._look(snapshot, notes)
        rates = self._rates()
        notes += rates.notes
        past = self._unmanaged.look(snapshot) if self._unmanaged else None
        late = self._late.due(rates.series, snapshot.taken_at)
        with self._ledger.transaction() as transaction:
            mark = transaction.usage_mark() or UsageMark("")
            told, place = self._told(mark.event_place, notes)
            intervals = self._intervals(transaction, snapshot, told, past, mark.kept_at)
            self._follow(transaction, intervals, look, rates.at)
            transaction.book_usage(Grain.HOUR, (*waits(told, snapshot.inventory.slots), *late))
            mark = replace(mark, event_place=place, kept_at=snapshot.taken_at)
            transaction.put_usage_mark(put_old_together(transaction, mark, snapshot.taken_at))
        self._before = look
        self._late.booked()
        return tuple(notes)

    def _intervals(
        self,
        transaction: LedgerTransaction,
        snapshot: Snapshot,
        told: Collection[Event],
        past: Past | None,
        before: datetime | None,
    ) -> Intervals:
        """Those that last and those of which something is told, as they are now."""
        ours = [
            each
            for each in snapshot.containers
            if each.labels.get(labels.INSTANCE, self._instance) == self._instance
        ]
        ids = {str(each.details.get("id")) for each in told}
        ids |= {each.id for each in ours if each.state.is_live}
        known = (*transaction.usage_since(snapshot.taken_at), *transaction.usage_of(ids))
        intervals = Intervals(known, snapshot.inventory.slots, snapshot.taken_at)
        for event in told:
            intervals.tell(event)
        if self._unmanaged and past:
            events, shown = self._unmanaged.told(past, known, before)
            for event in events:
                intervals.tell(event)
            ours = [shown.get(each.id, each) for each in ours]
        intervals.see(ours, snapshot.taken_at)
        return intervals

    def _follow(
        self,
        transaction: LedgerTransaction,
        intervals: Intervals,
        look: Look,
        intensity: Intensity,
    ) -> None:
        bookings: list[Booking] = []
        for each in list(intervals.changes.values()):
            changed, more = ending(each)
            intervals.put(changed)
            bookings += more
        seen = sight(intervals.open(), look, self._before, intensity)
        for each in seen.intervals:
            intervals.put(each)
        transaction.put_usage(tuple(intervals.changes.values()))
        transaction.book_usage(Grain.HOUR, (*bookings, *seen.bookings))

    def _look(self, snapshot: Snapshot, notes: list[str]) -> Look:
        slots = {slot.uuid: slot for slot in snapshot.inventory.slots}
        try:
            power = self._probe.power()
        except Unavailable as exc:
            notes.append(str(exc))
            power = {}
        return Look(snapshot.taken_at, slots, snapshot.activity, power)

    def _told(self, place: str, notes: list[str]) -> tuple[tuple[Event, ...], str]:
        """What the log tells; nothing where it cannot be read, and the next time tells it."""
        try:
            events, following = self._events.read(place, ACTIONS)
        except DS01Error as exc:
            notes.append(str(exc))
            return (), place
        return tuple(events), following


def put_old_together(transaction: LedgerTransaction, mark: UsageMark, now: datetime) -> UsageMark:
    """Old intervals become hours, and old hours days, once a day; no total changes."""
    if days_settled(mark, now) is not None:
        return mark
    today = Grain.DAY.begin_of(now)
    until = today - KEEP_INTERVALS
    found = transaction.usage_begun_before(until)
    folded = [(each, *fold(each, until)) for each in found[:FOLDED_AT_ONCE]]
    hours = put_together((each for _, parts, _ in folded for each in parts), Grain.HOUR)
    transaction.book_usage(Grain.HOUR, hours)
    transaction.remove_usage([each for each, _, left in folded if left is None])
    transaction.put_usage([left for _, _, left in folded if left is not None])
    before = today - KEEP_HOURS
    old = transaction.bookings_before(Grain.HOUR, before)
    transaction.remove_bookings_before(Grain.HOUR, before)
    named = with_few_names(old, _names_kept(transaction, old, before))
    transaction.book_usage(Grain.DAY, put_together(named, Grain.DAY))
    return mark if len(found) > FOLDED_AT_ONCE else replace(mark, folded_at=today)


def _names_kept(transaction: LedgerTransaction, old: Iterable[Booking], before: datetime) -> Names:
    """Names of projects that the months of old hours have as days; no hour may be left there."""
    kept: dict[Place, set[str]] = {}
    for month in {month_of(each.begin) for each in old}:
        end = min(month_of(month + _PAST_A_MONTH), before)
        for holder, _ in transaction.usage_booked(month, end, by=("user", "project")):
            kept.setdefault((holder.user, month), set()).add(holder.project)
    return kept
