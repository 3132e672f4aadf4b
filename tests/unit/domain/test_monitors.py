from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.attribution import ProcessFacts
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand, Mount
from ds01_spawner.domain.gpu import SlotActivity
from ds01_spawner.domain.monitors import containers_on, counted, is_monitor
from ds01_spawner.domain.occupancy import (
    Conflict,
    Occupancy,
    SlotState,
    Snapshot,
    latecomers,
    occupancy,
)
from fakes.clock import EPOCH
from fakes.facts import container
from fakes.probe import idle, small_lab

LAB = small_lab()
SLOTS = {slot.id: slot for slot in LAB.slots}
ALL = DeviceDemand(count=-1)
NAME = "dcgm-exporter"
SPARE = (NAME, "carol")
DCGM = Container(
    "d" * 64,
    NAME,
    ContainerState.RUNNING,
    {"org.opencontainers.image.title": "dcgm-exporter"},
    EPOCH - timedelta(days=30),
    demand=ALL,
    uid=0,
)


def snapshot(
    *containers: Container, computing: Iterable[tuple[str, str]] = (), pids: Iterable[str] = ()
) -> Snapshot:
    busy = {SLOTS[each].uuid: SlotActivity(0.5, 10**9, (1,)) for each in pids}
    on = {SLOTS[slot].uuid: frozenset({key}) for slot, key in computing}
    return Snapshot(EPOCH, LAB, idle(LAB) | busy, containers, on)


def see(found: Snapshot, spare: Iterable[str] = SPARE) -> Occupancy:
    return occupancy(counted(found, tuple(spare)), (), lambda *_: timedelta(0), EPOCH)


def taken(found: Occupancy) -> dict[str, SlotState]:
    return {use.slot.id: use.state for use in found.uses if use.state is not SlotState.FREE}


def test_a_monitor_with_every_gpu_takes_no_slot() -> None:
    alice = container("alice", [SLOTS["0:1"]])
    found = see(snapshot(DCGM, alice))
    assert taken(found) == {"0:1": SlotState.ALLOCATED}
    assert not found.conflicts


def test_one_that_the_administrator_does_not_name_has_what_it_was_given() -> None:
    found = see(snapshot(DCGM), ("other",))
    assert set(taken(found).values()) == {SlotState.FOREIGN}
    assert not found.free()


def test_a_monitor_that_computes_on_a_slot_has_that_one() -> None:
    found = see(snapshot(DCGM, computing=[("2", DCGM.id)], pids=["2"]))
    assert taken(found) == {"2": SlotState.FOREIGN}
    assert [use.container for use in found.uses if use.container] == [NAME]


def test_a_slot_on_which_anything_computes_is_not_free_although_nobody_knows_what_it_is() -> None:
    assert taken(see(snapshot(DCGM, pids=["3"]))) == {"3": SlotState.FOREIGN}


def test_what_runs_on_a_slot_beside_a_monitor_has_to_be_read() -> None:
    found = snapshot(DCGM)
    silent = replace(found, activity={key: found.activity[key] for key in list(found.activity)[1:]})
    assert list(taken(see(silent)).values()) == [SlotState.UNAVAILABLE]


def test_a_monitor_that_computes_where_somebody_is_conflicts_and_it_came_last() -> None:
    alice = container("alice", [SLOTS["2"]])
    both = snapshot(DCGM, alice, computing=[("2", DCGM.id)], pids=["2"])
    assert see(both).conflicts == (Conflict("2", tuple(sorted((NAME, alice.name)))),)
    seen = counted(both, SPARE)
    assert latecomers(seen.containers, LAB) == {DCGM.id}


def test_nobody_comes_too_late_because_of_a_monitor_that_was_there_before() -> None:
    alice = container("alice", [SLOTS["2"]])
    both = snapshot(DCGM, alice)
    assert latecomers(both.containers, LAB) == {alice.id}
    assert not latecomers(counted(both, SPARE).containers, LAB)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"name": f"{NAME}._.bob"}, id="owner-in-name"),
        pytest.param({"name": f"{NAME}-2"}, id="begins-like-it"),
        pytest.param({"name": f"x{NAME}"}, id="ends-like-it"),
        pytest.param({"name": "DCGM-exporter"}, id="other-case"),
        pytest.param({"name": "train", "labels": {"title": NAME}}, id="image-called-so"),
        pytest.param({"labels": {labels.MANAGED: "true"}}, id="managed"),
        pytest.param({"labels": {labels.MANAGED: "no", "a": "b"}}, id="reserved-label"),
        pytest.param({"labels": {labels.USER: "bob"}}, id="owner"),
        pytest.param({"labels": {labels.LEGACY_USER: "bob"}}, id="owner-of-mlc"),
        pytest.param({"labels": {"aime.mlc.GPUS": "all"}}, id="mlc"),
        pytest.param({"labels": {"devcontainer.metadata": "[]"}}, id="devcontainer"),
        pytest.param({"uid": 1001}, id="runs-as-a-person"),
        pytest.param({"mounts": (Mount("bind", "/home/bob", "/x"),)}, id="home"),
        pytest.param({"mounts": (Mount("bind", "/etc/../home/bob", "/x"),)}, id="home-by-detour"),
        pytest.param({"mounts": (Mount("bind", "/data/bob", "/x", True),)}, id="other-disk"),
        pytest.param({"mounts": (Mount("bind", "/run/user/1001", "/x"),)}, id="session"),
        pytest.param({"mounts": (Mount("bind", "/run/ds01/binds/1/0", "/x"),)}, id="stage"),
        pytest.param({"mounts": (Mount("bind", "/", "/x"),)}, id="everything-to-write"),
        pytest.param({"mounts": (Mount("volume", "/v/ds01-home-bob/_data", "/x"),)}, id="volume"),
        pytest.param({"mounts": (Mount("volume", "/v/data._.bob/_data", "/x"),)}, id="own-volume"),
        pytest.param(
            {
                "labels": {
                    "com.docker.compose.project": "p",
                    "com.docker.compose.project.working_dir": "/home/bob/p",
                }
            },
            id="compose-in-a-home",
        ),
        pytest.param({"demand": DeviceDemand(indices=("2",))}, id="one-card"),
        pytest.param({"demand": DeviceDemand(indices=("2",), count=-1)}, id="one-and-images-all"),
        pytest.param(
            {"mounts": (Mount("bind", "/var/lib/docker/volumes/ds01-home-bob/_data", "/x"),)},
            id="volume-by-its-folder",
        ),
        pytest.param({"demand": DeviceDemand(count=4)}, id="as-many-cards-as-there-are"),
    ],
)
def test_what_may_be_a_persons_or_was_given_single_gpus_counts_whatever_it_is_called(
    changes: dict[str, object],
) -> None:
    other = replace(DCGM, **changes)  # type: ignore[arg-type]
    named_nowhere = taken(see(snapshot(other), ()))
    assert named_nowhere
    assert taken(see(snapshot(other))) == named_nowhere


def test_the_image_of_a_container_is_not_what_is_named() -> None:
    called = Container("e" * 64, "train", ContainerState.RUNNING, {}, EPOCH, demand=ALL, uid=0)
    assert is_monitor(called, ("train",))
    assert not is_monitor(called, ("nvcr.io/nvidia/k8s/dcgm-exporter:latest", NAME))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"mounts": (Mount("bind", "/etc/dcgm-exporter", "/x", True),)}, id="settings"),
        pytest.param({"mounts": (Mount("bind", "/run/ds01-exporter/jobs", "/x"),)}, id="jobs"),
        pytest.param({"mounts": (Mount("bind", "/", "/host", True),)}, id="machine-to-read"),
        pytest.param({"mounts": (Mount("volume", "/v/netdata/_data", "/x"),)}, id="volume"),
        pytest.param(
            {
                "labels": {
                    "com.docker.compose.project": "monitoring",
                    "com.docker.compose.project.working_dir": "/opt/monitoring",
                }
            },
            id="compose",
        ),
        pytest.param({"uid": None}, id="user-of-its-image"),
    ],
)
def test_what_monitors_need_does_not_make_them_somebodys(changes: dict[str, object]) -> None:
    other = replace(DCGM, **changes)  # type: ignore[arg-type]
    assert not taken(see(snapshot(other)))


def test_a_container_is_on_a_device_by_the_cgroup_of_what_computes_there() -> None:
    activity = {"a": SlotActivity(pids=(1, 2, 3, 4), graphics_pids=(5,)), "b": SlotActivity()}
    facts = {
        1: ProcessFacts(1, cgroup=f"0::/docker/{DCGM.id}\n"),
        2: ProcessFacts(2, cgroup="0::/user.slice/user-1001.slice/x\n"),
        3: ProcessFacts(3),
        5: ProcessFacts(5, cgroup=f"0::/docker/{'e' * 64}\n"),
    }
    assert containers_on(activity, facts) == {"a": {DCGM.id}, "b": frozenset()}
