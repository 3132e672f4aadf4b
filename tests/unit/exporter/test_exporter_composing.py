import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ds01_spawner.adapters.event_file import EventFile
from ds01_spawner.composition import Directories, open_platform
from ds01_spawner.domain.event import Event
from ds01_spawner.exporter import services
from ds01_spawner.exporter.collector import Exporter
from ds01_spawner.exporter.composing import hub_url, reading_of, size_of
from ds01_spawner.exporter.event_counts import EventCounts
from ds01_spawner.exporter.reading import log_facts
from ds01_spawner.exporter.services import ServiceWatch
from fakes.clock import EPOCH
from fakes.exporter_lab import CULLER, Scraped

CONFIG = Path(__file__).parents[3] / "config"


def watch(folder: Path, hub: str | None = None, gateway: bool | None = None) -> ServiceWatch:
    return ServiceWatch(
        now=lambda: EPOCH,
        hub_url=hub,
        gateway=None if gateway is None else lambda: gateway,
        culler_file=folder / "culler.prom",
    )


def test_the_hub_is_where_its_services_are_told(tmp_path: Path) -> None:
    assert hub_url(tmp_path, {}) is None
    (tmp_path / "culler.env").write_text("JUPYTERHUB_API_URL=http://10.0.0.1:481/hub/api\n")
    assert hub_url(tmp_path, {}) == "http://10.0.0.1:481/hub/api/"
    told = {"JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api/"}
    assert hub_url(tmp_path, told) == "http://127.0.0.1:1/hub/api/"


def test_every_file_of_the_ledger_counts(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    assert size_of(ledger) == 0
    ledger.write_bytes(b"x" * 100)
    (tmp_path / "ledger.sqlite-wal").write_bytes(b"x" * 20)
    assert size_of(ledger) == 120
    (tmp_path / "ledger.sqlite-shm").write_bytes(b"x" * 3)
    assert size_of(ledger) == 123


def test_only_those_that_there_are_to_ask_are_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch(tmp_path).look().answers == {}
    monkeypatch.setattr(services, "answers_http", lambda url: url == "http://hub/")
    found = watch(tmp_path, "http://hub/", gateway=False).look()
    assert found.answers == {"hub": True, "gateway": False}
    assert found.last_good == {"hub": EPOCH}


def test_services_that_hang_are_waited_for_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=5)

    def waits(*_: object) -> bool:
        both.wait()
        return False

    looks = ServiceWatch(
        now=lambda: EPOCH,
        hub_url="http://hub/",
        gateway=waits,
        culler_file=tmp_path / "culler.prom",
    )
    monkeypatch.setattr(services, "answers_http", waits)
    assert looks.look().answers == {"hub": False, "gateway": False}


def figures(folder: Path, text: str = CULLER, age: float = 0.0) -> Path:
    """The lifecycle service's, written so long ago."""
    file = folder / "culler.prom"
    file.write_text(text)
    os.utime(file, (EPOCH.timestamp() - age,) * 2)
    return file


def test_the_lifecycle_services_figures_are_passed_on_as_they_are(tmp_path: Path) -> None:
    figures(tmp_path, CULLER + "# TYPE other gauge\nother 1\n")
    found = watch(tmp_path).look()
    assert [each.name for each in found.passed_on] == [
        "ds01_culler_passes",
        "ds01_culler_last_good_pass_timestamp_seconds",
    ]
    assert found.last_good["culler"] == datetime.fromtimestamp(1.7698607e9, UTC)
    assert found.culler_problem == ""


def test_figures_that_are_gone_or_old_are_not_passed_on(tmp_path: Path) -> None:
    looks = watch(tmp_path)
    assert "No such file" in looks.look().culler_problem
    file = figures(tmp_path, age=300)
    assert looks.look().passed_on
    figures(tmp_path, age=301)
    old = looks.look()
    assert (old.passed_on, old.culler_problem) == ((), f"{file} is 301 s old.")
    figures(tmp_path)
    assert looks.look().passed_on
    file.unlink()
    gone = looks.look()
    assert gone.passed_on == ()
    assert gone.last_good["culler"] == datetime.fromtimestamp(1.7698607e9, UTC)  # as it was


def test_a_lifecycle_service_that_never_made_a_good_pass_says_so(tmp_path: Path) -> None:
    never = CULLER.replace("1.7698607e+09", "0.0")
    looks = watch(tmp_path)
    figures(tmp_path, never)
    assert looks.look().last_good["culler"] == datetime.fromtimestamp(0, UTC)
    figures(tmp_path, age=1)
    known = looks.look().last_good["culler"]
    assert known == datetime.fromtimestamp(1.7698607e9, UTC)
    figures(tmp_path, never, age=2)  # it began anew, and what it did before is known
    assert looks.look().last_good["culler"] == known


@pytest.mark.parametrize(
    "text",
    [
        "ds01_culler_x{ 3",
        "\0",
        "x" * 300_000,
        "ds01_culler_last_good_pass_timestamp_seconds 1e300\n",
        "ds01_culler_last_good_pass_timestamp_seconds NaN\n",
    ],
)
def test_a_broken_file_of_figures_spoils_nothing(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ds01.exporter")
    figures(tmp_path, text)
    looks = watch(tmp_path)
    for _ in range(2):
        found = looks.look()
        assert found.passed_on == ()
        assert "is broken" in found.culler_problem
    assert caplog.text.count("Figures of the lifecycle service") == 1


def test_a_log_that_is_not_there_can_be_written_where_its_folder_can(tmp_path: Path) -> None:
    found = log_facts(tmp_path / "events.jsonl", EventCounts(), None, 0)
    assert (found.writable, found.size_bytes, found.last_event_at) == (True, 0, None)
    assert not log_facts(tmp_path / "no" / "events.jsonl", EventCounts(), None, 0).writable


def test_the_last_line_of_a_log_from_before_is_as_old_as_its_file(tmp_path: Path) -> None:
    log = EventFile(tmp_path / "events.jsonl")
    log.append(Event(EPOCH, None, "a.b", "r", "a", "i"))
    found = log_facts(log.path, EventCounts(), None, 0)
    assert found.size_bytes > 0
    assert found.last_event_at is not None
    assert log_facts(log.path, EventCounts(), EPOCH, 0).last_event_at == EPOCH


def test_on_a_machine_without_an_engine_the_rest_is_there(tmp_path: Path) -> None:
    state = tmp_path / "state"
    platform = open_platform(
        Directories(
            config=CONFIG,
            state=state,
            events=state / "events.jsonl",
            engine_socket=str(tmp_path / "no.sock"),
            run=tmp_path / "run",
        ),
        actor="exporter",
    )
    state.mkdir()
    exporter = Exporter(reading_of(platform, {}))
    found = Scraped(exporter.text())
    assert {"slots", "containers", "people", "attribution"} <= found.down()
    assert {"cards", "policy", "ledger", "queue", "events"} & found.down() == set()
    assert found.value("ds01_policy_valid") == 1.0
    assert found.value("ds01_service_up", service="gateway") == 0.0
    assert found.value("ds01_gpu_up", card="0") == 1.0
    assert found.rows("ds01_ledger_rows")
    EventFile(state / "events.jsonl").append(Event(EPOCH, "a", "container.start", "r", "a", "cli"))
    again = Scraped(Exporter(reading_of(platform, {})).text())
    assert set(again.rows("ds01_events_total").values()) == {
        0.0
    }  # what was before counts for nothing
    assert again.value("ds01_event_log_last_event_timestamp_seconds")
