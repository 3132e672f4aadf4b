from pathlib import Path

import pytest

from ds01_spawner.adapters.cgroups import open_cgroups
from ds01_spawner.adapters.cgroups.systemd import run_systemctl
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.ports import Cgroups, EngineInfo
from fakes.cgroup_files import ROOT, FakeCgroupFiles
from fakes.systemd import FakeSystemd

GIB = 1024**3
INFO = EngineInfo("", "", "systemd", 2, "")
SLICE = "ds01-student-alice.slice"
BOUNDED = AggregateLimits(cpus=1.5, memory_bytes=2 * GIB, memory_high_bytes=GIB, pids=512)


@pytest.fixture
def files() -> FakeCgroupFiles:
    return FakeCgroupFiles(2)


@pytest.fixture
def systemd(files: FakeCgroupFiles) -> FakeSystemd:
    return FakeSystemd(files)


@pytest.fixture
def cgroups(files: FakeCgroupFiles, systemd: FakeSystemd) -> Cgroups:
    return open_cgroups(INFO, ROOT, files=files, systemctl=systemd)


def test_parent_is_a_slice_in_the_groups_slice(cgroups: Cgroups) -> None:
    assert cgroups.parent("student", "alice") == SLICE
    assert cgroups.parent(None, "alice") == "ds01-no.group-alice.slice"


def test_hyphens_in_names_make_no_further_slices(cgroups: Cgroups) -> None:
    assert cgroups.parent("phd-students", "anna-lena").count("-") == 2


def test_the_slice_is_started_and_given_every_bound(cgroups: Cgroups, systemd: FakeSystemd) -> None:
    cgroups.ensure("student", "alice", BOUNDED)

    assert systemd.calls == [
        ["start", SLICE],
        [
            *("set-property", "--runtime", SLICE, "CPUQuota=150%"),
            *(f"MemoryMax={2 * GIB}", "TasksMax=512", f"MemoryHigh={GIB}", "MemorySwapMax=0"),
        ],
    ]


def test_unlimited_takes_earlier_bounds_back(cgroups: Cgroups, systemd: FakeSystemd) -> None:
    cgroups.ensure("student", "alice", BOUNDED)

    cgroups.ensure("student", "alice", AggregateLimits())

    assert systemd.properties[SLICE] == {
        "CPUQuota": "",
        "MemoryMax": "infinity",
        "MemoryHigh": "infinity",
        "MemorySwapMax": "infinity",
        "TasksMax": "infinity",
    }


def test_systemd_is_not_asked_when_nothing_changed(cgroups: Cgroups, systemd: FakeSystemd) -> None:
    cgroups.ensure("student", "alice", BOUNDED)
    systemd.calls.clear()

    cgroups.ensure("student", "alice", BOUNDED)

    assert systemd.calls == []


def test_bounds_survive_a_reload(cgroups: Cgroups, systemd: FakeSystemd) -> None:
    cgroups.ensure("student", "alice", BOUNDED)

    systemd.reload()

    assert cgroups.ensure("student", "alice", BOUNDED) == ()


def test_a_slice_with_a_container_in_it_is_not_stopped(
    files: FakeCgroupFiles, cgroups: Cgroups, systemd: FakeSystemd
) -> None:
    cgroups.ensure("student", "alice", BOUNDED)
    files.make(ROOT / "ds01.slice/ds01-student.slice" / SLICE / "docker-1.scope")
    systemd.calls.clear()

    assert not cgroups.remove("student", "alice")
    assert systemd.calls == []


def test_removing_forgets_the_properties(cgroups: Cgroups, systemd: FakeSystemd) -> None:
    cgroups.ensure("student", "alice", BOUNDED)

    assert cgroups.remove("student", "alice")
    assert systemd.properties == {}


def test_what_systemctl_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\necho 'Access denied' >&2\nexit 4\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(Unavailable, match=r"`systemctl start x.slice` failed .* 4: Access denied"):
        run_systemctl(["start", "x.slice"])


def test_a_host_without_systemd_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unavailable, match="systemctl cannot be run"):
        run_systemctl(["start", "x.slice"])
