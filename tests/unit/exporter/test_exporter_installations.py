from collections.abc import Mapping
from dataclasses import replace

from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.exporter.cap import capped
from ds01_spawner.exporter.job_mapping import mapping_of
from ds01_spawner.exporter.source import gather
from ds01_spawner.exporter.view import View
from ds01_spawner.ports.usage import ContainerUsage
from fakes.exporter_lab import GIB, ExporterLab

THEIRS = "e5" * 32


def lab_beside_another(
    user: str = "mallory", marks: Mapping[str, str] | None = None, mine: tuple[str, ...] = ()
) -> ExporterLab:
    """Slot 2 is a container's that another installation on the engine made, after some of ours."""
    lab = ExporterLab()
    for each in mine:
        key = lab.lab.run(each)
        lab.usage.used[key] = ContainerUsage(cpu_seconds=1.0, memory_bytes=GIB)
    slot = lab.lab.probe.slot("2")
    lab.lab.engine.put(
        Container(
            id=THEIRS,
            name=f"work._.{user}",
            state=ContainerState.RUNNING,
            labels={
                labels.MANAGED: "true",
                labels.USER: user,
                labels.GROUP: "student",
                labels.INSTANCE: "there",
                labels.INTERFACE: "docker",
                labels.GPU_UUIDS: slot.uuid,
                labels.GPU_SLOTS: slot.id,
                labels.GPU_EQUIVALENTS: "1",
                **(marks or {}),
            },
            created_at=lab.lab.clock.now(),
            demand=DeviceDemand() if marks else DeviceDemand(uuids=(slot.uuid,)),
        )
    )
    lab.usage.used[THEIRS] = ContainerUsage(cpu_seconds=99.0, memory_bytes=9 * GIB)
    return lab


def test_what_another_installation_has_is_taken_and_nobody_is_told_whose() -> None:
    lab = lab_beside_another()
    lab.table.put(9, cgroup=f"0::/docker/{THEIRS}\n")
    lab.busy("2", 0.5, GpuProcess(9, "", memory_bytes=GIB))
    found = lab.scrape()
    assert "mallory" not in found.text
    assert found.value("ds01_gpu_slot_state", slot="2", state="allocated") == 1.0
    said = {"group": "other", "interface": "none", "profile": "full"}
    assert found.value("ds01_gpu_slot_allocation", slot="2", user="other", **said) == 1.0
    assert found.rows("ds01_gpu_slot_allocated_seconds") == {}
    assert found.value("ds01_gpu_equivalents_allocated", group="other") == 1.0
    assert found.value("ds01_gpu_utilization_ratio", slot="2") == 0.5
    assert found.value("ds01_gpu_processes", slot="2", kind="managed", user="other") == 1.0
    assert found.value("ds01_workloads", kind="managed") == 0.0
    assert found.rows("ds01_user_containers") == {}
    assert sum(found.rows("ds01_containers").values()) == 0.0
    assert found.down() == set()


def test_of_somebody_in_both_only_what_they_have_here_is_told() -> None:
    lab = lab_beside_another("alice", mine=("alice",))
    found = lab.scrape()
    assert found.value("ds01_user_gpu_slots", user="alice", group="student") == 1.0
    assert found.value("ds01_user_containers", user="alice", group="student") == 1.0
    assert found.value("ds01_user_memory_bytes", user="alice", group="student") == GIB
    assert sum(found.rows("ds01_containers").values()) == 1.0


def test_two_installations_on_one_slot_are_a_conflict_of_the_shared_card() -> None:
    lab = lab_beside_another()
    mine = lab.lab.engine.container(lab.lab.run("carol", "full"))
    assert mine is not None
    slot = lab.lab.probe.slot("2")
    marks = {**mine.labels, labels.GPU_UUIDS: slot.uuid, labels.GPU_SLOTS: "2"}
    demand = DeviceDemand(uuids=(slot.uuid,))
    lab.lab.engine.put(replace(mine, labels=marks, demand=demand))
    assert lab.scrape().value("ds01_gpu_slot_conflict", slot="2") == 1.0


def test_a_slot_of_another_installation_that_this_one_does_not_know_is_none_of_its_slots() -> None:
    gone = {labels.GPU_UUIDS: "MIG-gone", labels.GPU_SLOTS: "0:6"}
    found, alone = lab_beside_another(marks=gone).scrape(), ExporterLab().scrape()
    assert found.rows("ds01_gpu_slot_state") == alone.rows("ds01_gpu_slot_state")
    assert found.rows("ds01_gpu_slot_allocation") == {}
    assert found.value("ds01_gpu_equivalents_allocated", group="other") is None
    assert "mallory" not in found.text


def test_a_lost_slot_of_ones_own_is_lost_beside_another_installations() -> None:
    gone = {labels.GPU_UUIDS: "MIG-gone", labels.GPU_SLOTS: "0:6"}
    lab = lab_beside_another(marks=gone)
    mine = lab.lab.engine.container(lab.lab.run("carol", "full"))
    assert mine is not None
    marks = {**mine.labels, labels.GPU_UUIDS: "MIG-mine", labels.GPU_SLOTS: "0:6"}
    lab.lab.engine.put(replace(mine, labels=marks, demand=DeviceDemand()))
    found = lab.scrape()
    assert found.value("ds01_gpu_slot_state", slot="0:6", state="lost") == 1.0
    states = found.rows("ds01_gpu_slot_state")
    assert sum(told for (_, state), told in states.items() if state == "lost") == 1.0


def test_dcgm_is_told_of_ones_own_containers() -> None:
    lab = lab_beside_another(mine=("carol",))
    lab.reading.begin()
    view = View(lab.reading.facts(gather(lab.reading.sources, 4.0, 0.0)))
    said = mapping_of(view)
    assert said is not None
    assert "2" not in said


def test_what_is_anothers_takes_no_persons_row() -> None:
    name = "ds01_gpu_slot_allocated_seconds"
    points = [(name, ("0", "other"), 5.0), (name, ("1", "alice"), 7.0), (name, ("0", "bob"), 1.0)]
    kept = [point for point in capped(points, ["alice", "bob"], 1) if point[0] == name]
    assert sorted(kept) == [(name, ("0", "other"), 6.0), (name, ("1", "alice"), 7.0)]


def test_nobody_is_told_of_while_the_engine_is_down_either() -> None:
    lab = lab_beside_another()
    lab.table.put(9, cgroup=f"0::/docker/{THEIRS}\n")
    lab.busy("2", 0.5, GpuProcess(9, ""))
    lab.scrape()
    lab.lab.engine.stuck = True
    found = lab.scrape()
    assert "containers" in found.down()
    assert found.value("ds01_gpu_processes", slot="2", kind="managed", user="other") == 1.0
    assert "mallory" not in found.text


def test_without_knowing_which_installation_this_is_containers_are_nobodys() -> None:
    def unreadable() -> str:
        raise Unavailable("/var/lib/ds01/instance-id is empty.")

    lab = lab_beside_another()
    lab.reading._list._instance = unreadable
    found = lab.scrape()
    assert {"containers", "slots", "people", "attribution"} <= found.down()
    assert "mallory" not in found.text
