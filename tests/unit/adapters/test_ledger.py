import multiprocessing
import os
import signal
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ledger import RESERVATION, LedgerContract
from contracts.ledger_access import AccessLedgerContract
from contracts.ledger_lease import LeaseContract
from contracts.ledger_lifecycle import LifecycleLedgerContract
from contracts.ledger_notices import NoticeLedgerContract
from contracts.ledger_usage import LedgerUsageContract
from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.ports import Ledger
from fakes.ledger import FakeLedger


class TestFakeLedger(
    LedgerContract,
    LifecycleLedgerContract,
    LeaseContract,
    NoticeLedgerContract,
    AccessLedgerContract,
    LedgerUsageContract,
):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return FakeLedger()


class TestSqliteLedger(
    LedgerContract,
    LifecycleLedgerContract,
    LeaseContract,
    NoticeLedgerContract,
    AccessLedgerContract,
    LedgerUsageContract,
):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        ledger = SqliteLedger(tmp_path / "state" / "ledger.sqlite")
        yield ledger
        ledger.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def add(ledger: SqliteLedger, name: str) -> None:
    with ledger.transaction() as transaction:
        transaction.add_reservation(replace(RESERVATION, id=name))


def count(ledger: SqliteLedger) -> int:
    with ledger.transaction() as transaction:
        return len(transaction.reservations())


def test_another_process_sees_what_is_kept(path: Path) -> None:
    one, other = SqliteLedger(path), SqliteLedger(path)
    add(one, "r1")
    assert count(other) == 1
    one.close()
    other.close()


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    SqliteLedger(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lock_that_is_not_got_in_time_is_unavailable_and_nothing_is_kept(path: Path) -> None:
    one = SqliteLedger(path)
    other = SqliteLedger(path, lock_timeout_seconds=0.05)
    with one.transaction(), pytest.raises(Unavailable, match="database is locked"):
        add(other, "r1")
    assert count(other) == 0
    one.close()
    other.close()


def test_threads_of_one_process_ask_for_the_lock_one_after_the_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, asked = SqliteLedger(path), list[float]()
    monkeypatch.setattr("ds01_spawner.adapters.ledger.file.time.sleep", asked.append)
    with ThreadPoolExecutor(8) as threads:
        with ledger.transaction():
            counting = [threads.submit(count, ledger) for _ in range(8)]
        assert [each.result(timeout=30) for each in counting] == [0] * 8
    assert asked == [], "none of them asked in vain"
    ledger.close()


def test_a_thread_waits_no_longer_than_a_process_does(path: Path) -> None:
    ledger = SqliteLedger(path, lock_timeout_seconds=0.05)
    with ThreadPoolExecutor(1) as threads:
        with ledger.transaction(), pytest.raises(Unavailable, match="database is locked"):
            threads.submit(count, ledger).result(timeout=30)
        assert threads.submit(count, ledger).result(timeout=30) == 0
    ledger.close()


def test_a_file_that_is_no_ledger_is_unavailable_and_says_what_to_do(path: Path) -> None:
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(Unavailable, match="file is not a database") as caught:
        SqliteLedger(path)
    assert "no allocation is lost" in caught.value.next_step


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be used"):
        SqliteLedger(tmp_path / "file" / "ledger.sqlite")


def test_a_ledger_that_was_removed_starts_empty_for_the_next_process(path: Path) -> None:
    one = SqliteLedger(path)
    add(one, "r1")
    one.close()
    for file in path.parent.iterdir():
        file.unlink()
    other = SqliteLedger(path)
    assert count(other) == 0
    other.close()


def _open_and_add(path: Path, number: int, failures: "multiprocessing.Queue[str]") -> None:
    try:
        add(SqliteLedger(path), str(number))
    except Unavailable as exc:
        failures.put(str(exc))


def test_many_processes_may_open_a_new_ledger_at_once(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    failures: multiprocessing.Queue[str] = context.Queue()
    processes = [
        context.Process(target=_open_and_add, args=(path, number, failures)) for number in range(12)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert failures.empty()
    ledger = SqliteLedger(path)
    assert count(ledger) == 12
    ledger.close()


def _die_within(path: Path) -> None:
    with SqliteLedger(path).transaction() as transaction:
        transaction.add_reservation(RESERVATION)
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_killed_within_a_decision_leaves_nothing_and_no_lock(path: Path) -> None:
    SqliteLedger(path).close()
    process = multiprocessing.get_context("fork").Process(target=_die_within, args=(path,))
    process.start()
    process.join(60)
    ledger = SqliteLedger(path, lock_timeout_seconds=1)
    assert count(ledger) == 0
    add(ledger, "r2")
    ledger.close()
