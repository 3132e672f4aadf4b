import os
from pathlib import Path

import pytest

from contracts.activity import ActivityContract, BlindActivityContract
from ds01_spawner.adapters.activity import KernelActivity, KernelProcesses
from ds01_spawner.adapters.activity.kernel_text import Roots
from ds01_spawner.domain.container import Container
from ds01_spawner.ports import ActivityProbe, ContainerProcesses
from fakes.activity import FakeActivityProbe, FakeContainerProcesses
from fakes.kernel_tree import SHIM, KernelTree, engine_id, running


class TestFakes(ActivityContract):
    @pytest.fixture
    def activity(self) -> ActivityProbe:
        return FakeActivityProbe()

    @pytest.fixture
    def processes(self) -> ContainerProcesses:
        return FakeContainerProcesses()

    @pytest.fixture
    def container(self) -> Container:
        return running()


@pytest.fixture
def tree(tmp_path: Path) -> KernelTree:
    tree = KernelTree(tmp_path)
    tree.process(SHIM + 1)
    tree.cgroup(f"docker/{engine_id()}", SHIM + 1)
    return tree


class TestOnFiles(ActivityContract):
    @pytest.fixture
    def activity(self, tree: KernelTree) -> ActivityProbe:
        return tree.probe()

    @pytest.fixture
    def processes(self, tree: KernelTree) -> ContainerProcesses:
        return KernelProcesses(tree.info, tree.engine, tree.roots)

    @pytest.fixture
    def container(self) -> Container:
        return running()


class TestBlindFake(BlindActivityContract):
    @pytest.fixture
    def activity(self, pid: int) -> ActivityProbe:
        probe = FakeActivityProbe()
        probe.cpu[pid] = 1.0
        probe.blind = True
        return probe

    @pytest.fixture
    def container(self) -> Container:
        return running()

    @pytest.fixture
    def pid(self) -> int:
        return os.getpid()


class TestWithoutTheKernelsFiles(BlindActivityContract):
    @pytest.fixture
    def activity(self, tree: KernelTree, tmp_path: Path) -> ActivityProbe:
        nowhere = Roots(str(tmp_path / "nowhere"), str(tmp_path / "nowhere"))
        return KernelActivity(tree.info, tree.engine, nowhere)

    @pytest.fixture
    def container(self) -> Container:
        return running()

    @pytest.fixture
    def pid(self) -> int:
        return os.getpid()


def test_fakes_tell_what_they_were_told() -> None:
    activity, processes, container = FakeActivityProbe(), FakeContainerProcesses(), running()
    activity.cpu = {7: 1.5, 8: 2.0, 9: None}
    processes.terminals[container.id] = 2
    processes.handlers[(container.id, "SIGUSR1")] = 1
    assert activity.cpu_seconds_of([7, 8, 7]) == 3.5
    assert activity.cpu_seconds_of([7, 9]) is None
    assert processes.write_to_terminals(container, "text") == 2
    assert processes.send_signal(container, "SIGUSR1") == 1
