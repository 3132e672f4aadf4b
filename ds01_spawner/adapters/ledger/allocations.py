"""The part of a transaction that allocation decides on: reservations, tickets, usage."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ds01_spawner.adapters.ledger import tables
from ds01_spawner.adapters.ledger.rows import Rows
from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval

_RESERVATIONS = Rows(Reservation, tables.reservations, "created_at", "id")
_TICKETS = Rows(Ticket, tables.tickets, "created_at", "id")
_USAGE = Rows(UsageInterval, tables.usage)

_ADD_RESERVATION = sa.insert(tables.reservations)
_SET_EXPIRY = (
    sa.update(tables.reservations)
    .where(tables.reservations.c.id == sa.bindparam("reservation_id"))
    .values(expires_at=sa.bindparam("moment"))
)
_NOT_ENDED = _USAGE.every.where(
    sa.or_(tables.usage.c.ended_at.is_(None), tables.usage.c.ended_at > sa.bindparam("moment"))
)


class AllocationPart:
    """Reservations, tickets and usage intervals."""

    _connection: sa.Connection

    def reservations(self) -> Sequence[Reservation]:
        """Every reservation, expired or not."""
        return _RESERVATIONS.read(self._connection)

    def add_reservation(self, reservation: Reservation) -> None:
        """Remember a promise."""
        self._connection.execute(_ADD_RESERVATION, _RESERVATIONS.values(reservation))

    def set_expiry(self, reservation_id: str, expires_at: datetime) -> None:
        """Move the end of a reservation; nothing happens when it is unknown."""
        values = {"reservation_id": reservation_id, "moment": expires_at}
        self._connection.execute(_SET_EXPIRY, values)

    def remove_reservations(self, ids: Sequence[str]) -> None:
        """Forget promises; unknown ids are ignored."""
        _RESERVATIONS.remove(self._connection, [(each,) for each in ids])

    def tickets(self) -> Sequence[Ticket]:
        """Every ticket, alive or not."""
        return _TICKETS.read(self._connection)

    def put_ticket(self, ticket: Ticket) -> None:
        """Add a ticket or replace the one with its id."""
        _TICKETS.put(self._connection, [ticket])

    def remove_tickets(self, ids: Sequence[str]) -> None:
        """Forget tickets; unknown ids are ignored."""
        _TICKETS.remove(self._connection, [(each,) for each in ids])

    def usage_since(self, moment: datetime) -> Sequence[UsageInterval]:
        """Intervals that had not ended at `moment`."""
        return _USAGE.read(self._connection, _NOT_ENDED, {"moment": moment})

    def put_usage(self, intervals: Sequence[UsageInterval]) -> None:
        """Add intervals or replace those of the same container, device and begin."""
        _USAGE.put(self._connection, intervals)
