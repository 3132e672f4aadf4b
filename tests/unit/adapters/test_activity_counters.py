import os
from dataclasses import replace
from pathlib import Path

import pytest

from ds01_spawner.adapters.activity.kernel_text import read_kernel
from ds01_spawner.adapters.activity.probe import FORGET_SECONDS
from ds01_spawner.domain.activity import ContainerSample
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.errors import Unavailable
from fakes.kernel_tree import HOST_NETWORK, SHIM, KernelTree, engine_id, running

FIRST = SHIM + 100
PARENT = "/ds01/student/alice"
SLICE = "ds01-student-alice.slice"
SLICE_PATH = "ds01.slice/ds01-student.slice/ds01-student-alice.slice"


@pytest.fixture
def tree(tmp_path: Path) -> KernelTree:
    tree = KernelTree(tmp_path)
    tree.process(FIRST)
    tree.cgroup(f"ds01/student/alice/{engine_id()}", FIRST, cpu_seconds=1.5)
    return tree


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("driver", "label", "path"),
    [
        ("cgroupfs", PARENT, f"ds01/student/alice/{engine_id()}"),
        ("cgroupfs", None, f"docker/{engine_id()}"),
        ("systemd", SLICE, f"{SLICE_PATH}/docker-{engine_id()}.scope"),
        ("systemd", None, f"system.slice/docker-{engine_id()}.scope"),
    ],
)
def test_counters_come_from_the_cgroup_without_asking_the_engine(
    tmp_path: Path, version: int, driver: str, label: str | None, path: str
) -> None:
    tree = KernelTree(tmp_path, version, driver)
    tree.process(FIRST)
    tree.cgroup(path, FIRST, cpu_seconds=12.25)
    container = running(parent=label)
    found = tree.probe().samples([container])
    assert found == {container.id: ContainerSample(12.25, 120, 0)}
    assert tree.engine.calls == []


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("below", ["", "/init.scope"], ids=["itself", "process-lies-deeper"])
def test_container_elsewhere_is_asked_for_once(tmp_path: Path, version: int, below: str) -> None:
    tree = KernelTree(tmp_path, version)
    tree.process(FIRST)
    tree.cgroup(f"lab/special/{engine_id()}", FIRST, cpu_seconds=3.0)
    container = running(parent=PARENT)
    tree.started(container, FIRST, f"lab/special/{engine_id()}{below}")
    probe = tree.probe()
    for _ in range(3):
        assert probe.samples([container])[container.id].cpu_seconds == 3.0
    assert tree.engine.calls == [("container", container.id)]


@pytest.mark.parametrize("forged", ["/../../etc", "/x/../../..", "..", "/", "a\0b", "-.slice", ""])
def test_forged_label_leads_nowhere_else(tmp_path: Path, forged: str) -> None:
    tree = KernelTree(tmp_path)
    tree.process(FIRST)
    tree.cgroup(f"docker/{engine_id()}", FIRST, cpu_seconds=2.0)
    outside = tmp_path / "etc" / engine_id()
    outside.mkdir(parents=True)
    (outside / "cpuacct.usage").write_text("99000000000\n")
    container = running(parent=forged)
    assert tree.probe().samples([container])[container.id].cpu_seconds == 2.0


def test_process_in_a_cgroup_that_is_not_the_containers_tells_nothing(tmp_path: Path) -> None:
    tree = KernelTree(tmp_path)
    tree.process(FIRST)
    tree.cgroup("user/session", FIRST, cpu_seconds=2.0)
    container = running()
    tree.started(container, FIRST, "user/session")
    assert tree.probe().samples([container]) == {container.id: ContainerSample()}


def test_stuck_engine_is_asked_once_in_a_look_and_again_in_the_next(tree: KernelTree) -> None:
    lost, known = [running("b"), running("c")], running(parent=PARENT)
    probe = tree.probe()
    tree.engine.fail_next("container", Unavailable("No answer."))
    found = probe.samples([*lost, known])
    assert [found[each.id] for each in lost] == [ContainerSample(), ContainerSample()]
    assert found[known.id].cpu_seconds == 1.5
    assert len(tree.engine.calls) == 1
    probe.samples(lost)
    assert len(tree.engine.calls) == 3


def test_container_that_vanished_has_no_counters(tree: KernelTree) -> None:
    container, probe = running(parent=PARENT), tree.probe()
    probe.samples([container])
    for file in (tree.cgroups / f"cpu,cpuacct{PARENT}/{container.id}").iterdir():
        file.unlink()
    (tree.cgroups / f"cpu,cpuacct{PARENT}/{container.id}").rmdir()
    tree.end(FIRST)
    assert probe.samples([container]) == {container.id: ContainerSample()}
    assert container.id not in probe._known


def test_containers_that_do_not_run_are_left_out(tree: KernelTree) -> None:
    container = running(parent=PARENT)
    states = (ContainerState.EXITED, ContainerState.CREATED, ContainerState.PAUSED)
    looks = {state: tree.probe().samples([replace(container, state=state)]) for state in states}
    assert [len(looks[state]) for state in states] == [0, 0, 1]


def test_restart_is_seen_with_new_processes_and_counters(tree: KernelTree) -> None:
    container, probe = running(parent=PARENT), tree.probe()
    assert probe.samples([container])[container.id].first_pid == FIRST
    again = FIRST + 50
    tree.end(FIRST)
    tree.process(again, started=300.0, moved="eth0: 7 0 0 0 0 0 0 0 0\n")
    tree.process(again + 1, again, started=301.0)
    tree.cgroup(f"ds01/student/alice/{container.id}", again, again + 1, cpu_seconds=0.25)
    (found,) = probe.samples([container]).values()
    assert found == ContainerSample(0.25, 7, 0)
    assert found.first_pid == again


def test_restart_below_another_parent_is_found(tree: KernelTree) -> None:
    container, probe = running(parent=PARENT), tree.probe()
    probe.samples([container])
    old = tree.cgroups / f"cpu,cpuacct{PARENT}/{container.id}"
    new = tree.cgroups / f"cpu,cpuacct/docker/{container.id}"
    new.parent.mkdir()
    old.rename(new)
    assert probe.samples([container])[container.id].cpu_seconds == 1.5


def test_containers_not_asked_about_are_forgotten(tree: KernelTree) -> None:
    container, probe = running(parent=PARENT), tree.probe()
    probe.samples([container])
    tree.uptime += FORGET_SECONDS
    probe.samples([])
    assert container.id in probe._known
    tree.uptime += 1
    probe.samples([])
    assert container.id not in probe._known


@pytest.mark.parametrize("host", [HOST_NETWORK, "net:[3]"], ids=["host's", "engine's"])
def test_network_of_the_host_is_never_counted(tree: KernelTree, host: str) -> None:
    tree.process(SHIM, parent=1, network=host)
    tree.process(FIRST, network=host)
    container = running(parent=PARENT)
    assert tree.probe().samples([container])[container.id] == ContainerSample(1.5, None, 0)


def test_network_is_that_of_every_interface_but_loopback(tree: KernelTree) -> None:
    lines = (
        "  eth0: 1 2 3 4 5 6 7 8 10 9\n"
        "odd:name:100 0 0 0 0 0 0 0 1000 0\n"
        "lo2:18446744073709551615 0 0 0 0 0 0 0 0 0\n"
    )
    tree.process(FIRST, moved=lines)
    container = running(parent=PARENT)
    moved = tree.probe().samples([container])[container.id].network_bytes
    assert moved == 11 + 1100 + 18446744073709551615


@pytest.mark.parametrize("text", ["eth0: 1 2\n", "eth0: x 0 0 0 0 0 0 0 1\n", "nonsense\n"])
def test_malformed_network_counters_are_unreadable(tree: KernelTree, text: str) -> None:
    tree.process(FIRST, moved=text)
    container = running(parent=PARENT)
    assert tree.probe().samples([container])[container.id] == ContainerSample(1.5, None, 0)


@pytest.mark.parametrize("text", ["", "many\n", "9" * 300_000])
def test_malformed_cpu_time_is_unreadable(tree: KernelTree, text: str) -> None:
    container = running(parent=PARENT)
    (tree.cgroups / f"cpu,cpuacct{PARENT}/{container.id}/cpuacct.usage").write_text(text)
    assert tree.probe().samples([container])[container.id] == ContainerSample(None, 120, 0)


@pytest.mark.parametrize("text", ["", "usage_usec\n", "usage_usec x\n", "user_usec 5\n"])
def test_malformed_cpu_time_is_unreadable_on_v2(tmp_path: Path, text: str) -> None:
    tree = KernelTree(tmp_path, 2)
    tree.process(FIRST)
    (tree.cgroup(f"docker/{engine_id()}", FIRST) / "cpu.stat").write_text(text)
    container = running()
    found = tree.probe().samples([container])[container.id]
    assert found == ContainerSample(None, 120, 0)


def test_without_the_controller_nothing_is_known(tree: KernelTree) -> None:
    (tree.cgroups / "cpu,cpuacct").rename(tree.cgroups / "blkio")
    container = running(parent=PARENT)
    assert tree.probe().samples([container]) == {container.id: ContainerSample()}


def test_cpu_seconds_of_processes_add_up_and_gone_ones_count_nothing(tree: KernelTree) -> None:
    tree.process(FIRST, cpu_seconds=1.25, name="a) S 1 2 (b c")
    tree.process(FIRST + 1, cpu_seconds=2.5)
    assert tree.probe().cpu_seconds_of([FIRST, FIRST, FIRST + 1, FIRST + 2]) == 3.75
    assert tree.probe().cpu_seconds_of([]) == 0.0


@pytest.mark.parametrize("text", ["", "12 (sh", "12 (sh) S 1 1", "12 (sh) " + "x " * 30])
def test_malformed_process_is_unreadable(tree: KernelTree, text: str) -> None:
    tree.process(FIRST, cpu_seconds=1.25)
    tree.process(FIRST + 1)
    (tree.proc / str(FIRST + 1) / "stat").write_text(text)
    assert tree.probe().cpu_seconds_of([FIRST, FIRST + 1]) is None


def test_process_that_proc_hides_is_unreadable(tree: KernelTree) -> None:
    assert tree.probe().cpu_seconds_of([os.getpid()]) is None


def test_file_without_an_end_is_not_read_to_it() -> None:
    with pytest.raises(OSError, match="too large"):
        read_kernel("/dev/zero")
