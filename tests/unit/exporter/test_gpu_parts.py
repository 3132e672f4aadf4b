from dataclasses import replace
from datetime import timedelta

from ds01_spawner.domain.card_health import CardHealth, FaultCount, RemappedRows, ThrottleReason
from ds01_spawner.domain.gpu import CardPower, Inventory
from fakes.clock import EPOCH
from fakes.exporter_lab import ExporterLab, lively_lab
from fakes.probe import card, machine


def test_slots_say_what_they_are_and_whose() -> None:
    lab = lively_lab()
    found = lab.scrape()
    slot = next(slot for slot, user in lab.lab.taken().items() if user == "alice")
    given = lab.lab.probe.slot(slot)
    assert found.value(
        "ds01_gpu_slot_info",
        slot=slot,
        card=str(given.gpu_index),
        uuid=given.uuid,
        profile=given.profile,
        model="NVIDIA A100-PCIE-40GB",
    )
    assert found.value(
        "ds01_gpu_slot_allocation",
        slot=slot,
        user="alice",
        group="student",
        interface="hub",
        profile=given.profile,
    )
    assert found.value("ds01_gpu_slot_state", slot=slot, state="allocated") == 1.0
    assert found.value("ds01_gpu_utilization_ratio", slot=slot) == 0.75
    states = found.rows("ds01_gpu_slot_state")
    for each in {slot for slot, _ in states}:
        assert sum(value for (name, _), value in states.items() if name == each) == 1.0
    assert found.value("ds01_gpu_slot_state", slot="3", state="foreign") == 1.0
    assert found.value("ds01_gpu_equivalents") == sum(
        slot.equivalents for slot in lab.present.slots
    )
    taken = found.rows("ds01_gpu_equivalents_allocated")
    assert taken["researcher",] == 1.0
    assert taken["none",] > 1.0  # the raw container's card, and a slot of the host's process


def test_a_slot_that_two_have_is_a_conflict() -> None:
    lab = lively_lab()
    mine = lab.lab.container("carol")
    assert mine is not None
    lab.lab.engine.put(replace(mine, id="d4" * 32, name="copy._.carol"))
    slot = next(slot for slot, user in lab.lab.taken().items() if user == "carol")
    conflicts = lab.scrape().rows("ds01_gpu_slot_conflict")
    assert conflicts.pop((slot,)) == 1.0
    assert set(conflicts.values()) == {0.0}


def test_batch_cards_are_withdrawn_and_no_capacity() -> None:
    lab = ExporterLab()
    lab.lab.excluded = frozenset({"GPU-lab-3"})
    lab.restart()
    lab.reading._parts = replace(lab.reading._parts, excluded=lambda _inventory: lab.lab.excluded)
    found = lab.scrape()
    assert found.value("ds01_gpu_slot_state", slot="3", state="withdrawn") == 1.0
    capacity = found.value("ds01_gpu_equivalents")
    whole = sum(slot.equivalents for slot in lab.present.slots)
    assert capacity == whole - 1.0


def test_a_slot_that_does_not_say_what_runs_is_withdrawn() -> None:
    lab = ExporterLab()
    lab.lab.probe.unreadable = {"MIG-lab-0-0"}
    found = lab.scrape()
    assert found.value("ds01_gpu_slot_state", slot="0:0", state="withdrawn") == 1.0
    assert found.value("ds01_gpu_utilization_ratio", slot="0:0") is None
    assert found.value("ds01_gpu_memory_total_bytes", slot="0:0")


def test_a_card_that_is_lost_is_down_with_its_slots() -> None:
    lab = ExporterLab()
    lab.scrape()
    present = lab.lab.probe.present
    gone = present.gpus[2]
    lab.lab.probe.present = Inventory(
        "nvml",
        tuple(gpu for gpu in present.gpus if gpu is not gone),
        unavailable=tuple(slot for slot in present.slots if slot.gpu_uuid == gone.uuid),
    )
    found = lab.scrape()
    assert found.value("ds01_gpu_up", card="2") == 0.0
    assert found.value("ds01_gpu_up", card="3") == 1.0
    assert found.value("ds01_gpu_slot_state", slot="2", state="lost") == 1.0
    assert "cards" not in found.down()


def test_a_card_tells_what_it_has_and_no_more() -> None:
    lab = ExporterLab(present=machine(card(0), card(1)))
    lab.lab.probe.healths = {
        "GPU-lab-0": CardHealth(
            power=CardPower(100.0, None),
            temperature_celsius=40.0,
            throttled=frozenset({ThrottleReason.THERMAL}),
            remapped=RemappedRows(1, 2, pending=True, failed=False),
        ),
        "GPU-lab-1": CardHealth(),
    }
    found = lab.scrape()
    assert found.rows("ds01_gpu_temperature_celsius") == {("0",): 40.0}
    assert found.rows("ds01_gpu_power_watts") == {("0",): 100.0}
    assert found.rows("ds01_gpu_energy_joules_total") == {}
    assert found.rows("ds01_gpu_ecc_errors_total") == {}
    throttled = found.rows("ds01_gpu_clock_throttled")
    assert throttled["0", "thermal"] == 1.0
    assert sum(throttled.values()) == 1.0
    assert len(throttled) == len(ThrottleReason)
    assert found.value("ds01_gpu_row_remap_pending", card="0") == 1.0
    assert found.value("ds01_gpu_row_remap_failed", card="0") == 0.0
    assert found.value("ds01_gpu_remapped_rows", card="0", cause="uncorrectable") == 2.0


def test_errors_of_the_kernel_log_are_the_cards_also_when_it_is_lost() -> None:
    lab = ExporterLab(present=machine(card(0), card(1)))
    found = lab.scrape()
    assert found.value("ds01_gpu_xid_errors_total", card="1", xid="79") == 0.0
    lab.xids = {
        ("0000:02:00", 79): FaultCount(1, EPOCH),
        ("0000:aa:00", 31): FaultCount(2, EPOCH),
        ("0000:ab:00", 31): FaultCount(1, EPOCH + timedelta(seconds=5)),
    }
    lab.lab.probe.stuck = True
    found = lab.scrape()
    assert found.value("ds01_gpu_xid_errors_total", card="1", xid="79") == 1.0
    assert found.value("ds01_gpu_xid_errors_total", card="unknown", xid="31") == 3.0
    when = found.rows("ds01_gpu_xid_last_timestamp_seconds")
    assert when == {
        ("1", "79"): EPOCH.timestamp(),
        ("unknown", "31"): EPOCH.timestamp() + 5,
    }


def test_many_numbers_of_errors_are_one() -> None:
    lab = ExporterLab(present=machine(card(0)))
    lab.scrape()
    many = {("0000:01:00", 1000 + number): FaultCount(1, EPOCH) for number in range(100)}
    lab.xids = many | {("0000:01:00", 79): FaultCount(5, EPOCH)}
    rows = lab.scrape().rows("ds01_gpu_xid_errors_total")
    assert len(rows) == 65
    assert rows["0", "79"] == 5.0
    assert rows["0", "other"] == 46.0


def test_processes_are_told_by_slot_class_and_person() -> None:
    lab = lively_lab()
    found = lab.scrape()
    slot = next(slot for slot, user in lab.lab.taken().items() if user == "alice")
    assert found.value("ds01_gpu_processes", slot=slot, kind="managed", user="alice") == 1.0
    assert found.value("ds01_gpu_processes", slot="1:4", kind="unknown", user="unknown") == 1.0
    memory = found.rows("ds01_gpu_process_memory_bytes")
    assert ("managed", slot, "alice") in memory
    assert found.value("ds01_gpu_unattributed_processes") == 2.0
    assert found.value("ds01_workloads", kind="docker") == 1.0
    assert found.value("ds01_workloads", kind="compose") == 0.0


def test_what_is_kept_after_a_stop_is_somebodys_since_it_was_given() -> None:
    lab = ExporterLab()
    lab.lab.run("alice", "1g.5gb")
    lab.lab.wait(300)
    lab.lab.stop("alice")
    lab.lab.wait(60)
    found = lab.scrape()
    (slot,) = lab.lab.taken()
    assert found.value("ds01_gpu_slot_state", slot=slot, state="held") == 1.0
    since = found.value("ds01_gpu_slot_allocated_seconds", slot=slot, user="alice")
    assert round(since or 0) == 360
    assert found.value("ds01_user_gpu_slots", user="alice", group="student") == 1.0
