"""The exporter on a platform whose ledger is a file, and whose engine and cards are simulated."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.gpu_source import SIMULATION_STATE
from ds01_spawner.adapters.simulated_state import DeviceState, SimulatedState, write_state
from ds01_spawner.composition import Directories, Platform, open_platform
from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.exporter.collector import Exporter
from ds01_spawner.exporter.composing import reading_of
from fakes.engine import FakeEngine
from fakes.exporter_lab import Scraped

CONFIG = Path(__file__).parents[3] / "config"
QUICK_SECONDS = 3.0
ON_THE_LEDGER = {"slots", "people", "storage", "queue", "ledger", "services"}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    state = tmp_path / "state"
    state.mkdir()
    directories = Directories(
        config=CONFIG,
        state=state,
        events=state / "events.jsonl",
        engine_socket=str(tmp_path / "no.sock"),
        run=tmp_path / "run",
    )
    platform = open_platform(directories, actor="exporter")
    platform.engine = FakeEngine()  # type: ignore[assignment]  # as much of one as is asked
    return platform


@pytest.fixture
def writer(platform: Platform) -> Iterator[sqlite3.Connection]:
    """Another process' connection to the ledger."""
    platform.ledger.row_counts()
    with closing(sqlite3.connect(platform.directories.ledger, isolation_level=None)) as found:
        yield found


def scraped(exporter: Exporter) -> tuple[Scraped, float]:
    begin = time.monotonic()
    text = exporter.text()
    return Scraped(text), time.monotonic() - begin


def test_who_writes_into_the_ledger_holds_nothing_up(
    platform: Platform, writer: sqlite3.Connection
) -> None:
    writer.execute("BEGIN EXCLUSIVE")
    found, seconds = scraped(Exporter(reading_of(platform, {})))
    assert ON_THE_LEDGER & found.down() == set()
    assert seconds < QUICK_SECONDS


def test_a_ledger_that_nobody_else_may_read_leaves_the_rest(
    platform: Platform, writer: sqlite3.Connection
) -> None:
    platform.ledger.close()
    del platform.ledger  # as after a restart: what is open keeps others from locking the file
    writer.execute("PRAGMA locking_mode = EXCLUSIVE")
    writer.execute("BEGIN EXCLUSIVE")
    exporter = Exporter(reading_of(platform, {}))
    for _ in range(2):
        found, seconds = scraped(exporter)
        assert seconds < QUICK_SECONDS
        assert found.down() >= ON_THE_LEDGER
        assert {"cards", "containers", "policy", "events"} & found.down() == set()
        assert found.rows("ds01_queue_length") == {}
        assert found.rows("ds01_ledger_bytes") == {}
    writer.execute("COMMIT")
    writer.close()
    bound = time.monotonic() + 20
    while ON_THE_LEDGER & scraped(Exporter(reading_of(platform, {})))[0].down():
        assert time.monotonic() < bound
        time.sleep(0.1)


def test_work_with_a_grant_is_not_past_the_platform(platform: Platform) -> None:
    mark = platform.clock.mark()
    name = platform.accounts.name_of(os.getuid())
    assert name is not None
    with platform.ledger.transaction() as transaction:
        transaction.put_bare_metal_grant(
            BareMetalGrant(
                user=name,
                uid=os.getuid(),
                reason="drivers",
                granted_by="root",
                granted_at=mark.wall,
                until=mark.wall + timedelta(hours=1),
                boot_id=mark.boot_id,
                uptime_seconds=mark.uptime_seconds,
            )
        )
    state = SimulatedState(devices={"2": DeviceState(pids=(os.getpid(),))})
    write_state(platform.directories.state / SIMULATION_STATE, state)
    found, _ = scraped(Exporter(reading_of(platform, {})))
    (row,) = found.rows("ds01_gpu_processes")
    assert row == ("bare-metal", "2", name)
    assert found.value("ds01_workloads", kind="host") == 0
