"""cgroup file systems and /proc as folders of files, with what DS01 reads of running containers."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ds01_spawner.adapters.activity import KernelActivity
from ds01_spawner.adapters.activity.kernel_text import TICKS_PER_SECOND, Roots
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.labels import CGROUP_PARENT
from ds01_spawner.ports import EngineInfo
from fakes.engine import FakeEngine

HOST_NETWORK = "net:[1]"
OWN_NETWORK = "net:[2]"
SHIM = 5_000_000
"""Ids are beyond what a kernel gives, so that no process of this machine is meant."""
_HEADING = "Inter-|   Receive\n face |bytes\n"


def engine_id(letter: str = "a") -> str:
    return letter * 64


def running(letter: str = "a", parent: str | None = None) -> Container:
    """A container as the engine lists it."""
    return Container(
        id=engine_id(letter),
        name=f"work-{letter}",
        state=ContainerState.RUNNING,
        labels={} if parent is None else {CGROUP_PARENT: parent},
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
    )


class KernelTree:
    """Files below `path`.

    Attributes:
        engine: What knows first processes of containers.
        uptime: Seconds since the machine's start.
    """

    def __init__(self, path: Path, version: int = 1, driver: str = "cgroupfs") -> None:
        self.info = EngineInfo("fake", "20.10", driver, version, "/var/lib/docker")
        self.engine = FakeEngine()
        self.uptime = 10_000.0
        self.cgroups, self.proc = path / "cgroup", path / "proc"
        self._top = self.cgroups / "cpu,cpuacct" if version == 1 else self.cgroups
        self._top.mkdir(parents=True)
        if version == 1:
            (self.cgroups / "memory").mkdir()
        for pid in (1, SHIM):
            self.process(pid, parent=0, network=HOST_NETWORK)
        (self.proc / "self").symlink_to("1")

    @property
    def roots(self) -> Roots:
        return Roots(str(self.cgroups), str(self.proc))

    def probe(self) -> KernelActivity:
        return KernelActivity(self.info, self.engine, self.roots, lambda: self.uptime)

    def cgroup(self, path: str, *pids: int, cpu_seconds: float = 0.0) -> Path:
        """Make or fill a cgroup."""
        directory = self._top / path
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        if self.info.cgroup_version == 1:
            (directory / "cpuacct.usage").write_text(f"{round(cpu_seconds * 1e9)}\n")
        else:
            text = f"usage_usec {round(cpu_seconds * 1e6)}\nuser_usec 5\nsystem_usec 6\n"
            (directory / "cpu.stat").write_text(text)
        return directory

    def process(
        self,
        pid: int,
        parent: int = SHIM,
        *,
        state: str = "S",
        terminal: int = 0,
        name: str = "sleep",
        started: float = 100.0,
        cpu_seconds: float = 0.0,
        stdin: str = "pipe:[77]",
        network: str = OWN_NETWORK,
        moved: str = "  eth0: 100 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n",
    ) -> None:
        """Let a process exist, or change it."""
        folder = self.proc / str(pid)
        self.end(pid)
        for sub in ("fd", "ns", "net"):
            (folder / sub).mkdir(parents=True)
        ticks = round(cpu_seconds * TICKS_PER_SECOND)
        fields = [state, parent, pid, pid, terminal, -1, 0, 0, 0, 0, 0, ticks, 0, 0, 0, 20, 0, 1, 0]
        fields += [round(started * TICKS_PER_SECOND), 0, 0]
        text = " ".join(str(field) for field in fields)
        (folder / "stat").write_text(f"{pid} ({name}) {text}\n")
        (folder / "fd" / "0").symlink_to(stdin)
        (folder / "ns" / "net").symlink_to(network)
        (folder / "net" / "dev").write_text(f"{_HEADING}    lo: 9 1 0 0 0 0 0 0 9\n{moved}")

    def end(self, pid: int) -> None:
        """Let a process be gone."""
        shutil.rmtree(self.proc / str(pid), ignore_errors=True)

    def started(self, container: Container, pid: int, cgroup: str) -> None:
        """Let the engine know the container's first process, and that process its cgroup."""
        self.engine.put(replace(container, pid=pid))
        line = f"4:memory:/elsewhere\n3:cpu,cpuacct:/{cgroup}\n"
        text = line if self.info.cgroup_version == 1 else f"0::/{cgroup}\n"
        (self.proc / str(pid) / "cgroup").write_text(text)
