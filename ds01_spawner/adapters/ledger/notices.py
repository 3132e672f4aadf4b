"""The part of a transaction that keeps what people are told, and how full their homes are."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from ds01_spawner.adapters.ledger import tables
from ds01_spawner.adapters.ledger.rows import Rows
from ds01_spawner.domain.notice import Delivery, Notice
from ds01_spawner.domain.storage import StorageUse

_NOTICES = Rows(Notice, tables.notices, "created_at", "id")
_DELIVERIES = Rows(Delivery, tables.deliveries)
_STORAGE = Rows(StorageUse, tables.storage, "user")

_NOTICES_SINCE = _NOTICES.every.where(tables.notices.c.created_at >= sa.bindparam("moment"))
_ADD_NOTICE = sqlite.insert(tables.notices).on_conflict_do_nothing()
_IS_KNOWN = sa.select(tables.notices.c.id).where(tables.notices.c.id == sa.bindparam("notice_id"))
_BEFORE = tables.notices.c.created_at < sa.bindparam("moment")
_REMOVE_NOTICES = (
    sa.delete(tables.deliveries).where(
        tables.deliveries.c.notice_id.in_(sa.select(tables.notices.c.id).where(_BEFORE))
    ),
    sa.delete(tables.notices).where(_BEFORE),
)
_OUTBOX = (
    sa.select(*_NOTICES.columns, *_DELIVERIES.columns)
    .join_from(
        tables.deliveries, tables.notices, tables.deliveries.c.notice_id == tables.notices.c.id
    )
    .order_by(
        tables.deliveries.c.due_at, tables.deliveries.c.notice_id, tables.deliveries.c.channel
    )
)
_STORAGE_OF = _STORAGE.every.where(tables.storage.c.user == sa.bindparam("person"))


class NoticePart:
    """Notices, their deliveries, and storage use."""

    _connection: sa.Connection

    def notices_since(self, moment: datetime) -> Sequence[Notice]:
        """Notices created at `moment` or later, oldest first."""
        return _NOTICES.read(self._connection, _NOTICES_SINCE, {"moment": moment})

    def put_notice(self, notice: Notice, channels: Sequence[str]) -> None:
        """Remember a notice, to be delivered through each of `channels` at once.

        Nothing happens when it is known: nobody is told twice.
        """
        added = self._connection.execute(_ADD_NOTICE, _NOTICES.values(notice))
        if added.rowcount:
            deliveries = [
                Delivery(notice.id, channel, attempts=0, due_at=notice.created_at)
                for channel in channels
            ]
            _DELIVERIES.put(self._connection, deliveries)

    def remove_notices_before(self, moment: datetime) -> None:
        """Forget older notices with their deliveries."""
        for statement in _REMOVE_NOTICES:
            self._connection.execute(statement, {"moment": moment})

    def deliveries(self) -> Sequence[tuple[Notice, Delivery]]:
        """What is still to be delivered, the first due first."""
        split = len(_NOTICES.columns)
        return [
            (Notice(*row[:split]), Delivery(*row[split:]))
            for row in self._connection.execute(_OUTBOX)
        ]

    def put_delivery(self, delivery: Delivery) -> None:
        """Add a delivery or replace the one of the same notice and channel.

        Nothing happens when its notice is forgotten.
        """
        known = self._connection.execute(_IS_KNOWN, {"notice_id": delivery.notice_id})
        if known.one_or_none() is not None:
            _DELIVERIES.put(self._connection, [delivery])

    def remove_delivery(self, notice_id: str, channel: str) -> None:
        """It arrived, or is given up."""
        _DELIVERIES.remove(self._connection, [(notice_id, channel)])

    def storage(self, user: str | None = None) -> Sequence[StorageUse]:
        """The last measurement of one person, or of everybody."""
        if user is None:
            return _STORAGE.read(self._connection)
        return _STORAGE.read(self._connection, _STORAGE_OF, {"person": user})

    def put_storage(self, use: StorageUse) -> None:
        """Add a measurement or replace the person's last."""
        _STORAGE.put(self._connection, [use])

    def remove_storage(self, users: Iterable[str]) -> None:
        """Forget what these people's homes held; unknown ones are ignored."""
        _STORAGE.remove(self._connection, [(user,) for user in users])
