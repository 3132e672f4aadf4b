import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ds01_spawner.adapters.ledger import LedgerLook, SqliteLedger
from ds01_spawner.domain.errors import Unavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def made(path: Path) -> None:
    ledger = SqliteLedger(path)
    with ledger.transaction() as transaction:
        transaction.tickets()
    ledger.close()


def test_a_file_that_is_gone_is_said_and_not_made(path: Path) -> None:
    with pytest.raises(Unavailable, match="the file is gone") as caught:
        LedgerLook(path).faults()
    with pytest.raises(Unavailable, match="the file is gone"):
        LedgerLook(path).opened()
    assert "start the services" in caught.value.next_step.lower()
    assert list(path.parent.iterdir()) == []


def test_a_file_without_tables_is_said_and_none_are_made(path: Path) -> None:
    path.touch()
    for look in (LedgerLook(path).faults, LedgerLook(path).opened):
        with pytest.raises(Unavailable, match="has no tables"):
            look()
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert path.stat().st_size == 0


def test_a_database_of_something_else_has_no_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE notes (text TEXT)")
    with pytest.raises(Unavailable, match="has no tables"):
        LedgerLook(path).faults()


def test_a_table_that_is_missing_is_named(path: Path) -> None:
    made(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE tickets")
    with pytest.raises(Unavailable, match="tickets"):
        LedgerLook(path).faults()


def test_rubbish_is_damage(path: Path) -> None:
    path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(Unavailable, match="is damaged") as caught:
        LedgerLook(path).faults()
    assert "-wal" in caught.value.next_step


@pytest.mark.parametrize("kept", [0, 4096 * 8], ids=["cut", "in-place"])
def test_rubbish_over_the_file_of_services_that_run_is_damage(path: Path, kept: int) -> None:
    ledger = SqliteLedger(path)  # what it knows is in the write-ahead log
    with ledger.transaction() as transaction:
        transaction.tickets()
    with path.open("r+b") as file:
        file.write(b"rubbish!" * 512)
        if not kept:
            file.truncate()
    with pytest.raises(Unavailable, match="is damaged"):
        LedgerLook(path).faults()
    ledger.close()


def test_a_ledger_that_is_whole_is_looked_at_and_left_as_it_is(path: Path) -> None:
    made(path)
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    look = LedgerLook(path)
    assert look.faults() == ()
    opened = look.opened()
    with opened.transaction() as transaction:
        assert transaction.pass_mark() is None
    opened.close()
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


def test_it_is_looked_at_while_services_use_it(path: Path) -> None:
    ledger = SqliteLedger(path)
    with ledger.transaction():
        assert LedgerLook(path).faults() == ()
    ledger.close()


def test_a_ledger_of_an_older_release_is_not_made_newer(path: Path) -> None:
    made(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE bare_metal_grants")
        other.execute("PRAGMA user_version = 4")
    with pytest.raises(Unavailable, match="older release") as caught:
        LedgerLook(path).opened()
    assert "services" in caught.value.next_step
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (4,)
