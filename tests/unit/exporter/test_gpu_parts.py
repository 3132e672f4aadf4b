from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.card_health import CardHealth, FaultCount, RemappedRows, ThrottleReason
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.gpu import CardPower, Inventory
from fakes.clock import EPOCH
from fakes.exporter_lab import POLICY, ExporterLab, lively_lab
from fakes.policy import FakePolicy
from fakes.probe import card, machine

MONITOR = "d" * 64


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


def test_a_layout_that_was_changed_under_a_container_leaves_its_slot_in_sight() -> None:
    lab = ExporterLab()
    alice = lab.lab.run("alice")
    (slot,) = lab.lab.taken()
    given = lab.lab.probe.slot(slot)
    without(lab, given.uuid)
    found = lab.scrape()
    assert found.value("ds01_gpu_slot_state", slot=slot, state="lost") == 1.0
    said = {"user": "alice", "group": "student", "interface": "hub", "profile": "unknown"}
    assert found.value("ds01_gpu_slot_allocation", slot=slot, **said) == 1.0
    assert found.value("ds01_gpu_slot_allocated_seconds", slot=slot, user="alice") is not None
    assert found.value("ds01_user_gpu_slots", user="alice", group="student") == 1.0
    equivalents = found.value("ds01_user_gpu_equivalents", user="alice", group="student")
    assert equivalents == pytest.approx(given.equivalents, abs=1e-3)
    assert "slots" not in found.down()
    lab.lab.engine.remove(alice)
    assert lab.scrape().value("ds01_gpu_slot_state", slot=slot, state="lost") is None


def test_a_lost_slot_whose_number_is_another_slots_by_now_has_a_name_of_its_own() -> None:
    lab = ExporterLab()
    lab.lab.run("alice")
    (slot,) = lab.lab.taken()
    gone = lab.lab.probe.slot(slot)
    present = lab.lab.probe.present
    new = "MIG-made-anew"
    lab.lab.probe.present = replace(
        present,
        gpus=tuple(
            replace(
                gpu,
                instances=tuple(
                    replace(each, uuid=new) if each.uuid == gone.uuid else each
                    for each in gpu.instances
                ),
            )
            for gpu in present.gpus
        ),
    )
    found = lab.scrape()
    name = f"{slot} {gone.uuid[:12]}"
    assert found.value("ds01_gpu_slot_state", slot=slot, state="free") == 1.0
    assert found.value("ds01_gpu_slot_state", slot=slot, state="lost") == 0.0
    assert found.value("ds01_gpu_slot_state", slot=name, state="lost") == 1.0
    assert [key for key in found.rows("ds01_gpu_slot_allocation") if name in key]


def without(lab: ExporterLab, uuid: str) -> None:
    """Somebody takes an instance of a card away."""
    present = lab.lab.probe.present
    lab.lab.probe.present = replace(
        present,
        gpus=tuple(
            replace(gpu, instances=tuple(each for each in gpu.instances if each.uuid != uuid))
            for gpu in present.gpus
        ),
    )


def lab_with_a_monitor(spare: str = "[dcgm-exporter]") -> ExporterLab:
    lab = ExporterLab()
    lab.lab.run("alice")
    lab.lab.run("carol", "full")
    lab.policy.inner = FakePolicy(f"{POLICY}unmanaged: {{spare: {spare}}}\n")
    lab.lab.engine.put(
        Container(
            id=MONITOR,
            name="dcgm-exporter",
            state=ContainerState.RUNNING,
            labels={},
            created_at=EPOCH,
            demand=DeviceDemand(count=-1),
        )
    )
    return lab


def test_a_monitor_with_every_gpu_that_is_spared_has_none() -> None:
    found = lab_with_a_monitor().scrape()
    assert set(found.rows("ds01_gpu_slot_conflict").values()) == {0.0}
    states = {key for key, value in found.rows("ds01_gpu_slot_state").items() if value}
    assert {state for _, state in states} == {"free", "allocated"}
    assert found.value("ds01_workloads", kind="spared") == 1.0
    assert found.value("ds01_workloads", kind="docker") == 0.0


def test_one_that_nobody_spares_has_them_all() -> None:
    found = lab_with_a_monitor("[]").scrape()
    assert sum(found.rows("ds01_gpu_slot_conflict").values()) == 2.0
    states = {key for key, value in found.rows("ds01_gpu_slot_state").items() if value}
    assert {state for _, state in states} == {"foreign", "allocated"}


def test_a_monitor_that_computes_where_somebody_is_conflicts() -> None:
    lab = lab_with_a_monitor()
    slot = next(slot for slot, user in lab.lab.taken().items() if user == "carol")
    lab.table.put(9, uid=0, cgroup=f"0::/docker/{MONITOR}\n")
    lab.busy(slot, 0.5, GpuProcess(9, "", memory_bytes=1))
    found = lab.scrape()
    assert found.value("ds01_gpu_slot_conflict", slot=slot) == 1.0
    assert sum(found.rows("ds01_gpu_slot_conflict").values()) == 1.0
    assert found.value("ds01_gpu_processes", slot=slot, kind="spared", user="unknown") == 1.0
    assert found.value("ds01_gpu_unattributed_processes") == 0.0


def test_what_only_draws_is_a_screen_and_leaves_its_slot_free() -> None:
    lab = ExporterLab()
    lab.table.put(77, uid=0, cgroup="0::/system.slice/gdm.service\n", name="Xorg")
    lab.busy("2", 0.0, GpuProcess(77, "", memory_bytes=5 << 20, computes=False))
    found = lab.scrape()
    kinds = {key[0] for key in found.rows("ds01_gpu_processes")}
    assert kinds == {"screen"}
    assert found.value("ds01_workloads", kind="screen") == 1.0
    assert found.value("ds01_workloads", kind="host") == 0.0
    assert found.value("ds01_gpu_slot_state", slot="2", state="free") == 1.0


def test_who_draws_and_computes_is_past_the_platform() -> None:
    lab = ExporterLab()
    for pid in (77, 78):
        lab.table.put(pid, uid=0, cgroup="0::/system.slice/gdm.service\n")
    lab.busy("2", 0.0, GpuProcess(77, "", computes=False), GpuProcess(78, ""))
    found = lab.scrape()
    assert {key[0] for key in found.rows("ds01_gpu_processes")} == {"screen", "host"}
    assert found.value("ds01_workloads", kind="host") == 1.0
    assert found.value("ds01_gpu_slot_state", slot="2", state="foreign") == 1.0


def test_what_draws_in_a_container_is_a_program_of_its_owner() -> None:
    lab = ExporterLab()
    alice = lab.lab.run("alice")
    (slot,) = lab.lab.taken()
    lab.table.put(77, cgroup=f"0::/docker/{alice}\n")
    lab.busy(slot, 0.0, GpuProcess(77, "", computes=False))
    found = lab.scrape()
    assert found.value("ds01_gpu_processes", slot=slot, kind="managed", user="alice") == 1.0


@pytest.mark.parametrize(("source", "told"), [("nvml", 0.0), ("simulated", 1.0)])
def test_it_is_told_whether_the_gpus_are_simulated(source: str, told: float) -> None:
    lab = ExporterLab(present=machine(card(0), source=source))
    assert lab.scrape().value("ds01_gpu_simulated") == told
    lab.lab.probe.stuck = True
    assert lab.scrape().value("ds01_gpu_simulated") is None


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
