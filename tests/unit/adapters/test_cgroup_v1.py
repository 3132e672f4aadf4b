import pytest

from ds01_spawner.adapters.cgroups import open_cgroups
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.ports import Cgroups, EngineInfo
from fakes.cgroup_files import ROOT, FakeCgroupFiles

GIB = 1024**3
INFO = EngineInfo("", "", "cgroupfs", 1, "")
MEMORY = ROOT / "memory/ds01/student/alice"
CPU = ROOT / "cpu/ds01/student/alice"


@pytest.fixture
def files() -> FakeCgroupFiles:
    return FakeCgroupFiles(1)


@pytest.fixture
def cgroups(files: FakeCgroupFiles) -> Cgroups:
    return open_cgroups(INFO, ROOT, files=files)


def ensure(cgroups: Cgroups, limits: AggregateLimits) -> None:
    cgroups.ensure("student", "alice", limits)


def written(files: FakeCgroupFiles) -> list[str]:
    names = [name for name, _ in files.writes]
    files.writes.clear()
    return names


def test_parent_is_a_path_from_the_root(cgroups: Cgroups) -> None:
    assert cgroups.parent("student", "alice") == "/ds01/student/alice"
    assert cgroups.parent(None, "alice") == "/ds01/no.group/alice"


def test_memory_and_swap_are_set_in_the_order_the_kernel_needs(
    files: FakeCgroupFiles, cgroups: Cgroups
) -> None:
    ensure(cgroups, AggregateLimits(memory_bytes=2 * GIB))
    written(files)

    ensure(cgroups, AggregateLimits(memory_bytes=GIB))
    assert written(files) == ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
    ensure(cgroups, AggregateLimits(memory_bytes=4 * GIB))
    assert written(files) == ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]
    ensure(cgroups, AggregateLimits())
    assert written(files) == ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]


def test_only_what_differs_is_written(files: FakeCgroupFiles, cgroups: Cgroups) -> None:
    ensure(cgroups, AggregateLimits(cpus=1, memory_bytes=GIB, pids=10))
    written(files)

    ensure(cgroups, AggregateLimits(cpus=1, memory_bytes=GIB, pids=10))
    assert written(files) == []
    ensure(cgroups, AggregateLimits(cpus=1, memory_bytes=GIB, pids=11))
    assert written(files) == ["pids.max"]


def test_works_without_swap_accounting() -> None:
    files = FakeCgroupFiles(1, swap=False)

    ensure(open_cgroups(INFO, ROOT, files=files), AggregateLimits(memory_bytes=GIB))

    assert files.content[MEMORY / "memory.limit_in_bytes"] == str(GIB)


def test_finds_a_controller_that_shares_its_mount() -> None:
    files = FakeCgroupFiles(1, shared_cpu=True)

    ensure(open_cgroups(INFO, ROOT, files=files), AggregateLimits(cpus=2.5))

    assert files.content[ROOT / "cpu,cpuacct/ds01/student/alice/cpu.cfs_quota_us"] == "250000"


def test_accounts_children_to_their_parent_on_old_kernels(
    files: FakeCgroupFiles, cgroups: Cgroups
) -> None:
    ensure(cgroups, AggregateLimits())

    assert files.content[ROOT / "memory/ds01/memory.use_hierarchy"] == "1"
    assert files.content[MEMORY / "memory.use_hierarchy"] == "1"


def test_lowering_cpus_below_a_containers_lowers_the_container(
    files: FakeCgroupFiles, cgroups: Cgroups
) -> None:
    ensure(cgroups, AggregateLimits(cpus=4))
    files.make(CPU / "container")
    files.content[CPU / "container/cpu.cfs_quota_us"] = "200000"

    ensure(cgroups, AggregateLimits(cpus=1))

    assert files.content[CPU / "cpu.cfs_quota_us"] == "100000"
    assert files.content[CPU / "container/cpu.cfs_quota_us"] == "100000"


def test_memory_in_file_caches_does_not_stand_in_the_way(
    files: FakeCgroupFiles, cgroups: Cgroups
) -> None:
    ensure(cgroups, AggregateLimits(memory_bytes=2 * GIB))
    files.use_memory("ds01/student/alice", GIB, cache_bytes=GIB)
    files.content[MEMORY / "memory.usage_in_bytes"] = "0"

    ensure(cgroups, AggregateLimits(memory_bytes=GIB // 2))

    assert files.content[MEMORY / "memory.limit_in_bytes"] == str(GIB // 2)


def test_memory_that_cannot_be_reclaimed_is_reported_with_figures(
    files: FakeCgroupFiles, cgroups: Cgroups
) -> None:
    ensure(cgroups, AggregateLimits(memory_bytes=2 * GIB))
    files.use_memory("ds01/student/alice", GIB, cache_bytes=GIB)

    with pytest.raises(Unavailable) as raised:
        ensure(cgroups, AggregateLimits(memory_bytes=GIB // 2))

    assert "memory.limit_in_bytes" in raised.value.message
    assert f"wanted {GIB // 2}, found {2 * GIB} (EBUSY)" in raised.value.message
    assert "stop a container" in raised.value.next_step


def test_a_missing_controller_is_named() -> None:
    files = FakeCgroupFiles(1, missing=("memory",))

    with pytest.raises(Unavailable, match="controller memory is not mounted"):
        ensure(open_cgroups(INFO, ROOT, files=files), AggregateLimits(cpus=1))


def test_there_is_no_throttling_bound(cgroups: Cgroups) -> None:
    ensure(cgroups, AggregateLimits(memory_bytes=GIB, memory_high_bytes=GIB // 2))

    usage = cgroups.usage("student", "alice")
    assert usage is not None
    assert usage.limits == AggregateLimits(memory_bytes=GIB)
    assert usage.oom_kills is None
