"""A ledger in memory."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval
from ds01_spawner.domain.errors import Unavailable


class FakeLedger:
    """The `Ledger` port, for threads of one process.

    Attributes:
        locked: When set, no transaction begins, as when another process keeps the lock.
        transactions: How many have begun.
    """

    def __init__(self) -> None:
        self.locked = False
        self.transactions = 0
        self._reservations: dict[str, Reservation] = {}
        self._tickets: dict[str, Ticket] = {}
        self._usage: dict[tuple[str, str, datetime], UsageInterval] = {}
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator["FakeLedger"]:
        if self.locked:
            raise Unavailable("The ledger cannot be used: database is locked.")
        with self._lock:
            self.transactions += 1
            before = dict(self._reservations), dict(self._tickets), dict(self._usage)
            try:
                yield self
            except BaseException:
                self._reservations, self._tickets, self._usage = before
                raise

    def reservations(self) -> Sequence[Reservation]:
        return sorted(self._reservations.values(), key=lambda entry: (entry.created_at, entry.id))

    def add_reservation(self, reservation: Reservation) -> None:
        self._reservations[reservation.id] = reservation

    def set_expiry(self, reservation_id: str, expires_at: datetime) -> None:
        if (found := self._reservations.get(reservation_id)) is not None:
            self._reservations[reservation_id] = replace(found, expires_at=expires_at)

    def remove_reservations(self, ids: Sequence[str]) -> None:
        for entry in ids:
            self._reservations.pop(entry, None)

    def tickets(self) -> Sequence[Ticket]:
        return sorted(self._tickets.values(), key=lambda entry: (entry.created_at, entry.id))

    def put_ticket(self, ticket: Ticket) -> None:
        self._tickets[ticket.id] = ticket

    def remove_tickets(self, ids: Sequence[str]) -> None:
        for entry in ids:
            self._tickets.pop(entry, None)

    def usage_since(self, moment: datetime) -> Sequence[UsageInterval]:
        return [
            interval
            for interval in self._usage.values()
            if interval.ended_at is None or interval.ended_at > moment
        ]

    def put_usage(self, intervals: Sequence[UsageInterval]) -> None:
        for interval in intervals:
            key = interval.container_id, interval.gpu_uuid, interval.started_at
            self._usage[key] = interval
