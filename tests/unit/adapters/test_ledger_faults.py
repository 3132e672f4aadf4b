import multiprocessing
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.ledger_lifecycle import MARK, TRACK, WARNING
from contracts.ledger_notices import NOTICE
from ds01_spawner.adapters.ledger import SqliteLedger
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.work import Track
from ds01_spawner.ports import LedgerTransaction

FORK = multiprocessing.get_context("fork")
MANY = [replace(TRACK, container_id=f"{number:064x}") for number in range(2000)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(path, lock_timeout_seconds=0.05)
    yield ledger
    ledger.close()


def remember(ledger: SqliteLedger, tracks: list[Track]) -> None:
    with ledger.transaction() as transaction:
        transaction.put_warnings([WARNING])
        transaction.put_tracks(tracks)


def remembered(ledger: SqliteLedger) -> tuple[int, int]:
    with ledger.transaction() as transaction:
        return len(transaction.warnings()), len(transaction.tracks())


def allow_pages(ledger: SqliteLedger, more: int) -> None:
    with closing(ledger._engine.raw_connection()) as connection:
        cursor = connection.cursor()
        [pages] = cursor.execute("PRAGMA page_count").fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages + more}")
        cursor.close()


def test_a_full_disk_is_unavailable_and_keeps_what_was_there(ledger: SqliteLedger) -> None:
    remember(ledger, [TRACK])
    allow_pages(ledger, 2)
    with pytest.raises(Unavailable, match="database or disk is full") as caught:
        remember(ledger, MANY)
    assert "check the disk" in caught.value.next_step
    assert remembered(ledger) == (1, 1)


def test_on_a_full_disk_what_is_there_can_be_read(ledger: SqliteLedger) -> None:
    remember(ledger, [TRACK])
    allow_pages(ledger, 0)
    with ledger.transaction() as transaction:
        assert list(transaction.tracks()) == [TRACK]


def test_work_goes_on_when_there_is_room_again(ledger: SqliteLedger) -> None:
    allow_pages(ledger, 2)
    with pytest.raises(Unavailable):
        remember(ledger, MANY)
    allow_pages(ledger, 1000)
    remember(ledger, MANY)
    assert remembered(ledger) == (1, 2000)


def _remember_in_a_small_file(path: Path, said: "multiprocessing.Queue[str]") -> None:
    ledger = SqliteLedger(path)
    # Every write past this fails, in the WAL as well, as on a disk that is full (setrlimit(2)).
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        remember(ledger, MANY)
    except Unavailable as exc:
        said.put(f"{exc} {remembered(ledger)}")


def test_a_write_that_the_kernel_refuses_is_unavailable(ledger: SqliteLedger, path: Path) -> None:
    remember(ledger, [TRACK])
    said: multiprocessing.Queue[str] = FORK.Queue()
    process = FORK.Process(target=_remember_in_a_small_file, args=(path, said))
    process.start()
    assert "cannot be used" in (report := said.get(timeout=60))
    process.join(60)
    assert report.endswith("(1, 1)")
    assert remembered(ledger) == (1, 1)
    remember(ledger, MANY)
    assert remembered(ledger) == (1, 2001)


@pytest.mark.parametrize(
    "deed",
    [
        lambda rows: rows.tracks(),
        lambda rows: rows.put_tracks([TRACK]),
        lambda rows: rows.put_notice(NOTICE, ["terminal"]),
        lambda rows: rows.take_lease("pass", "one", MARK, 60),
    ],
)
def test_a_locked_ledger_is_unavailable_and_nothing_is_written(
    ledger: SqliteLedger, path: Path, deed: Callable[[LedgerTransaction], object]
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="database is locked"), ledger.transaction() as rows:
            deed(rows)
    with ledger.transaction() as rows:
        assert list(rows.tracks()) == []
        assert list(rows.deliveries()) == []
        assert rows.take_lease("pass", "two", MARK, 60)


def _take_when_told(
    path: Path,
    holder: str,
    told: "multiprocessing.synchronize.Barrier",
    takers: "multiprocessing.Queue[str]",
) -> None:
    ledger = SqliteLedger(path)
    told.wait(60)
    with ledger.transaction() as transaction:
        taken = transaction.take_lease("pass", holder, MARK, 60)
    takers.put(holder if taken else "")


@pytest.mark.parametrize("earlier", [None, "ended", "before the reboot"])
def test_of_processes_that_want_a_free_lease_at_once_one_gets_it(
    ledger: SqliteLedger, path: Path, earlier: str | None
) -> None:
    with ledger.transaction() as transaction:
        if earlier == "ended":
            mark = replace(MARK, uptime_seconds=MARK.uptime_seconds - 60)
            assert transaction.take_lease("pass", "earlier", mark, 60)
        elif earlier == "before the reboot":
            assert transaction.take_lease("pass", "earlier", replace(MARK, boot_id="old"), 60)
    told = FORK.Barrier(4)
    takers: multiprocessing.Queue[str] = FORK.Queue()
    holders = {f"process {number}" for number in range(4)}
    processes = [
        FORK.Process(target=_take_when_told, args=(path, holder, told, takers))
        for holder in sorted(holders)
    ]
    for process in processes:
        process.start()
    answers = sorted(takers.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
    assert answers[:3] == ["", "", ""]
    assert answers[3] in holders
    with ledger.transaction() as transaction:
        assert transaction.take_lease("pass", answers[3], MARK, 60)
        assert not transaction.take_lease("pass", "another", MARK, 60)


def test_a_whole_file_has_no_faults_and_a_broken_one_says_which(
    path: Path, ledger: SqliteLedger
) -> None:
    remember(ledger, MANY)
    assert ledger.faults() == ()
    ledger.close()
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * 4096 * 4)
    broken = SqliteLedger(path)
    with pytest.raises(Unavailable, match="malformed"):
        broken.faults()
    broken.close()


def test_who_only_reads_does_not_wait_for_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ledger.reading() as rows:
            assert list(rows.tickets()) == []
        assert ledger.row_counts()["tickets"] == 0
        other.rollback()
    ledger.close()


def replaced(path: Path) -> None:
    path.unlink()
    SqliteLedger(path).close()


@pytest.mark.parametrize("deed", [Path.unlink, replaced], ids=["gone", "another"])
def test_a_service_does_not_go_on_with_a_file_that_is_not_the_ledger_any_more(
    path: Path, ledger: SqliteLedger, deed: Callable[[Path], None]
) -> None:
    remember(ledger, [TRACK])
    deed(path)
    with pytest.raises(Unavailable, match="gone") as caught:
        remembered(ledger)
    assert "start the services" in caught.value.next_step
    with pytest.raises(Unavailable, match="gone"), ledger.reading():
        pass


def test_people_are_told_of_a_fault_without_paths_or_words_of_the_database(
    path: Path, ledger: SqliteLedger, caplog: pytest.LogCaptureFixture
) -> None:
    remember(ledger, [TRACK])
    path.unlink()
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            remembered(ledger)
    said = str(caught.value.told)
    assert said.startswith("The platform has a fault")
    assert said.endswith("what runs goes on. Tell your administrator.")
    assert "ledger" not in said
    assert str(path) not in said
    assert isinstance(caught.value.told, Unavailable)
    assert str(path) in str(caught.value)
    assert [str(path) in each.getMessage() for each in caplog.records] == [True]
