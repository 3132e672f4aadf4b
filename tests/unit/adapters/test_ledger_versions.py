import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.ledger_lifecycle import TRACK
from contracts.ledger_notices import NOTICE
from contracts.ledger_usage import FULL
from ds01_spawner.adapters.ledger import SCHEMA_VERSION, SqliteLedger
from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.domain.usage import Amount, Booking, Grain, Holder

VERSION_1 = """
PRAGMA journal_mode = WAL;
CREATE TABLE reservations (
    id TEXT NOT NULL, user TEXT NOT NULL, container_name TEXT NOT NULL, gpu_uuids JSON NOT NULL,
    gpu_equivalents FLOAT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE tickets (
    id TEXT NOT NULL, user TEXT NOT NULL, container_name TEXT NOT NULL, gpu JSON NOT NULL,
    priority INTEGER NOT NULL, created_at BIGINT NOT NULL, seen_at BIGINT NOT NULL,
    overtaken INTEGER NOT NULL, groups JSON NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE usage (
    container_id TEXT NOT NULL, gpu_uuid TEXT NOT NULL, started_at BIGINT NOT NULL,
    user TEXT NOT NULL, gpu_equivalents FLOAT NOT NULL, ended_at BIGINT,
    PRIMARY KEY (container_id, gpu_uuid, started_at)
);
CREATE INDEX ix_usage_ended_at ON usage (ended_at);
PRAGMA user_version = 1;
INSERT INTO reservations VALUES
    ('r1', 'alice', 'jupyter._.alice', '["MIG-1", "GPU-2"]', 1.25, 1769860800000001,
     1769860860000000);
INSERT INTO tickets VALUES
    ('t1', 'bob', 'jupyter._.bob',
     '{"kind": "at_least", "count": 2, "profile": "", "min_memory_bytes": 20000000000}',
     60, 1769860800000000, 1769860801000000, 3, '["student"]');
INSERT INTO usage VALUES ('c1', 'GPU-2', 1769860800000000, 'alice', 1.0, NULL);
"""
BEGAN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RESERVATION = Reservation(
    "r1",
    "alice",
    "jupyter._.alice",
    ("MIG-1", "GPU-2"),
    1.25,
    BEGAN + timedelta(microseconds=1),
    BEGAN + timedelta(minutes=1),
)
TICKET = Ticket(
    "t1",
    "bob",
    "jupyter._.bob",
    GpuRequest.parse("20gb", 2),
    60,
    BEGAN,
    BEGAN + timedelta(seconds=1),
    3,
    ("student",),
)
USAGE = UsageInterval("c1", "GPU-2", "alice", 1.0, BEGAN)


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
    return path


@pytest.fixture
def ledger(old_file: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(old_file)
    yield ledger
    ledger.close()


def schema(path: Path) -> tuple[int, set[str]]:
    with closing(sqlite3.connect(path)) as connection:
        [(version,)] = connection.execute("PRAGMA user_version")
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return version, names


def test_the_ledger_of_the_first_release_keeps_its_rows(ledger: SqliteLedger) -> None:
    with ledger.transaction() as transaction:
        assert list(transaction.reservations()) == [RESERVATION]
        assert list(transaction.tickets()) == [TICKET]
        assert list(transaction.usage_since(BEGAN)) == [USAGE]


def columns(path: Path, table: str) -> dict[str, tuple[object, ...]]:
    """Type, not null, default and place in the key of each column."""
    with closing(sqlite3.connect(path)) as connection:
        return {row[1]: row[2:] for row in connection.execute(f"PRAGMA table_info({table})")}


def test_usage_of_the_first_release_gets_the_columns_of_this_one(
    old_file: Path, ledger: SqliteLedger, tmp_path: Path
) -> None:
    SqliteLedger(tmp_path / "new.sqlite").close()
    assert columns(old_file, "usage") == columns(tmp_path / "new.sqlite", "usage")
    with ledger.transaction() as transaction:
        transaction.put_usage([FULL])
        assert list(transaction.usage_of([FULL.container_id])) == [USAGE, FULL]


def test_hours_of_a_release_that_did_not_count_who_gave_up_are_kept(tmp_path: Path) -> None:
    path, at = tmp_path / "ledger.sqlite", BEGAN.replace(minute=0, second=0)
    before = Booking(Holder("alice"), at, Amount(grants=2, waits=1))
    ledger = SqliteLedger(path)
    with ledger.transaction() as transaction:
        transaction.book_usage(Grain.HOUR, [before])
    ledger.close()
    as_new = columns(path, "usage_hours"), columns(path, "usage_days")
    with closing(sqlite3.connect(path)) as connection:
        for table in ("usage_hours", "usage_days"):
            for name in ("gave_up", "gave_up_microseconds", "queued_microseconds"):
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        connection.execute("PRAGMA user_version = 5")
    ledger = SqliteLedger(path)
    assert (columns(path, "usage_hours"), columns(path, "usage_days")) == as_new
    with ledger.transaction() as transaction:
        transaction.book_usage(Grain.HOUR, [Booking(Holder("alice"), at, Amount(gave_up=1))])
        (found,) = transaction.bookings_before(Grain.HOUR, at + timedelta(hours=1))
    assert found.amount == Amount(grants=2, waits=1, gave_up=1)
    ledger.close()


def test_a_process_of_the_first_release_goes_on_to_write_usage(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file, isolation_level=None)) as first:
        ledger = SqliteLedger(old_file)
        first.execute(
            "INSERT INTO usage (container_id, gpu_uuid, started_at, user, gpu_equivalents) "
            "VALUES ('c9', 'GPU-9', 1769860800000000, 'bob', 1.0)"
        )
        with ledger.transaction() as transaction:
            (found,) = transaction.usage_of(["c9"])
        assert found == UsageInterval("c9", "GPU-9", "bob", 1.0, BEGAN)
        ledger.close()


def test_the_ledger_of_the_first_release_learns_the_lifecycle(ledger: SqliteLedger) -> None:
    with ledger.transaction() as transaction:
        assert transaction.pass_mark() is None
        transaction.put_tracks([TRACK])
        transaction.put_notice(NOTICE, ["terminal"])
    with ledger.transaction() as transaction:
        assert list(transaction.tracks()) == [TRACK]
        assert [notice for notice, _ in transaction.deliveries()] == [NOTICE]


def test_an_old_ledger_becomes_as_a_new_one(
    old_file: Path, ledger: SqliteLedger, tmp_path: Path
) -> None:
    SqliteLedger(tmp_path / "new.sqlite").close()
    assert schema(old_file) == schema(tmp_path / "new.sqlite")
    assert schema(old_file)[0] == SCHEMA_VERSION == 6
    ledger.close()


def test_a_process_of_the_first_release_that_has_the_file_open_goes_on(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file, isolation_level=None)) as first:
        assert first.execute("SELECT count(*) FROM reservations").fetchone() == (1,)
        ledger = SqliteLedger(old_file)
        with ledger.transaction() as transaction:
            transaction.remove_reservations(["r1"])
        assert first.execute("SELECT count(*) FROM reservations").fetchone() == (0,)
        first.execute("DELETE FROM tickets")
        with ledger.transaction() as transaction:
            assert list(transaction.tickets()) == []
        ledger.close()


def test_an_old_ledger_that_cannot_be_brought_up_to_date_stays_as_it_was(old_file: Path) -> None:
    before = schema(old_file)
    with closing(sqlite3.connect(old_file)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="database is locked"):
            SqliteLedger(old_file, lock_timeout_seconds=0.05)
    assert schema(old_file) == before
    SqliteLedger(old_file).close()


def test_a_ledger_of_a_newer_release_is_left_alone(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = schema(old_file)
    with pytest.raises(Unavailable, match="was written by a newer release"):
        SqliteLedger(old_file)
    assert schema(old_file) == before
