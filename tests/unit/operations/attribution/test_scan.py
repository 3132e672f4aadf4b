import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.process_table import KernelProcessTable
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.adapters.simulated_state import (
    DeviceState,
    ProcessState,
    SimulatedState,
    write_state,
)
from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import GpuProcess, Proof, WorkloadClass
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand, Mount
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import cgroup_slug
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.operations.attribution.scan import (
    Attribution,
    Picture,
    picture_json,
    workloads_json,
)
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation
from fakes.accounts import FakeAccounts
from fakes.clock import EPOCH, FakeClock
from fakes.engine import FakeEngine
from fakes.probe import FakeProbe
from fakes.process_folders import ProcessFolders
from fakes.process_table import FakeProcessTable

MANAGED, RAW, COMPOSED = "a1" * 32, "b2" * 32, "c3" * 32
NOW = timedelta(0)


def person(name: str, uid: int) -> UnixAccount:
    return UnixAccount(name, uid, uid, f"/home/{name}")


class Scene:
    """A machine with one card in two parts and one whole one."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.probe = FakeProbe()
        self.table = FakeProcessTable()
        self.engine = FakeEngine(self.clock)
        self.accounts = FakeAccounts(person("alice", 1000), person("bob", 1001))
        self.granted: set[str] = set()
        self.placed: dict[str, tuple[str, str]] = {}
        self.stuck = False
        self.asked = 0
        self.attribution = Attribution(
            clock=self.clock,
            probe=self.probe,
            table=self.table,
            engine=self.engine,
            accounts=self.accounts,
            granted=self._granted,
            placed=self._placed,
            monotonic=self.clock.monotonic,
        )

    def _granted(self) -> set[str]:
        self.asked += 1
        if self.stuck:
            raise Unavailable("The ledger cannot be used.")
        return self.granted

    def _placed(self) -> dict[str, tuple[str, str]]:
        self.asked += 1
        if self.stuck:
            raise Unavailable("The kernel cannot be read.")
        return self.placed

    def container(
        self, key: str = MANAGED, user: str | None = "alice", *, home: str | None = None
    ) -> Container:
        marks = {} if user is None else {labels.MANAGED: "true", labels.USER: user}
        made = Container(
            id=key,
            name=f"work-{key[0]}",
            state=ContainerState.RUNNING,
            labels=marks,
            created_at=EPOCH,
            mounts=(Mount("bind", home, "/x"),) if home else (),
            uid=0,
        )
        self.engine.put(made)
        return made

    def on(self, slot: str, *pids: int) -> None:
        self.probe.processes[self.probe.slot(slot).uuid] = pids

    def scan(self) -> Picture:
        self.clock.advance(timedelta(seconds=10))
        return self.attribution.picture(NOW)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def told(picture: Picture) -> dict[int, tuple[str, str | None, str]]:
    return {
        each.process.pid: (each.owner.kind.value, each.owner.user, each.owner.proof.value)
        for each in picture.processes
    }


def test_each_process_is_attributed_as_it_should_be(tmp_path: Path) -> None:
    """A host process, a managed container, a raw `docker run`, a cgroup-v2 systemd path."""
    simulation = Simulation(
        seed="x", gpus=(SimulatedCard(mig=("2g.10gb", "3g.20gb")), SimulatedCard())
    )
    state = tmp_path / "gpus.json"
    write_state(
        state,
        SimulatedState(
            devices={
                "0:0": DeviceState(processes=(ProcessState(pid=11, memory_bytes=100),)),
                "0:1": DeviceState(pids=(12,), processes=(ProcessState(pid=13, memory_bytes=7),)),
                "1": DeviceState(processes=(ProcessState(pid=14, sm_share=0.5), _drawing(15))),
            }
        ),
    )
    folders = ProcessFolders(tmp_path / "proc")
    folders.put(11, uid=1000, cgroup=f"4:memory:/ds01/student/alice/{MANAGED}\n0::/\n")
    folders.put(12, uid=0, cgroup=f"12:devices:/docker/{RAW}\n")
    folders.put(13, uid=0, cgroup=f"0::/system.slice/docker-{COMPOSED}.scope\n")
    folders.put(14, uid=1001, cgroup="0::/user.slice/user-1001.slice/session-2.scope\n")
    folders.put(15, uid=4242, name="Xorg")
    (folders.put(15) / "status").write_text("broken")
    engine = FakeEngine()
    marks = {labels.MANAGED: "true", labels.USER: "alice", labels.INTERFACE: "hub"}
    plain = Container(MANAGED, "jupyter._.alice", ContainerState.RUNNING, marks, EPOCH)
    engine.put(plain)
    raw = replace(plain, id=RAW, name="run", labels={}, mounts=(Mount("bind", "/home/bob", "/x"),))
    engine.put(raw)
    engine.put(replace(raw, id=COMPOSED, labels={"com.docker.compose.project": "p"}))
    probe = NvmlProbe(SimulatedNvml(simulation, state))
    picture = Attribution(
        clock=FakeClock(),
        probe=probe,
        table=KernelProcessTable(str(folders.path)),
        engine=engine,
        accounts=FakeAccounts(person("alice", 1000), person("bob", 1001)),
    ).picture()
    assert picture.fresh
    assert told(picture) == {
        11: ("managed", "alice", "label"),
        12: ("docker", "bob", "folder"),
        13: ("compose", "bob", "folder"),
        14: ("host", "bob", "uid"),
        15: ("unknown", None, "none"),
    }
    shown = {each.process.pid: each for each in picture.processes}
    assert shown[11].owner.interface is Interface.HUB
    assert [shown[pid].slot for pid in (11, 12, 13, 14, 15)] == ["0:0", "0:1", "0:1", "1", "1"]
    assert (shown[11].process.memory_bytes, shown[14].process.sm_share) == (100, 0.5)
    assert not shown[15].process.computes
    assert picture.unattributed == (shown[15],)


def _drawing(pid: int) -> ProcessState:
    return ProcessState(pid=pid, draws=True)


def test_a_process_that_ends_mid_scan_is_left_out_and_the_rest_is_whole(scene: Scene) -> None:
    scene.on("2", 7, 8)
    scene.table.put(8, uid=1000)
    assert set(told(scene.scan())) == {8}


def test_one_that_the_driver_goes_on_listing_is_unknown_and_not_dropped(scene: Scene) -> None:
    scene.on("2", 7)
    scene.scan()
    for _ in range(2):
        (found,) = scene.scan().unattributed
        assert (found.process.pid, found.owner.kind) == (7, WorkloadClass.UNKNOWN)
    scene.on("2")
    assert scene.scan().processes == ()


def test_an_id_that_the_driver_hides_is_unknown_at_once(scene: Scene) -> None:
    scene.on("2", 0)
    (found,) = scene.scan().unattributed
    assert found.owner.why


def test_an_id_that_went_to_a_later_process_is_not_taken_for_it(scene: Scene) -> None:
    scene.on("2", 7)
    scene.table.put(7, uid=1001, started=scene.table.up + 1)
    assert scene.scan().processes == ()
    scene.table.up += 60
    assert told(scene.scan()) == {7: ("host", "bob", "uid")}


def test_starts_are_told_in_the_time_of_day(scene: Scene) -> None:
    scene.on("2", 7)
    scene.table.put(7, started=scene.table.up - 60)
    (found,) = scene.scan().processes
    assert found.started_at == scene.clock.now() - timedelta(seconds=60)


@pytest.mark.parametrize("part", ["probe", "engine"])
def test_a_scan_that_fails_keeps_the_last_picture_and_says_so(scene: Scene, part: str) -> None:
    scene.container()
    scene.on("2", 7)
    scene.table.put(7, cgroup=f"0::/docker/{MANAGED}")
    whole = scene.scan()
    getattr(scene, part).stuck = True
    kept = scene.scan()
    assert (kept.processes, kept.workloads, kept.taken_at) == (
        whole.processes,
        whole.workloads,
        whole.taken_at,
    )
    assert not kept.fresh
    assert kept.problem
    getattr(scene, part).stuck = False
    again = scene.scan()
    assert (again.fresh, again.problem) == (True, "")


def test_a_first_scan_that_fails_is_no_picture(scene: Scene) -> None:
    scene.probe.stuck = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            scene.scan()
    scene.probe.stuck = False
    assert scene.scan().fresh


def test_a_slot_that_does_not_answer_is_said_and_the_rest_is_there(scene: Scene) -> None:
    scene.on("2", 7)
    scene.table.put(7)
    scene.probe.unreadable.add(scene.probe.slot("3").uuid)
    found = scene.scan()
    assert found.fresh
    assert found.notes == ("GPU slot 3: the driver does not say what runs on it.",)
    assert set(told(found)) == {7}


def test_names_that_cannot_be_looked_up_cost_one_deadline_and_are_said(scene: Scene) -> None:
    scene.on("2", 7, 8)
    scene.table.put(7, uid=1000)
    scene.table.put(8, uid=1001)
    scene.container(RAW, None, home="/home/bob")
    scene.accounts.stuck = True
    found = scene.scan()
    assert found.fresh
    assert len(found.notes) == 1
    assert {user for _, user, _ in told(found).values()} == {None}
    scene.accounts.stuck = False
    assert {user for _, user, _ in told(scene.scan()).values()} == {"alice", "bob"}


def test_one_list_of_containers_serves_a_scan_however_many_there_are(scene: Scene) -> None:
    scene.container()
    scene.container(RAW, None, home="/home/bob/x")
    scene.on("2", *range(1, 50))
    for pid in range(1, 50):
        scene.table.put(pid, cgroup=f"0::/docker/{MANAGED}")
    scene.scan()
    assert [method for method, _ in scene.engine.calls] == ["containers"]
    assert len(scene.table.looks) == 1


def test_who_asks_at_the_same_time_gets_the_same_picture(scene: Scene) -> None:
    first = scene.attribution.picture()
    scene.clock.advance(timedelta(seconds=1))
    assert scene.attribution.picture() is first
    scene.clock.advance(timedelta(seconds=2))
    assert scene.attribution.picture() is not first


def test_a_process_on_two_slots_is_in_both_and_once_in_its_workload(scene: Scene) -> None:
    scene.container()
    scene.table.put(7, cgroup=f"0::/docker/{MANAGED}")
    for slot in ("2", "3"):
        uuid = scene.probe.slot(slot).uuid
        scene.probe.shares[uuid] = (GpuProcess(7, uuid, memory_bytes=10),)
    found = scene.scan()
    assert [each.slot for each in found.processes] == ["2", "3"]
    (work,) = found.workloads
    assert (work.slots, work.processes, work.memory_bytes) == (("2", "3"), 1, 20)


def test_a_container_that_is_ending_still_owns_its_processes(scene: Scene) -> None:
    made = scene.container()
    scene.engine.put(replace(made, state=ContainerState.REMOVING))
    scene.on("2", 7)
    scene.table.put(7, cgroup=f"0::/docker/{MANAGED}")
    assert told(scene.scan()) == {7: ("managed", "alice", "label")}


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/home/bob", "bob"),
        ("/home/bob/a/b", "bob"),
        ("/home/bobby", None),
        ("/data/bob", None),
        ("/home/../home/bob", None),
        ("home/bob", None),
        ("/home", None),
    ],
)
def test_a_folder_is_owned_by_whose_home_it_is_in(
    scene: Scene, folder: str, expected: str | None
) -> None:
    scene.container(RAW, None, home=folder)
    (work,) = scene.scan().workloads
    assert work.owner.user == expected
    assert work.owner.proof is (Proof.FOLDER if expected else Proof.NONE)


@pytest.mark.parametrize("shown", [picture_json, workloads_json])
def test_programs_read_all_of_it(
    scene: Scene, shown: Callable[[Picture], dict[str, object]]
) -> None:
    scene.container()
    scene.on("2", 7)
    scene.table.put(7, uid=None)
    document = shown(scene.scan())
    assert json.loads(json.dumps(document)) == document
    assert document["fresh"] is True


def test_only_what_was_started_past_the_platform_is_shown_when_asked(scene: Scene) -> None:
    scene.container()
    scene.container(RAW, None)
    picture = scene.scan()
    assert [each["id"] for each in workloads_json(picture)["workloads"]] == [MANAGED, RAW]  # type: ignore[attr-defined]
    shown = workloads_json(picture, unmanaged=True)["workloads"]
    assert [each["id"] for each in shown] == [RAW]  # type: ignore[attr-defined]


def test_a_step_of_a_build_is_the_persons_in_whose_cgroup_it_runs(scene: Scene) -> None:
    scene.engine.put(replace(scene.container(RAW, None), labels={labels.USER: "alice"}))
    scene.placed = {RAW: ("student", "alice")}
    picture = scene.scan()
    (found,) = picture.workloads
    owner = found.owner
    assert (owner.kind.value, owner.user, owner.proof.value) == ("build", "alice", "cgroup")
    assert picture.unmanaged == ()


def test_a_step_of_somebody_whose_cgroup_is_not_called_as_they_are(scene: Scene) -> None:
    name = "Zoe@uni.example"
    scene.engine.put(replace(scene.container(RAW, None), labels={labels.USER: name}))
    scene.placed = {RAW: ("student", cgroup_slug(name))}
    assert [each.owner.user for each in scene.scan().workloads] == [name]
    scene.engine.put(replace(scene.container(RAW, None), labels={labels.USER: "bob"}))
    (found,) = scene.scan().workloads
    assert (found.owner.kind.value, found.owner.user) == ("build", None)
    assert found.owner.why


@pytest.mark.parametrize("change", ["a GPU", "a process on one", "a name", "another place"])
def test_what_only_runs_where_builds_do_is_past_the_platform(scene: Scene, change: str) -> None:
    step = scene.container(RAW, None)
    scene.placed = {RAW: ("student", "alice")}
    match change:
        case "a GPU":
            demand = DeviceDemand(uuids=(scene.probe.slot("2").uuid,))
            scene.engine.put(replace(step, demand=demand))
        case "a process on one":
            scene.table.put(11, cgroup=f"0::/ds01/student/alice/{RAW}\n")
            scene.on("2", 11)
        case "a name":
            scene.engine.put(replace(step, name="x._.alice"))
        case "another place":
            scene.placed = {}
    assert [each.owner.kind.value for each in scene.scan().unmanaged] == ["docker"]


def test_where_cgroups_cannot_be_read_a_step_is_past_the_platform_and_that_is_said(
    scene: Scene,
) -> None:
    scene.container(RAW, None)
    scene.stuck = True
    picture = scene.scan()
    assert (picture.fresh, len(picture.unmanaged)) == (True, 1)
    assert any("Steps of builds" in each for each in picture.notes)


def test_what_a_grant_allows_is_not_past_the_platform(scene: Scene) -> None:
    scene.granted = {"alice"}
    scene.table.put(11, uid=1000)
    scene.table.put(12, uid=1001)
    scene.on("2", 11, 12)
    picture = scene.scan()
    assert told(picture) == {
        11: ("bare-metal", "alice", "uid"),
        12: ("host", "bob", "uid"),
    }
    assert [each.id for each in picture.unmanaged] == ["host:bob"]


def test_grants_are_remembered_while_they_cannot_be_read(scene: Scene) -> None:
    scene.granted = {"alice"}
    scene.table.put(11, uid=1000)
    scene.on("2", 11)
    scene.scan()
    scene.stuck = True
    picture = scene.scan()
    assert (picture.fresh, picture.unmanaged) == (True, ())
    assert any("not known" in each for each in picture.notes)


def test_neither_is_asked_where_it_decides_nothing(scene: Scene) -> None:
    scene.container()
    scene.table.put(11, cgroup=f"0::/x/{MANAGED}\n")
    scene.on("2", 11)
    scene.scan()
    assert scene.asked == 0
