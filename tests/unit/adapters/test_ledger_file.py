import subprocess
import sys
from pathlib import Path

from ds01_spawner.adapters.ledger import SqliteLedger

VISIT = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version')"


def test_second_ledger_in_a_process_keeps_the_locks_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    first = SqliteLedger(path)
    with first.transaction() as transaction:
        transaction.remove_tickets(["none"])
    second = SqliteLedger(path)

    subprocess.run([sys.executable, "-c", VISIT, str(path)], check=True)

    # Who closes the file last deletes the WAL: the visitor must see that it is not the last.
    assert path.with_name("ledger.sqlite-wal").exists()
    first.close()
    second.close()
