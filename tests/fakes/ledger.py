"""A ledger in memory."""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TypeVar

from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval
from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.domain.errors import PlatformFault, Unavailable
from ds01_spawner.domain.notice import Delivery, Notice
from ds01_spawner.domain.repetition import KeptAnswer
from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.usage import (
    HOLDER_FIELDS,
    Amount,
    Booking,
    DayAmount,
    Grain,
    Holder,
    UsageMark,
    held_in,
    holder_of,
    put_together,
)
from ds01_spawner.domain.usage_totals import TOTALLED, TotalPart
from ds01_spawner.domain.work import KeepAlive, Level, PassMark, Rule, RuleStop, SentWarning, Track

_WEIGHT = ("gpu_equivalents",)
Key = TypeVar("Key")
Row = TypeVar("Row")


@dataclass
class _Rows:
    """What is kept, by its keys."""

    reservations: dict[str, Reservation] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    usage: dict[tuple[str, str, datetime], UsageInterval] = field(default_factory=dict)
    bookings: dict[tuple[Grain, Holder, datetime], Booking] = field(default_factory=dict)
    usage_marks: dict[None, UsageMark] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    warnings: dict[tuple[str, Rule, Level, datetime], SentWarning] = field(default_factory=dict)
    keep_alives: dict[tuple[str, str], KeepAlive] = field(default_factory=dict)
    rule_stops: dict[tuple[str, str], RuleStop] = field(default_factory=dict)
    pass_marks: dict[None, PassMark] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    deliveries: dict[tuple[str, str], Delivery] = field(default_factory=dict)
    storage: dict[str, StorageUse] = field(default_factory=dict)
    leases: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    ssh_keys: dict[tuple[str, str], SshKey] = field(default_factory=dict)
    kept_answers: dict[tuple[str, str], KeptAnswer] = field(default_factory=dict)
    bare_metal_grants: dict[str, BareMetalGrant] = field(default_factory=dict)

    def copy(self) -> "_Rows":
        return _Rows(*map(dict.copy, _tables(self)))


# Once: a lab of fakes that lives for a day has hundreds of thousands of transactions.
_tables = attrgetter(*(each.name for each in fields(_Rows)))


class FakeLedger:
    """The `Ledger` port, for threads of one process.

    Attributes:
        locked: When set, no transaction begins, as when another process keeps the lock.
        broken: When set, it cannot even be read.
        full: When set, a transaction that changes something fails, as when the disk is full.
        transactions: How many have begun.
        broken_pages: What is broken in its file.
    """

    def __init__(self) -> None:
        self.locked = False
        self.broken = False
        self.full = False
        self.transactions = 0
        self.broken_pages: tuple[str, ...] = ()
        self._rows = _Rows()
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator["FakeLedger"]:
        if self.locked:
            raise PlatformFault("The ledger cannot be used: database is locked.")
        with self._lock:
            self.transactions += 1
            before = self._rows.copy()
            try:
                yield self
                self._commit(before)
            except BaseException:
                self._rows = before
                raise

    @contextmanager
    def reading(self) -> Iterator["FakeLedger"]:
        if self.broken:
            raise Unavailable("The ledger cannot be used: disk I/O error.")
        with self._lock:
            before = self._rows.copy()
            try:
                yield self
            finally:
                self._rows = before

    def faults(self) -> tuple[str, ...]:
        return self.broken_pages

    def row_counts(self) -> Mapping[str, int]:
        if self.broken:
            raise Unavailable("The ledger cannot be used: disk I/O error.")
        counted = ("reservations", "tickets", "usage", "storage")
        return {name: len(getattr(self._rows, name)) for name in counted}

    def _commit(self, before: _Rows) -> None:
        if self.full and self._rows != before:
            raise Unavailable("The ledger cannot be used: database or disk is full.")

    def reservations(self) -> Sequence[Reservation]:
        found = self._rows.reservations.values()
        return sorted(found, key=lambda entry: (entry.created_at, entry.id))

    def add_reservation(self, reservation: Reservation) -> None:
        self._rows.reservations[reservation.id] = reservation

    def set_expiry(self, reservation_id: str, expires_at: datetime) -> None:
        if (found := self._rows.reservations.get(reservation_id)) is not None:
            self._rows.reservations[reservation_id] = replace(found, expires_at=expires_at)

    def remove_reservations(self, ids: Sequence[str]) -> None:
        _remove(self._rows.reservations, ids)

    def tickets(self) -> Sequence[Ticket]:
        found = self._rows.tickets.values()
        return sorted(found, key=lambda entry: (entry.created_at, entry.id))

    def put_ticket(self, ticket: Ticket) -> None:
        self._rows.tickets[ticket.id] = ticket

    def remove_tickets(self, ids: Sequence[str]) -> None:
        _remove(self._rows.tickets, ids)

    def usage_since(self, moment: datetime) -> Sequence[UsageInterval]:
        return [
            interval
            for interval in self._rows.usage.values()
            if interval.ended_at is None or interval.ended_at > moment
        ]

    def put_usage(self, intervals: Sequence[UsageInterval]) -> None:
        for each in intervals:
            self._rows.usage[each.container_id, each.gpu_uuid, each.started_at] = each

    def usage_of(self, container_ids: Collection[str]) -> Sequence[UsageInterval]:
        return [each for each in self._rows.usage.values() if each.container_id in container_ids]

    def remove_usage(self, intervals: Sequence[UsageInterval]) -> None:
        keys = [(each.container_id, each.gpu_uuid, each.started_at) for each in intervals]
        _remove(self._rows.usage, keys)

    def usage_begun_before(self, moment: datetime) -> Sequence[UsageInterval]:
        return [
            each
            for each in self._rows.usage.values()
            if (each.folded_until or each.started_at) < moment
        ]

    def usage_held(
        self,
        begin: datetime,
        end: datetime,
        user: str | None = None,
        by: Sequence[str] = HOLDER_FIELDS,
    ) -> Sequence[tuple[Holder, Amount]]:
        return [
            (_told(holder_of(each), by), Amount(held_microseconds=held))
            for each in self._rows.usage.values()
            if user in {None, each.user} and (held := held_in(each, begin, end))
        ]

    def book_usage(self, grain: Grain, bookings: Iterable[Booking]) -> None:
        for each in put_together(bookings, grain):
            key = grain, each.holder, each.begin
            known = self._rows.bookings.get(key)
            amount = each.amount + known.amount if known else each.amount
            self._rows.bookings[key] = replace(each, amount=amount)

    def bookings_before(self, grain: Grain, moment: datetime) -> Sequence[Booking]:
        found = self._rows.bookings.items()
        return [each for key, each in found if key[0] is grain and key[2] < moment]

    def remove_bookings_before(self, grain: Grain, moment: datetime) -> None:
        found = list(self._rows.bookings)
        _remove(self._rows.bookings, [key for key in found if key[0] is grain and key[2] < moment])

    def usage_booked(
        self,
        begin: datetime,
        end: datetime,
        user: str | None = None,
        by: Sequence[str] = HOLDER_FIELDS,
    ) -> Sequence[tuple[Holder, Amount]]:
        return [
            (_told(each.holder, by), each.amount)
            for each in self._rows.bookings.values()
            if begin <= each.begin < end and user in {None, each.holder.user}
        ]

    def booked_by_day(
        self, grain: Grain, begin: datetime, end: datetime, user: str | None = None
    ) -> Sequence[DayAmount]:
        return [
            (Grain.DAY.begin_of(each.begin), _told(each.holder, _WEIGHT), each.amount)
            for key, each in self._rows.bookings.items()
            if key[0] is grain and begin <= each.begin < end and user in {None, each.holder.user}
        ]

    def held_by_day(
        self, begin: datetime, end: datetime, user: str | None = None
    ) -> Sequence[DayAmount]:
        found: list[DayAmount] = []
        day = Grain.DAY.begin_of(begin)
        while day < end:
            until = day + timedelta(days=1)
            told = self.usage_held(max(day, begin), min(until, end), user, _WEIGHT)
            found += [(day, holder, amount) for holder, amount in told]
            day = until
        return found

    def usage_totals(self, grain: Grain | None) -> Sequence[TotalPart]:
        if grain is not None:
            return [
                (each.holder, [getattr(each.amount, name) for name in TOTALLED])
                for key, each in self._rows.bookings.items()
                if key[0] is grain
            ]
        kept = self._rows.usage.values()
        ends = [each.ended_at or each.seen_at or each.started_at for each in kept]
        nothing = [0] * (len(TOTALLED) - 1)
        return [
            (holder_of(each), [held_in(each, each.started_at, last), *nothing])
            for each, last in zip(kept, ends, strict=True)
        ]

    def usage_begin(self) -> datetime | None:
        found = [each.started_at for each in self._rows.usage.values()]
        return min([*found, *(each.begin for each in self._rows.bookings.values())], default=None)

    def usage_mark(self) -> UsageMark | None:
        return self._rows.usage_marks.get(None)

    def put_usage_mark(self, mark: UsageMark) -> None:
        self._rows.usage_marks[None] = mark

    def tracks(self) -> Sequence[Track]:
        return sorted(self._rows.tracks.values(), key=lambda track: track.container_id)

    def put_tracks(self, tracks: Sequence[Track]) -> None:
        for each in tracks:
            self._rows.tracks[each.container_id] = each

    def warnings(self) -> Sequence[SentWarning]:
        found = self._rows.warnings.items()
        return [each for _, each in sorted(found, key=lambda item: (item[1].sent_at, item[0]))]

    def put_warnings(self, warnings: Sequence[SentWarning]) -> None:
        for each in warnings:
            self._rows.warnings[each.container_id, each.rule, each.level, each.sent_at] = each

    def remove_warnings(self, warnings: Sequence[SentWarning]) -> None:
        for each in warnings:
            self._rows.warnings.pop((each.container_id, each.rule, each.level, each.sent_at), None)

    def keep_alives(self) -> Sequence[KeepAlive]:
        found = self._rows.keep_alives.items()
        return [each for _, each in sorted(found, key=lambda item: (item[1].granted_at, item[0]))]

    def put_keep_alive(self, keep_alive: KeepAlive) -> None:
        self._rows.keep_alives[keep_alive.container_id, keep_alive.source] = keep_alive

    def forget_containers(self, ids: Sequence[str]) -> None:
        gone = frozenset(ids)
        _remove(self._rows.tracks, gone)
        _remove(self._rows.warnings, [key for key in self._rows.warnings if key[0] in gone])
        _remove(self._rows.keep_alives, [key for key in self._rows.keep_alives if key[0] in gone])

    def rule_stops(self) -> Sequence[RuleStop]:
        found = self._rows.rule_stops.items()
        return [each for _, each in sorted(found, key=lambda item: (item[1].decided_at, item[0]))]

    def put_rule_stop(self, stop: RuleStop) -> None:
        self._rows.rule_stops[stop.user, stop.container_name] = stop

    def remove_rule_stops(self, stops: Sequence[RuleStop]) -> None:
        _remove(self._rows.rule_stops, [(each.user, each.container_name) for each in stops])

    def pass_mark(self) -> PassMark | None:
        return self._rows.pass_marks.get(None)

    def put_pass_mark(self, mark: PassMark) -> None:
        self._rows.pass_marks[None] = mark

    def notices_since(self, moment: datetime) -> Sequence[Notice]:
        found = (each for each in self._rows.notices.values() if each.created_at >= moment)
        return sorted(found, key=lambda notice: (notice.created_at, notice.id))

    def put_notice(self, notice: Notice, channels: Sequence[str]) -> None:
        if notice.id in self._rows.notices:
            return
        self._rows.notices[notice.id] = notice
        for channel in channels:
            self.put_delivery(Delivery(notice.id, channel, attempts=0, due_at=notice.created_at))

    def remove_notices_before(self, moment: datetime) -> None:
        old = {each.id for each in self._rows.notices.values() if each.created_at < moment}
        _remove(self._rows.notices, old)
        _remove(self._rows.deliveries, [key for key in self._rows.deliveries if key[0] in old])

    def deliveries(self) -> Sequence[tuple[Notice, Delivery]]:
        found = sorted(self._rows.deliveries.items(), key=lambda item: (item[1].due_at, item[0]))
        return [(self._rows.notices[each.notice_id], each) for _, each in found]

    def put_delivery(self, delivery: Delivery) -> None:
        if delivery.notice_id in self._rows.notices:
            self._rows.deliveries[delivery.notice_id, delivery.channel] = delivery

    def remove_delivery(self, notice_id: str, channel: str) -> None:
        _remove(self._rows.deliveries, [(notice_id, channel)])

    def storage(self, user: str | None = None) -> Sequence[StorageUse]:
        found = (each for each in self._rows.storage.values() if user in {None, each.user})
        return sorted(found, key=lambda use: use.user)

    def put_storage(self, use: StorageUse) -> None:
        self._rows.storage[use.user] = use

    def remove_storage(self, users: Iterable[str]) -> None:
        _remove(self._rows.storage, users)

    def bare_metal_grants(self) -> Sequence[BareMetalGrant]:
        every = self._rows.bare_metal_grants.values()
        return sorted(every, key=lambda each: (each.granted_at, each.user))

    def put_bare_metal_grant(self, grant: BareMetalGrant) -> None:
        self._rows.bare_metal_grants[grant.user] = grant

    def remove_bare_metal_grant(self, user: str) -> None:
        self._rows.bare_metal_grants.pop(user, None)

    def take_lease(self, name: str, holder: str, mark: PassMark, seconds: float) -> bool:
        if self.lease_holder(name, mark) not in {None, holder}:
            return False
        self._rows.leases[name] = holder, mark.boot_id, mark.uptime_seconds + seconds
        return True

    def lease_holder(self, name: str, mark: PassMark) -> str | None:
        holder, boot_id, ends_at = self._rows.leases.get(name, (None, "", 0.0))
        held = boot_id == mark.boot_id and ends_at > mark.uptime_seconds
        return holder if held else None

    def end_lease(self, name: str, holder: str) -> None:
        if name in self._rows.leases and self._rows.leases[name][0] == holder:
            del self._rows.leases[name]

    def ssh_keys(self, user: str) -> Sequence[SshKey]:
        found = (each for each in self._rows.ssh_keys.values() if each.user == user)
        return sorted(found, key=lambda key: (key.added_at, key.id))

    def put_ssh_key(self, key: SshKey) -> None:
        self._rows.ssh_keys[key.user, key.id] = key

    def remove_ssh_key(self, user: str, key_id: str) -> None:
        _remove(self._rows.ssh_keys, [(user, key_id)])

    def kept_answers(self, user: str) -> Sequence[KeptAnswer]:
        found = (each for each in self._rows.kept_answers.values() if each.user == user)
        return sorted(found, key=lambda answer: (answer.began_at, answer.key))

    def put_kept_answer(self, answer: KeptAnswer) -> None:
        self._rows.kept_answers[answer.user, answer.key] = answer

    def remove_kept_answer(self, user: str, key: str) -> None:
        _remove(self._rows.kept_answers, [(user, key)])

    def remove_kept_answers_before(self, moment: datetime) -> None:
        old = [key for key, each in self._rows.kept_answers.items() if each.began_at < moment]
        _remove(self._rows.kept_answers, old)


def _told(holder: Holder, by: Sequence[str]) -> Holder:
    return Holder(**{name: getattr(holder, name) for name in by})


def _remove(rows: dict[Key, Row], keys: Iterable[Key]) -> None:
    for key in keys:
        rows.pop(key, None)
