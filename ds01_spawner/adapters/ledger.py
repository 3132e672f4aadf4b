"""The ledger in SQLite: reservations, tickets and usage intervals.

WAL mode and `BEGIN IMMEDIATE` (https://www.sqlite.org/lang_transaction.html): a transaction holds
the write lock from its first statement, so that two processes never decide on the same facts.
Losing the file loses no allocation: labels on containers are the database of those.
"""

import os
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError

from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.request import GpuKind, GpuRequest

SCHEMA_VERSION = 1
_POLL_SECONDS = (0.001, 0.005)

_metadata = sa.MetaData()


class _Moment(sa.TypeDecorator[datetime]):
    """An aware datetime as integer microseconds since 1970, UTC."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Microseconds of `value`."""
        del dialect
        if value is None:
            return None
        return (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """The moment that `value` microseconds name."""
        del dialect
        if value is None:
            return None
        return _EPOCH + timedelta(microseconds=value)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_reservations = sa.Table(
    "reservations",
    _metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("container_name", sa.Text, nullable=False),
    sa.Column("gpu_uuids", sa.JSON, nullable=False),
    sa.Column("gpu_equivalents", sa.Float, nullable=False),
    sa.Column("created_at", _Moment, nullable=False),
    sa.Column("expires_at", _Moment, nullable=False),
)
_tickets = sa.Table(
    "tickets",
    _metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("container_name", sa.Text, nullable=False),
    sa.Column("gpu", sa.JSON, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("created_at", _Moment, nullable=False),
    sa.Column("seen_at", _Moment, nullable=False),
    sa.Column("overtaken", sa.Integer, nullable=False),
    sa.Column("groups", sa.JSON, nullable=False),
)
_usage = sa.Table(
    "usage",
    _metadata,
    sa.Column("container_id", sa.Text, primary_key=True),
    sa.Column("gpu_uuid", sa.Text, primary_key=True),
    sa.Column("started_at", _Moment, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("gpu_equivalents", sa.Float, nullable=False),
    sa.Column("ended_at", _Moment, index=True),
)


class SqliteLedger:
    """The `Ledger` port on one SQLite file, shared by every process of this host."""

    def __init__(self, path: Path, *, lock_timeout_seconds: float = 10.0) -> None:
        self._path = path
        self._lock_timeout_seconds = lock_timeout_seconds
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            # Only a new file: closing a file that this process has open in SQLite would drop its
            # locks, and another process would then delete the WAL (sqlite.org/howtocorrupt.html).
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            pass
        except OSError as exc:
            raise self._unavailable(exc) from exc
        self._engine = sa.create_engine(
            f"sqlite:///{path}", connect_args={"timeout": lock_timeout_seconds}
        )
        sa.event.listen(self._engine, "connect", _prepare_connection)
        sa.event.listen(self._engine, "begin", self._begin_immediate)
        with self._translating(), self._engine.begin() as connection:
            self._migrate(connection)

    @contextmanager
    def transaction(self) -> Iterator["SqliteTransaction"]:
        """An exclusive transaction.

        Raises:
            Unavailable: The lock was not got within the deadline, or the file cannot be used.
        """
        with self._translating(), self._engine.begin() as connection:
            yield SqliteTransaction(connection)

    def close(self) -> None:
        """Release all file handles."""
        self._engine.dispose()

    def _begin_immediate(self, connection: sa.Connection) -> None:
        """Get the lock by asking often: SQLite itself asks less and less, up to 0.1 s apart.

        With 20 processes that want the lock at once, that is more than twice as many decisions a
        second (`tests/integration/test_races.py`).
        """
        database: Any = connection.connection.dbapi_connection
        deadline = time.monotonic() + self._lock_timeout_seconds
        while True:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as exc:
                busy = exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() >= deadline:
                    raise
                time.sleep(random.uniform(*_POLL_SECONDS))  # noqa: S311 - spreads those who wait
            else:
                return

    def _migrate(self, connection: sa.Connection) -> None:
        version = connection.execute(sa.text("PRAGMA user_version")).scalar_one()
        if version > SCHEMA_VERSION:
            raise Unavailable(
                f"The ledger {self._path} was written by a newer release "
                f"(schema {version}, this release knows {SCHEMA_VERSION}).",
                "Update this installation, or move the file away: no allocation is lost.",
            )
        _metadata.create_all(connection)
        connection.execute(sa.text(f"PRAGMA user_version = {SCHEMA_VERSION}"))

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (
            SQLAlchemyError,
            sqlite3.Error,
        ) as exc:  # the latter from before the first statement
            raise self._unavailable(getattr(exc, "orig", None) or exc) from exc

    def _unavailable(self, cause: BaseException) -> Unavailable:
        return Unavailable(
            f"The ledger {self._path} cannot be used: {cause}.",
            "Nothing was decided; try again. If it stays so, check the disk and the file, or move "
            "the file away: no allocation is lost.",
        )


class SqliteTransaction:
    """One atomic decision on the ledger."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def reservations(self) -> Sequence[Reservation]:
        """Every reservation, expired or not."""
        rows = self._connection.execute(sa.select(_reservations).order_by("created_at", "id"))
        return [_reservation(row) for row in rows.mappings()]

    def add_reservation(self, reservation: Reservation) -> None:
        """Remember a promise."""
        values = asdict(reservation) | {"gpu_uuids": list(reservation.gpu_uuids)}
        self._connection.execute(sa.insert(_reservations).values(values))

    def set_expiry(self, reservation_id: str, expires_at: datetime) -> None:
        """Move the end of a reservation; nothing happens when it is unknown."""
        self._connection.execute(
            sa.update(_reservations)
            .where(_reservations.c.id == reservation_id)
            .values(expires_at=expires_at)
        )

    def remove_reservations(self, ids: Sequence[str]) -> None:
        """Forget promises; unknown ids are ignored."""
        if ids:
            self._connection.execute(sa.delete(_reservations).where(_reservations.c.id.in_(ids)))

    def tickets(self) -> Sequence[Ticket]:
        """Every ticket, alive or not."""
        rows = self._connection.execute(sa.select(_tickets).order_by("created_at", "id"))
        return [_ticket(row) for row in rows.mappings()]

    def put_ticket(self, ticket: Ticket) -> None:
        """Add a ticket or replace the one with its id."""
        values = asdict(ticket)
        statement = sqlite.insert(_tickets).values(values)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_=values)
        )

    def remove_tickets(self, ids: Sequence[str]) -> None:
        """Forget tickets; unknown ids are ignored."""
        if ids:
            self._connection.execute(sa.delete(_tickets).where(_tickets.c.id.in_(ids)))

    def usage_since(self, moment: datetime) -> Sequence[UsageInterval]:
        """Intervals that had not ended at `moment`."""
        rows = self._connection.execute(
            sa.select(_usage).where(sa.or_(_usage.c.ended_at.is_(None), _usage.c.ended_at > moment))
        )
        return [UsageInterval(**row) for row in rows.mappings()]

    def put_usage(self, intervals: Sequence[UsageInterval]) -> None:
        """Add intervals or replace those of the same container, device and begin."""
        for interval in intervals:
            values = asdict(interval)
            statement = sqlite.insert(_usage).values(values)
            self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["container_id", "gpu_uuid", "started_at"], set_=values
                )
            )


def _reservation(row: Any) -> Reservation:
    return Reservation(**{**row, "gpu_uuids": tuple(row["gpu_uuids"])})


def _ticket(row: Any) -> Ticket:
    gpu = row["gpu"]
    request = GpuRequest(
        GpuKind(gpu["kind"]), gpu["count"], gpu["profile"], gpu["min_memory_bytes"]
    )
    return Ticket(**{**row, "gpu": request, "groups": tuple(row["groups"])})


def _prepare_connection(dbapi_connection: Any, _record: object) -> None:
    """Leave transactions to us: pysqlite would begin them late and deferred.

    See https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#serializable-isolation.
    """
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA busy_timeout = 0")
    cursor.close()
