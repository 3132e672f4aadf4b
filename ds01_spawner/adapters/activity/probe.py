"""The `ActivityProbe` port on cgroup files and /proc."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from ds01_spawner.adapters.activity.kernel_text import (
    Roots,
    bytes_moved,
    exists,
    is_gone,
    process_stat,
    read_kernel,
    read_link,
)
from ds01_spawner.adapters.activity.locating import ContainerCgroups
from ds01_spawner.adapters.activity.members import Members, listed
from ds01_spawner.domain.activity import ContainerSample
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.ports import Engine, EngineInfo

FORGET_SECONDS = 600.0
"""A container that was not asked about for so long is forgotten."""


def seconds_up() -> float:
    """Seconds since the machine's start, as the kernel counts them for processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Known:
    """What is remembered of one container."""

    def __init__(self, directory: str, members: Members) -> None:
        self.directory = directory
        self.members = members
        self.own_network: tuple[int | None, bool] = (None, False)
        self.asked_at = 0.0


class KernelActivity:
    """Counters of containers and processes. For one thread at a time.

    Args:
        info: Says where the engine puts cgroups.
        engine: Asked once for each container that is in none of the places expected.
        roots: Where the kernel's file systems are mounted.
        uptime: Seconds since the machine's start.
    """

    def __init__(
        self,
        info: EngineInfo,
        engine: Engine,
        roots: Roots = Roots(),  # noqa: B008 - immutable
        uptime: Callable[[], float] = seconds_up,
    ) -> None:
        self._cgroups = ContainerCgroups(info, engine, roots)
        self._proc = roots.proc
        self._uptime = uptime
        self._known: dict[str, _Known] = {}
        self._engine_answers = True

    def samples(self, containers: Sequence[Container]) -> Mapping[str, ContainerSample]:
        """Counters of every container that runs; one that vanished meanwhile has none.

        An engine that does not answer is not an error: what only it could tell is `None`.
        """
        self._engine_answers = True
        now = self._uptime()
        found = {}
        for container in containers:
            if container.state.is_live:
                found[container.id] = self._sample(container, now)
        self._forget(now - FORGET_SECONDS)
        return found

    def cpu_seconds_of(self, pids: Collection[int]) -> float | None:
        """CPU time of these processes together; one that is gone counts nothing."""
        total = 0.0
        for pid in set(pids):
            try:
                total += process_stat(self._proc, pid).cpu_seconds
            except OSError as exc:
                if not is_gone(exc) or exists(pid):
                    return None
            except ValueError:
                return None
        return total

    def _sample(self, container: Container, now: float) -> ContainerSample:
        for _ in range(2):
            known = self._known.get(container.id) or self._locate(container)
            if known is None:
                break
            known.asked_at = now
            try:
                content = listed(known.directory)
            except OSError as exc:
                if is_gone(exc):
                    # It stopped, or was started again elsewhere: look once more.
                    del self._known[container.id]
                    continue
                return ContainerSample(cpu_seconds=self._cpu(known.directory))
            sessions = _sessions(known.members, content)
            return ContainerSample(
                cpu_seconds=self._cpu(known.directory),
                network_bytes=self._network(known),
                sessions=sessions,
                first_pid=known.members.first,
            )
        return ContainerSample()

    def _locate(self, container: Container) -> _Known | None:
        try:
            directory = self._cgroups.find(container, ask=self._engine_answers)
        except Unavailable:
            self._engine_answers = False
            return None
        if directory is None:
            return None
        known = _Known(directory, Members(self._proc, self._uptime))
        self._known[container.id] = known
        return known

    def _cpu(self, directory: str) -> float | None:
        try:
            if self._cgroups.version == 1:
                return int(read_kernel(f"{directory}/cpuacct.usage")) / 1e9
            for line in read_kernel(f"{directory}/cpu.stat").splitlines():
                if line.startswith(b"usage_usec "):
                    return int(line.split()[1]) / 1e6
        except (OSError, ValueError):
            pass
        return None

    def _network(self, known: _Known) -> int | None:
        first = known.members.first
        if first is None:
            return None
        try:
            if known.own_network[0] != first:
                known.own_network = (first, self._has_own_network(first))
            if not known.own_network[1]:
                return None
            return bytes_moved(read_kernel(f"{self._proc}/{first}/net/dev"))
        except (OSError, ValueError):
            return None

    def _has_own_network(self, first: int) -> bool:
        """Whether it is not the host's, nor the engine's, whose child started it."""
        parent = process_stat(self._proc, first).parent
        theirs = {read_link(f"{self._proc}/self/ns/net")}
        for other in (1, parent):
            with suppress(OSError):  # a kernel that hides those from root: this process' will do
                theirs.add(read_link(f"{self._proc}/{other}/ns/net"))
        return read_link(f"{self._proc}/{first}/ns/net") not in theirs

    def _forget(self, before: float) -> None:
        for gone in [each for each, known in self._known.items() if known.asked_at < before]:
            del self._known[gone]


def _sessions(members: Members, content: bytes) -> int | None:
    try:
        return members.look(content)
    except (OSError, ValueError):
        members.first = None  # all are read again at the next look
        return None
