from dataclasses import replace
from pathlib import Path

import pytest

from ds01_spawner.adapters.activity import KernelUsage
from ds01_spawner.adapters.activity.kernel_text import Roots
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.ports import EngineInfo
from ds01_spawner.ports.usage import ContainerUsage
from fakes.engine import FakeEngine
from fakes.kernel_tree import running

NET = """Inter-|   Receive                    |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets
    lo: 99 0 0 0 0 0 0 0 99 0
  eth0: 10 0 0 0 0 0 0 0 1 0
  eth1: 5 0 0 0 0 0 0 0 2 0
"""
WORK = running("a", "/ds01/student/alice")
PLACE = f"ds01/student/alice/{WORK.id}"


def _probe(root: Path, version: int) -> KernelUsage:
    info = EngineInfo("fake", "20.10", "cgroupfs", version, "/var/lib/docker")
    return KernelUsage(info, FakeEngine(), Roots(str(root / "cgroup"), str(root / "proc")))


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _v1(root: Path) -> KernelUsage:
    _write(
        root,
        {
            f"cgroup/cpu,cpuacct/{PLACE}/cpuacct.usage": "3000000000\n",
            f"cgroup/cpu,cpuacct/{PLACE}/cgroup.procs": "41\n42\n",
            f"cgroup/memory/{PLACE}/memory.usage_in_bytes": "100\n",
            f"cgroup/memory/{PLACE}/memory.limit_in_bytes": "512\n",
            f"cgroup/memory/{PLACE}/memory.stat": "inactive_file 9\ntotal_inactive_file 40\n",
            f"cgroup/pids/{PLACE}/pids.current": "7\n",
            "proc/41/net/dev": NET,
        },
    )
    return _probe(root, 1)


def _v2(root: Path) -> KernelUsage:
    _write(
        root,
        {
            f"cgroup/{PLACE}/cpu.stat": "usage_usec 3000000\nuser_usec 1\n",
            f"cgroup/{PLACE}/cgroup.procs": "41\n",
            f"cgroup/{PLACE}/memory.current": "100\n",
            f"cgroup/{PLACE}/memory.max": "512\n",
            f"cgroup/{PLACE}/memory.stat": "anon 1\ninactive_file 40\n",
            f"cgroup/{PLACE}/pids.current": "7\n",
            "proc/41/net/dev": NET,
        },
    )
    return _probe(root, 2)


@pytest.mark.parametrize("made", [_v1, _v2], ids=["cgroup-v1", "cgroup-v2"])
def test_reads_what_docker_stats_shows(tmp_path: Path, made: object) -> None:
    probe = made(tmp_path)  # type: ignore[operator]
    assert probe.usage([WORK]) == {WORK.id: ContainerUsage(3.0, 60, 512, 7, 15, 3, 0)}


def test_no_limit_is_none(tmp_path: Path) -> None:
    probe = _v1(tmp_path / "one")
    limit = tmp_path / "one/cgroup/memory" / PLACE / "memory.limit_in_bytes"
    limit.write_text("9223372036854771712\n")
    assert probe.usage([WORK])[WORK.id].memory_limit_bytes is None
    probe = _v2(tmp_path / "two")
    (tmp_path / "two/cgroup" / PLACE / "memory.max").write_text("max\n")
    assert probe.usage([WORK])[WORK.id].memory_limit_bytes is None


def test_what_cannot_be_read_is_not_known_and_what_is_gone_is_left_out(tmp_path: Path) -> None:
    probe = _v2(tmp_path)
    for name in ("cpu.stat", "pids.current", "cgroup.procs"):
        (tmp_path / "cgroup" / PLACE / name).write_text("?\n")
    assert probe.usage([WORK])[WORK.id] == ContainerUsage(None, 60, 512, None, None, None)
    stopped = replace(WORK, state=ContainerState.EXITED)
    assert probe.usage([stopped, running("b")]) == {}


@pytest.mark.parametrize("made", [_v1, _v2], ids=["cgroup-v1", "cgroup-v2"])
def test_each_connection_by_ssh_is_counted_once(tmp_path: Path, made: object) -> None:
    probe = made(tmp_path)  # type: ignore[operator]
    tree = f"cgroup/{'cpu,cpuacct/' if made is _v1 else ''}{PLACE}/cgroup.procs"
    processes = {
        41: ("sleep", 1),
        50: ("sshd", 1),
        51: ("sshd", 50),
        52: ("bash", 51),
        60: ("sshd-session", 1),
        70: ("my) sshd", 1),
    }
    _write(tmp_path, {tree: "".join(f"{pid}\n" for pid in (*processes, 99))})
    stats = {
        f"proc/{pid}/stat": f"{pid} ({name}) S {parent} 0"
        for pid, (name, parent) in processes.items()
    }
    _write(tmp_path, stats)
    stopped = replace(running("b", "/ds01/student/alice"), state=ContainerState.EXITED)
    assert probe.ssh_sessions([WORK, stopped]) == {WORK.id: 2}
    assert probe.usage([WORK])[WORK.id].ssh_sessions == 2


@pytest.mark.parametrize("made", [_v1, _v2], ids=["cgroup-v1", "cgroup-v2"])
def test_cpu_and_memory_alone_are_read_without_asking_the_engine(
    tmp_path: Path, made: object
) -> None:
    probe = made(tmp_path)  # type: ignore[operator]
    elsewhere = running("b", "/nowhere")
    engine = probe._cgroups._engine
    assert probe.work([WORK, elsewhere]) == {WORK.id: ContainerUsage(3.0, 60)}
    assert engine.calls == []


def test_of_cpu_and_memory_what_can_be_read_is(tmp_path: Path) -> None:
    probe = _v2(tmp_path)
    (tmp_path / "cgroup" / PLACE / "cpu.stat").write_text("?\n")
    assert probe.work([WORK]) == {WORK.id: ContainerUsage(None, 60)}
    (tmp_path / "cgroup" / PLACE / "memory.stat").write_text("?\n")
    assert probe.work([WORK]) == {}
