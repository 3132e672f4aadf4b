import os
from pathlib import Path

import pytest

from ds01_spawner.adapters.cgroups import open_cgroups
from ds01_spawner.adapters.cgroups.kernel_log import KernelLog, LoggedKill, parse
from ds01_spawner.domain.cgroup import OomBound, OomKill, OomMark
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.ports import Cgroups, EngineInfo
from fakes.cgroup_files import ROOT, FakeCgroupFiles

ID = "cdc8ad3995a54b99c419deb72883f7e639e9de633b7e8642b24194e99f8039be"
V1_BOUND = "/ds01/student/alice"
V2_BOUND = "/ds01.slice/ds01-student.slice/ds01-student-alice.slice"
V2_TASK = f"{V2_BOUND}/docker-{ID}.scope"


def kill_line(sequence: int, bound: str | None, task: str, process: str = "dd") -> str:
    kind = "CONSTRAINT_NONE" if bound is None else "CONSTRAINT_MEMCG"
    where = "global_oom" if bound is None else f"oom_memcg={bound}"
    return (
        f"6,{sequence},1287785977,-;oom-kill:constraint={kind},nodemask=(null),cpuset={ID},"
        f"mems_allowed=0-1,3,{where},task_memcg={task},task={process},pid=21835,uid=1000\n"
    )


class FakeLog(KernelLog):
    def __init__(self, records: list[str] | None) -> None:
        self.records = records

    def kills_after(self, sequence: int) -> tuple[int, tuple[LoggedKill, ...]] | None:
        return None if self.records is None else parse(self.records, sequence)


def opened(log: FakeLog, driver: str = "systemd", files: FakeCgroupFiles | None = None) -> Cgroups:
    info = EngineInfo("", "", driver, 2, "")
    return open_cgroups(info, ROOT, files=files or FakeCgroupFiles(2), log=log)


def test_reads_bound_container_process_and_figures() -> None:
    last, kills = parse(
        [
            "6,580,1,-;memory: usage 65536kB, limit 65536kB, failcnt 38\n",
            "6,581,1,-;memory+swap: usage 65540kB, limit 65540kB, failcnt 38\n",
            kill_line(586, V1_BOUND, f"{V1_BOUND}/{ID}"),
            "3,587,1,-;Memory cgroup out of memory: Killed process 21835 (dd)\n SUBSYSTEM=x\n",
        ],
        5,
    )

    assert last == 587
    assert kills == (
        LoggedKill(V1_BOUND, f"{V1_BOUND}/{ID}", "dd", 21835, 64 * 1024**2, 64 * 1024**2),
    )


def test_a_process_name_can_forge_nothing() -> None:
    name = "x,task=y,pid=1"

    (kill,) = parse([kill_line(9, V1_BOUND, V1_BOUND, process=name)], -1)[1]

    assert kill.bound == V1_BOUND
    assert kill.process == name
    assert kill.pid == 21835


def test_lines_written_by_programs_are_ignored() -> None:
    forged = kill_line(9, V1_BOUND, V1_BOUND).replace("6,9", "14,9", 1)

    assert parse([forged, "garbage", "x,y;z"], -1) == (9, ())


@pytest.mark.parametrize(
    ("bound", "task", "expected"),
    [
        pytest.param(V2_BOUND, V2_TASK, OomBound.AGGREGATE, id="the-person's"),
        pytest.param(V2_TASK, V2_TASK, OomBound.CONTAINER, id="the-container's"),
        pytest.param(None, V2_TASK, OomBound.MACHINE, id="the-machine's"),
        pytest.param("/ds01.slice", V2_TASK, OomBound.MACHINE, id="above-the-person"),
    ],
)
def test_tells_whose_memory_was_full(bound: str | None, task: str, expected: OomBound) -> None:
    log = FakeLog([])
    cgroups = opened(log)
    mark, _ = cgroups.oom_kills(None)
    log.records = [kill_line(3, bound, task)]

    _, kills = cgroups.oom_kills(mark)

    assert [(kill.bound, kill.container_id) for kill in kills] == [(expected, ID)]
    assert (kills[0].group, kills[0].user) == ("student", "alice")


def test_attributes_by_path_under_cgroupfs() -> None:
    log = FakeLog([])
    cgroups = opened(log, "cgroupfs")
    mark, _ = cgroups.oom_kills(None)
    log.records = [kill_line(3, V1_BOUND, f"{V1_BOUND}/{ID}")]

    assert cgroups.oom_kills(mark)[1][0].bound is OomBound.AGGREGATE


def test_kills_elsewhere_are_nobodys() -> None:
    log = FakeLog([])
    cgroups = opened(log)
    mark, _ = cgroups.oom_kills(None)
    log.records = [
        kill_line(3, "/system.slice/x.service", "/system.slice/x.service"),
        kill_line(4, None, "/ds01.slice/ds01-student.slice/other.slice/docker-1.scope"),
    ]

    assert cgroups.oom_kills(mark)[1] == ()


def test_each_kill_is_told_once() -> None:
    log = FakeLog([kill_line(3, V2_BOUND, V2_TASK)])
    cgroups = opened(log)

    mark, before_the_start = cgroups.oom_kills(None)
    log.records = [kill_line(3, V2_BOUND, V2_TASK), kill_line(8, V2_BOUND, V2_TASK)]
    mark, fresh = cgroups.oom_kills(mark)

    assert before_the_start == ()
    assert len(fresh) == 1
    assert cgroups.oom_kills(mark)[1] == ()


def test_after_a_reboot_the_log_is_read_from_its_start() -> None:
    log = FakeLog([kill_line(3, V2_BOUND, V2_TASK)])

    _, kills = opened(log).oom_kills(OomMark("another boot", 9000, {}))

    assert len(kills) == 1


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param(1, OomBound.AGGREGATE, id="the-person's"),
        pytest.param(0, OomBound.CONTAINER, id="a-container's"),
    ],
)
def test_counters_tell_where_the_log_cannot_be_read(own: int, expected: OomBound) -> None:
    files = FakeCgroupFiles(2)
    cgroups = opened(FakeLog(None), "cgroupfs", files)
    cgroups.ensure("student", "alice", AggregateLimits())
    mark, _ = cgroups.oom_kills(None)
    place = ROOT / "ds01/student/alice"
    files.content[place / "memory.events.local"] = f"low 0\noom {own}\noom_kill 0"
    files.content[place / "memory.events"] = "low 0\noom 1\noom_kill 2"

    mark, kills = cgroups.oom_kills(mark)

    assert kills == (OomKill("student", "alice", expected),)
    assert cgroups.oom_kills(mark)[1] == ()
    usage = cgroups.usage("student", "alice")
    assert usage is not None
    assert usage.oom_kills == 2


def test_a_log_that_cannot_be_opened_is_no_log(tmp_path: Path) -> None:
    assert KernelLog(tmp_path / "missing").kills_after(-1) is None
    assert KernelLog(tmp_path).kills_after(-1) is None


def test_a_record_is_read_once_unless_the_mark_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "kmsg"
    os.mkfifo(device)
    opened_devices = []
    open_really = os.open

    def noted(path: Path, flags: int) -> int:
        opened_devices.append(path)
        return open_really(path, flags)

    monkeypatch.setattr("ds01_spawner.adapters.cgroups.kernel_log.os.open", noted)
    log = KernelLog(device)
    with device.open("r+b", buffering=0) as kernel:
        for sequence in (1, 2):
            kernel.write(kill_line(sequence, V1_BOUND, f"{V1_BOUND}/{ID}").encode())
            found = log.kills_after(sequence - 1)
            assert found is not None
            assert (found[0], len(found[1])) == (sequence, 1)
        assert log.kills_after(2) == (2, ())
        assert len(opened_devices) == 1
        assert log.kills_after(-1) == (-1, ())
    assert len(opened_devices) == 2
