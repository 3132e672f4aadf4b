import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.gpu import SlotActivity
from ds01_spawner.exporter.catalogue import Part
from ds01_spawner.exporter.parts import people
from ds01_spawner.policy.resolution import Policy
from fakes.exporter_lab import ExporterLab, Scraped, lively_lab

QUICK_SECONDS = 4.0


@pytest.fixture
def lab() -> ExporterLab:
    return lively_lab()


def timed(action: Callable[[], object]) -> float:
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def test_without_the_driver_slots_are_lost_and_still_somebodys(lab: ExporterLab) -> None:
    before = lab.scrape()
    lab.lab.probe.stuck = True
    found = lab.scrape()
    assert found.down() == {"slots", "cards", "people", "attribution"}
    allocated = before.rows("ds01_gpu_slot_allocation")
    assert allocated
    assert found.rows("ds01_gpu_slot_allocation") == allocated
    assert all(found.value("ds01_gpu_slot_state", slot=s, state="lost") == 1 for s in ("2", "0:0"))
    assert found.value("ds01_gpu_up", card="0") == 0.0
    assert found.rows("ds01_gpu_temperature_celsius") == {}
    assert found.rows("ds01_gpu_utilization_ratio") == {}
    assert found.value("ds01_user_containers", user="alice", group="student") == 1
    # What was seen last is told, and that it is old.
    assert found.value("ds01_attribution_fresh") == 0.0
    assert found.rows("ds01_gpu_processes") == before.rows("ds01_gpu_processes")
    lab.lab.probe.stuck = False
    assert lab.scrape().down() == set()


def test_a_driver_that_hangs_holds_nothing_up(
    lab: ExporterLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.exporter = type(lab.exporter)(lab.reading, bound_seconds=1.5, monotonic=lambda: lab.seconds)
    hangs = threading.Event()

    def activity() -> dict[str, SlotActivity]:
        hangs.wait(30)
        return {}

    lab.scrape()
    monkeypatch.setattr(lab.lab.probe, "activity", activity)
    monkeypatch.setattr(lab.lab.probe, "gpu_processes", activity)
    try:
        assert max(timed(lab.scrape) for _ in range(3)) < QUICK_SECONDS
        found = lab.scrape()
        assert {"cards", "slots", "attribution"} <= found.down()
        assert found.value("ds01_collector_seconds", part="cards") == pytest.approx(30, abs=1)
        assert found.rows("ds01_gpu_processes")
        assert found.value("ds01_attribution_fresh") == 0.0
        assert {"containers", "queue", "storage", "policy", "ledger"} <= found.up().keys()
        assert found.up()["containers"]
        reading = [each for each in threading.enumerate() if each.name == "read cards"]
        assert len(reading) == 1
    finally:
        hangs.set()


def test_without_the_engine_cards_and_queue_are_there(lab: ExporterLab) -> None:
    lab.lab.engine.stuck = True
    found = lab.scrape()
    assert found.down() == {"slots", "containers", "people", "attribution"}
    assert found.rows("ds01_gpu_slot_state") == {}
    assert found.rows("ds01_containers") == {}
    assert found.rows("ds01_user_gpu_slots") == {}
    assert found.rows("ds01_user_containers") == {}
    assert found.rows("ds01_user_memory_bytes") == {}
    assert found.rows("ds01_gpu_slot_info")
    assert found.value("ds01_gpu_temperature_celsius", card="0") == 61.0
    assert found.value("ds01_queue_length", group="student") == 1
    assert found.value("ds01_service_up", service="engine") == 0.0
    assert found.value("ds01_service_up", service="culler") == 1.0


def test_a_ledger_that_is_locked_is_read_all_the_same(lab: ExporterLab) -> None:
    lab.ledger.locked = True
    assert lab.scrape().down() == set()


def test_without_the_ledger_nothing_is_called_free(lab: ExporterLab) -> None:
    lab.ledger.broken = True
    lab.seconds += 600
    found = lab.scrape()
    assert found.down() == {"slots", "people", "storage", "queue", "ledger", "services"}
    free = [
        value
        for (_, state), value in found.rows("ds01_gpu_slot_state").items()
        if state in {"free", "reserved", "held"}
    ]
    assert set(free) == {0.0}
    assert {user for _, user, *_ in _allocations(found)} == {"alice", "carol"}
    assert found.rows("ds01_gpu_equivalents_allocated") == {}
    assert found.rows("ds01_queue_length") == {}
    assert found.value("ds01_service_up", service="culler") is None


def test_a_container_whose_cgroup_is_gone_leaves_the_others_of_its_owner(lab: ExporterLab) -> None:
    first = lab.lab.container("alice")
    assert first is not None
    lab.lab.create("alice", "none", count=0, name="second")
    second = lab.lab.container("alice", "second")
    assert second is not None
    lab.lab.engine.start(second.id)
    lab.usage.used[second.id] = lab.usage.used[first.id]
    both = lab.scrape().value("ds01_user_memory_bytes", user="alice", group="student")
    del lab.usage.used[second.id]
    found = lab.scrape()
    one = found.value("ds01_user_memory_bytes", user="alice", group="student")
    assert both is not None
    assert one == both / 2
    assert found.value("ds01_containers_unread") == 2.0  # hers, and bob's who was never read
    assert "people" not in found.down()


def test_figures_of_nobodys_container_are_a_fault(lab: ExporterLab) -> None:
    lab.usage.used.clear()
    lab.restart()
    found = lab.scrape()
    assert found.down() == {"people"}
    assert found.value("ds01_user_memory_bytes", user="alice", group="student") is None
    assert found.value("ds01_user_gpu_slots", user="alice", group="student") == 1


def test_a_clock_that_jumps_makes_no_time_negative(lab: ExporterLab) -> None:
    lab.lab.clock.jump(-timedelta(days=2))
    found = lab.scrape()
    assert found.rows("ds01_gpu_slot_allocated_seconds")
    assert min(found.rows("ds01_gpu_slot_allocated_seconds").values()) == 0.0
    assert found.value("ds01_queue_oldest_age_seconds") == 0.0
    lab.lab.clock.jump(timedelta(days=30))
    assert lab.scrape().down() == set()


def test_a_policy_that_was_never_valid_says_so(lab: ExporterLab) -> None:
    lab.policy.inner.broken = True
    found = lab.scrape()
    assert found.down() == {"policy", "slots", "people"}
    assert found.value("ds01_policy_valid") == 0.0
    assert found.rows("ds01_gpu_slot_info")


def test_a_broken_edit_of_the_policy_is_not_valid_and_in_force(lab: ExporterLab) -> None:
    lab.policy.problems = ("line 3",)
    found = lab.scrape()
    assert found.value("ds01_policy_valid") == 0.0
    assert found.down() == set()


def test_of_a_policy_that_could_not_be_read_in_time_nothing_is_known(
    lab: ExporterLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()

    def current() -> Policy:
        hangs.wait(30)
        raise Unavailable("The disk does not answer.")

    lab.exporter = type(lab.exporter)(lab.reading, bound_seconds=0.5, monotonic=lambda: lab.seconds)
    monkeypatch.setattr(lab.policy, "current", current)
    try:
        found = lab.scrape()
        assert found.value("ds01_policy_valid") is None
        assert "policy" in found.down()
    finally:
        hangs.set()


def test_figures_of_the_lifecycle_service_are_there_while_it_passes(lab: ExporterLab) -> None:
    assert lab.scrape().value("ds01_culler_passes_total", outcome="good") == 7.0
    lab.services = replace(lab.services, passed_on=(), culler_problem="culler.prom is 900 s old.")
    found = lab.scrape()
    assert found.down() == {"services"}
    assert found.value("ds01_service_up", service="culler") == 1.0
    assert found.value("ds01_service_last_good_pass_timestamp_seconds", service="culler")


def test_figures_of_a_lifecycle_service_that_is_down_are_not_told(lab: ExporterLab) -> None:
    lab.lab.wait(400)  # it does not renew its lease
    found = lab.scrape()
    assert found.value("ds01_service_up", service="culler") == 0.0
    assert found.rows("ds01_culler_passes_total") == {}
    lab.services = replace(lab.services, passed_on=(), culler_problem="culler.prom is 900 s old.")
    assert lab.scrape().down() == set()  # that it is down is said


def test_a_kernel_log_that_is_closed_takes_no_other_part_with_it(lab: ExporterLab) -> None:
    lab.xids = None
    found = lab.scrape()
    assert found.down() == {"kernel_log"}
    assert found.rows("ds01_gpu_xid_errors_total") == {}


def test_a_part_that_breaks_takes_no_other_with_it(
    lab: ExporterLab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> object:
        raise KeyError("no such user")

    monkeypatch.setattr(people, "_limits", breaks)
    found = lab.scrape()
    assert found.down() == {"people"}
    assert "Part people failed" in caplog.text
    assert found.rows("ds01_gpu_slot_state")


def test_a_source_that_breaks_is_one_that_cannot_be_read(lab: ExporterLab) -> None:
    lab.places = {"state": "/nonexistent/folder"}
    found = lab.scrape()
    assert found.down() == {"storage"}
    assert found.rows("ds01_user_storage_bytes")


def test_homes_that_hang_take_no_other_disk_with_them(
    lab: ExporterLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, hangs = os.statvfs, threading.Event()

    def statvfs(folder: str) -> os.statvfs_result:
        if folder == "/home":
            hangs.wait(30)
        return look(folder)

    lab.places |= {"homes": "/home"}
    lab.exporter = type(lab.exporter)(lab.reading, bound_seconds=0.5, monotonic=lambda: lab.seconds)
    monkeypatch.setattr(os, "statvfs", statvfs)
    try:
        found = lab.scrape()
        assert found.down() == {"storage"}
        places = {place for (place,) in found.rows("ds01_storage_free_bytes")}
        assert places == {"state", "events", "engine"}
    finally:
        hangs.set()


def test_an_engine_that_does_not_say_where_its_disk_is_hides_no_other(lab: ExporterLab) -> None:
    del lab.places["engine"]
    told = [Unavailable("It does not answer."), None]

    def data_root() -> str:
        if (problem := told.pop(0)) is not None:
            raise problem
        return "/"

    lab.restart(data_root=data_root)
    found = lab.scrape()
    assert found.down() == {"storage"}
    assert found.value("ds01_storage_free_bytes", place="state")
    for _ in range(2):  # it is not asked again
        found = lab.scrape()
        assert found.down() == set()
        assert found.value("ds01_storage_free_bytes", place="engine")


def test_what_follows_a_scrape_spoils_nothing(lab: ExporterLab) -> None:
    def breaks(_view: object) -> None:
        raise Unavailable("no")

    lab.exporter = type(lab.exporter)(lab.reading, monotonic=lambda: lab.seconds, after=breaks)
    assert lab.scrape().down() == set()


def test_when_a_part_was_last_good_is_remembered(lab: ExporterLab) -> None:
    name = "ds01_collector_last_good_timestamp_seconds"
    before = lab.scrape().value(name, part="cards")
    lab.lab.probe.stuck = True
    lab.lab.clock.advance(timedelta(minutes=5))
    found = lab.scrape()
    assert found.value(name, part="cards") == before
    assert before is not None
    assert (found.value(name, part="queue") or 0.0) >= before + 300
    assert set(found.up()) == {part.value for part in Part}


def test_scrapes_at_the_same_time_share_one(lab: ExporterLab) -> None:
    lab.seconds += 10
    calls = len(lab.lab.engine.calls)
    texts = {lab.exporter.text() for _ in range(3)}
    assert len(texts) == 1
    assert [call for call, _ in lab.lab.engine.calls[calls:]] == ["containers"]


def test_no_container_is_asked_for_by_itself(lab: ExporterLab) -> None:
    calls = len(lab.lab.engine.calls)
    lab.scrape()
    assert [call for call, _ in lab.lab.engine.calls[calls:]] == ["containers"]


def _allocations(found: Scraped) -> list[tuple[str, ...]]:
    # In the order of the labels' names: group, interface, profile, slot, user.
    return [(row[3], row[4]) for row in found.rows("ds01_gpu_slot_allocation")]
