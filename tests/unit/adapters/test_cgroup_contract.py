import pytest

from contracts.cgroups import CgroupsContract, UseMemory
from ds01_spawner.adapters.cgroups import open_cgroups
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.domain.names import cgroup_slugs
from ds01_spawner.ports import Cgroups, EngineInfo
from fakes.cgroup_files import ROOT, FakeCgroupFiles
from fakes.cgroups import FakeCgroups
from fakes.systemd import FakeSystemd


class TestFakeCgroups(CgroupsContract):
    @pytest.fixture
    def cgroups(self) -> FakeCgroups:
        return FakeCgroups()

    @pytest.fixture
    def use_memory(self, cgroups: FakeCgroups) -> UseMemory:
        def use(group: str | None, user: str, size_bytes: int) -> None:
            cgroups.used[cgroup_slugs(group, user)] = size_bytes

        return use


def kernel_path(parent: str) -> str:
    """Where a cgroup is that the engine's driver calls so."""
    if not parent.endswith(".slice"):
        return parent.strip("/")
    parts = parent.removesuffix(".slice").split("-")
    return "/".join("-".join(parts[: count + 1]) + ".slice" for count in range(len(parts)))


class OnFakeFiles(CgroupsContract):
    version = 1

    @pytest.fixture
    def files(self) -> FakeCgroupFiles:
        return FakeCgroupFiles(self.version)

    @pytest.fixture
    def use_memory(self, cgroups: Cgroups, files: FakeCgroupFiles) -> UseMemory:
        def use(group: str | None, user: str, size_bytes: int) -> None:
            files.use_memory(kernel_path(cgroups.parent(group, user)), size_bytes)

        return use

    def test_containers_are_known_by_their_owners_cgroup(
        self, cgroups: Cgroups, files: FakeCgroupFiles
    ) -> None:
        step = "ab" * 32
        cgroups.ensure("student", "alice", AggregateLimits())
        cgroups.ensure(None, "bob", AggregateLimits())
        parent = cgroups.parent("student", "alice")
        name = f"docker-{step}.scope" if parent.endswith(".slice") else step
        files.put_container(kernel_path(parent), name)
        files.put_container(kernel_path(parent), "not-a-container")
        assert cgroups.containers() == {step: ("student", "alice")}


class TestCgroupfsOnV1(OnFakeFiles):
    @pytest.fixture
    def cgroups(self, files: FakeCgroupFiles) -> Cgroups:
        return open_cgroups(EngineInfo("", "", "cgroupfs", 1, ""), ROOT, files=files)


class TestCgroupfsOnV2(OnFakeFiles):
    version = 2

    @pytest.fixture
    def cgroups(self, files: FakeCgroupFiles) -> Cgroups:
        return open_cgroups(EngineInfo("", "", "cgroupfs", 2, ""), ROOT, files=files)


class TestSystemdOnV2(OnFakeFiles):
    version = 2

    @pytest.fixture
    def cgroups(self, files: FakeCgroupFiles) -> Cgroups:
        info = EngineInfo("", "", "systemd", 2, "")
        return open_cgroups(info, ROOT, files=files, systemctl=FakeSystemd(files))
