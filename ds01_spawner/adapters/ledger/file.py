"""The ledger's file and its lock.

WAL mode and `BEGIN IMMEDIATE` (https://www.sqlite.org/lang_transaction.html): a transaction holds
the write lock from its first statement, so that two processes never decide on the same facts.
"""

import errno
import logging
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ds01_spawner.adapters.ledger.access import AccessPart
from ds01_spawner.adapters.ledger.allocations import AllocationPart
from ds01_spawner.adapters.ledger.lifecycle import LifecyclePart
from ds01_spawner.adapters.ledger.notices import NoticePart
from ds01_spawner.adapters.ledger.tables import SCHEMA_VERSION, metadata
from ds01_spawner.adapters.ledger.usage import UsagePart
from ds01_spawner.domain.errors import PlatformFault, Unavailable

_POLL_SECONDS = (0.001, 0.005)
_READING = "ds01_reading"
_log = logging.getLogger(__name__)


class SqliteLedger:
    """The `Ledger` port on one SQLite file, shared by every process of this host.

    Args:
        path: The file; made where there is none.
        lock_timeout_seconds: How long a transaction waits for its turn.
        as_it_is: Whether the file is there, with its tables, and nothing of it is made.
    """

    def __init__(
        self, path: Path, *, lock_timeout_seconds: float = 10.0, as_it_is: bool = False
    ) -> None:
        self._path = path
        self._lock_timeout_seconds = lock_timeout_seconds
        # Threads of one process wait here, without asking again and again: only one of them asks
        # for the file's lock. With 30 that wait, asking took more CPU than all of the decisions.
        self._turn = threading.Lock()
        self._identity: tuple[int, int] | None = None
        self._said = ""
        if not as_it_is:
            self._make_file()
        self._engine = sa.create_engine(
            f"sqlite:///{path.resolve().as_uri()}?mode=rw&uri=true",
            connect_args={"timeout": lock_timeout_seconds},
        )
        sa.event.listen(self._engine, "connect", _prepare_connection)
        sa.event.listen(self._engine, "begin", self._begin_immediate)
        if not as_it_is:
            with self._translating(), self._engine.begin() as connection:
                self._migrate(connection)

    def _make_file(self) -> None:
        path = self._path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            # Only a new file: closing a file that this process has open in SQLite would drop its
            # locks, and another process would then delete the WAL (sqlite.org/howtocorrupt.html).
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            pass
        except OSError as exc:
            raise self._unavailable(exc) from exc

    @contextmanager
    def transaction(self) -> Iterator["SqliteTransaction"]:
        """An exclusive transaction.

        Raises:
            Unavailable: The lock was not got within the deadline, or the file cannot be used.
        """
        with self._in_turn(), self._translating(), self._engine.begin() as connection:
            self._check_identity()
            yield SqliteTransaction(connection)

    @contextmanager
    def reading(self) -> Iterator["SqliteTransaction"]:
        """What is in it at one moment: WAL lets readers be beside the one who writes.

        Raises:
            Unavailable: The file cannot be used.
        """
        with (
            self._translating(),
            self._engine.execution_options(**{_READING: True}).connect() as connection,
        ):
            self._check_identity()
            yield SqliteTransaction(connection)  # leaving rolls back

    def row_counts(self) -> Mapping[str, int]:
        """How many rows each table has.

        Raises:
            Unavailable: The file cannot be used.
        """
        with (
            self._translating(),
            self._engine.execution_options(**{_READING: True}).connect() as connection,
        ):
            return {
                table.name: int(connection.execute(_count(table)).scalar_one())
                for table in metadata.sorted_tables
            }

    def faults(self) -> Sequence[str]:
        """What SQLite finds broken, five things at most; without indexes, so that it is quick.

        Raises:
            Unavailable: The file cannot be used.
        """
        with (
            self._translating(),
            self._engine.execution_options(**{_READING: True}).connect() as connection,
        ):
            rows = connection.execute(sa.text("PRAGMA quick_check(5)"))
            return tuple(text for (text,) in rows if text != "ok")

    def close(self) -> None:
        """Release all file handles."""
        self._engine.dispose()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._lock_timeout_seconds):
            raise self._unavailable(TimeoutError("database is locked"))
        try:
            yield
        finally:
            self._turn.release()

    def _check_identity(self) -> None:
        """Return when the file is the one that the first transaction was on.

        Else this process would go on with a file that has no name any more, and those that start
        later with another: two would give the same slot.
        """
        try:
            found = self._path.stat()
        except OSError as exc:
            raise self._unavailable(exc) from exc
        identity = found.st_dev, found.st_ino
        self._identity = self._identity or identity
        if self._identity != identity:
            raise self._unavailable(FileNotFoundError("the file is gone, and another is there"))

    def _begin_immediate(self, connection: sa.Connection) -> None:
        """Get the lock by asking often: SQLite itself asks less and less, up to 0.1 s apart.

        With 20 processes that want the lock at once, that is more than twice as many decisions a
        second (`tests/integration/engine/test_races.py`).
        """
        database: Any = connection.connection.dbapi_connection
        if connection.get_execution_options().get(_READING):
            database.execute("BEGIN")
            return
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
        """Add what an older release did not have: tables, and columns with a default.

        So a process of that release that has the file open goes on.
        """
        version = connection.execute(sa.text("PRAGMA user_version")).scalar_one()
        if version > SCHEMA_VERSION:
            raise PlatformFault(
                f"The ledger {self._path} was written by a newer release "
                f"(schema {version}, this release knows {SCHEMA_VERSION}).",
                f"Update this installation, or do without what is in it. {start_anew(self._path)}",
            )
        if version == SCHEMA_VERSION:
            return
        if version:
            _add_columns(connection)
        metadata.create_all(connection)
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
        self._said = ""

    def _unavailable(self, cause: BaseException) -> Unavailable:
        """The error, which the log says once: people who get it are told less."""
        error = self._fault(cause)
        if self._said != error.message:
            self._said = error.message
            _log.error("%s", error)
        return error

    def _fault(self, cause: BaseException) -> Unavailable:
        if isinstance(cause, FileNotFoundError) and cause.errno == errno.ENOENT:
            return PlatformFault(
                f"The ledger {self._path}: the file is gone.",
                f"Nothing was decided. {start_anew(self._path)}",
            )
        return PlatformFault(
            f"The ledger {self._path} cannot be used: {cause}.",
            "Nothing was decided; try again. If it stays so, check the disk and the file. "
            f"{start_anew(self._path)}",
        )


def start_anew(path: Path) -> str:
    """What to do about a ledger that cannot be used.

    All services have it open, and its log is one with it: what is moved away under them goes on
    being written, and a log that stays is read into the next file.
    """
    return (
        f"For a new one: stop the services, move {path}* away (with -wal and -shm), start the "
        "services: no allocation is lost."
    )


class SqliteTransaction(AllocationPart, UsagePart, LifecyclePart, NoticePart, AccessPart):
    """One atomic decision on the ledger."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection


def _add_columns(connection: sa.Connection) -> None:
    """The columns that tables have got since they were made."""
    existing = sa.inspect(connection)
    names = set(existing.get_table_names())
    for table in (each for each in metadata.sorted_tables if each.name in names):
        known = {column["name"] for column in existing.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                described = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
                connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {described}"))


def _count(table: sa.Table) -> "sa.Select[Any]":
    return sa.select(sa.func.count()).select_from(table)


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
