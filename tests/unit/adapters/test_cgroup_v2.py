import errno

import pytest

from ds01_spawner.adapters.cgroups import open_cgroups
from ds01_spawner.domain.cgroup import BoundChange
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.ports import Cgroups, EngineInfo
from fakes.cgroup_files import PAGE_BYTES, PIDS_MAX, ROOT, FakeCgroupFiles

GIB = 1024**3
INFO = EngineInfo("", "", "cgroupfs", 2, "")
ALICE = ROOT / "ds01/student/alice"


@pytest.fixture
def files() -> FakeCgroupFiles:
    return FakeCgroupFiles(2)


@pytest.fixture
def cgroups(files: FakeCgroupFiles) -> Cgroups:
    return open_cgroups(INFO, ROOT, files=files)


def ensure(cgroups: Cgroups, limits: AggregateLimits) -> tuple[BoundChange, ...]:
    return cgroups.ensure("student", "alice", limits)


def test_controllers_are_handed_down_every_level(files: FakeCgroupFiles, cgroups: Cgroups) -> None:
    ensure(cgroups, AggregateLimits())

    for place in (ROOT, ROOT / "ds01", ROOT / "ds01/student"):
        assert files.content[place / "cgroup.subtree_control"] == "cpu memory pids"


def test_bounds_are_written_as_the_kernel_reads_them(
    files: FakeCgroupFiles, cgroups: Cgroups
) -> None:
    limits = AggregateLimits(cpus=96, memory_bytes=2 * GIB, memory_high_bytes=GIB, pids=512)

    changed = ensure(cgroups, limits)

    assert files.content[ALICE / "cpu.max"] == "9600000 100000"
    assert files.content[ALICE / "memory.max"] == str(2 * GIB)
    assert files.content[ALICE / "memory.high"] == str(GIB)
    assert files.content[ALICE / "memory.swap.max"] == "0"
    assert files.content[ALICE / "pids.max"] == "512"
    assert BoundChange("memory_high", None, GIB) in changed


@pytest.mark.parametrize(
    ("limits", "file", "text"),
    [
        pytest.param(AggregateLimits(cpus=0.255), "cpu.max", "26000 100000", id="whole-percent"),
        pytest.param(AggregateLimits(cpus=0.001), "cpu.max", "1000 100000", id="least-cpu"),
        pytest.param(
            AggregateLimits(memory_bytes=10 * PAGE_BYTES + 1),
            "memory.max",
            str(10 * PAGE_BYTES),
            id="whole-pages",
        ),
    ],
)
def test_bounds_between_the_kernels_steps_are_rounded_once(
    files: FakeCgroupFiles, cgroups: Cgroups, limits: AggregateLimits, file: str, text: str
) -> None:
    ensure(cgroups, limits)

    assert files.content[ALICE / file] == text
    assert ensure(cgroups, limits) == ()


def test_file_caches_do_not_stand_in_the_way_of_a_lower_bound(
    files: FakeCgroupFiles, cgroups: Cgroups
) -> None:
    ensure(cgroups, AggregateLimits(memory_bytes=2 * GIB))
    files.use_memory("ds01/student/alice", GIB + GIB // 4, cache_bytes=GIB)

    ensure(cgroups, AggregateLimits(memory_bytes=GIB))

    assert files.content[ALICE / "memory.max"] == str(GIB)


def test_a_bound_below_what_is_in_use_is_never_written(
    files: FakeCgroupFiles, cgroups: Cgroups
) -> None:
    ensure(cgroups, AggregateLimits(memory_bytes=2 * GIB))
    files.use_memory("ds01/student/alice", GIB + PAGE_BYTES)
    files.writes.clear()

    with pytest.raises(Unavailable, match=f"{GIB + PAGE_BYTES} bytes are in use"):
        ensure(cgroups, AggregateLimits(memory_bytes=GIB))

    assert files.writes == []


def test_a_bound_that_reads_back_differently_is_an_error(
    files: FakeCgroupFiles, cgroups: Cgroups
) -> None:
    files.ignored.add("cpu.max")

    with pytest.raises(Unavailable, match=r"alice/cpu\.max: wanted 200000, found unlimited"):
        ensure(cgroups, AggregateLimits(cpus=2, pids=10))

    assert files.content[ALICE / "pids.max"] == "10"


def test_a_bound_that_the_kernel_refuses_is_an_error(cgroups: Cgroups) -> None:
    with pytest.raises(Unavailable, match=r"pids\.max: wanted .* \(EINVAL\)"):
        ensure(cgroups, AggregateLimits(pids=PIDS_MAX + 1))


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        pytest.param(errno.EACCES, "needs root", id="not-root"),
        pytest.param(errno.EROFS, "read-write", id="read-only"),
        pytest.param(errno.ENOSPC, "remove unused", id="too-many"),
    ],
)
def test_an_administrator_is_told_what_to_do(
    files: FakeCgroupFiles, cgroups: Cgroups, code: int, advice: str
) -> None:
    files.denied = code

    with pytest.raises(Unavailable) as raised:
        ensure(cgroups, AggregateLimits(cpus=1))

    assert advice in raised.value.next_step


def test_a_missing_controller_is_named() -> None:
    files = FakeCgroupFiles(2, missing=("memory",))

    with pytest.raises(Unavailable, match="has no memory controller"):
        ensure(open_cgroups(INFO, ROOT, files=files), AggregateLimits(cpus=1))


@pytest.mark.parametrize(
    "info",
    [
        pytest.param(EngineInfo("", "", "none", 2, ""), id="driver"),
        pytest.param(EngineInfo("", "", "systemd", 3, ""), id="version"),
    ],
)
def test_an_unknown_kind_of_engine_is_refused(info: EngineInfo) -> None:
    with pytest.raises(Unavailable, match="DS01 knows cgroupfs and systemd"):
        open_cgroups(info, ROOT)
