"""The `UsageProbe` port on cgroup files and /proc: the engine takes a second for each reading."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from ds01_spawner.adapters.activity.kernel_text import Roots, read_kernel
from ds01_spawner.adapters.activity.locating import ContainerCgroups
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.ports import Engine, EngineInfo
from ds01_spawner.ports.usage import ContainerUsage

_T = TypeVar("_T")
_NO_LIMIT = 2**60
"""Above this, cgroup v1 means that there is none."""

_RECEIVED, _SENT = 0, 8
_SSH_SERVERS = frozenset({b"sshd", b"sshd-session"})


class KernelUsage:
    """Safe to use from many threads.

    Args:
        info: Says where the engine puts cgroups.
        engine: Asked for a container that is in none of the places expected.
        roots: Where the kernel's file systems are mounted.
    """

    def __init__(self, info: EngineInfo, engine: Engine, roots: Roots = Roots()) -> None:  # noqa: B008
        self._cgroups = ContainerCgroups(info, engine, roots)
        self._roots = roots

    def usage(self, containers: Sequence[Container]) -> Mapping[str, ContainerUsage]:
        """As the port says."""
        return {key: self._used(directory) for key, directory in self._running(containers)}

    def work(self, containers: Sequence[Container]) -> Mapping[str, ContainerUsage]:
        """As the port says."""
        found = {}
        for key, directory in self._running(containers, ask=False):
            usage = ContainerUsage(
                cpu_seconds=_known(partial(self._cpu, directory)),
                memory_bytes=_known(partial(self._memory, directory)),
            )
            if usage.cpu_seconds is not None or usage.memory_bytes is not None:
                found[key] = usage
        return found

    def ssh_sessions(self, containers: Sequence[Container]) -> Mapping[str, int]:
        """As the port says."""
        counted = (
            (key, _known(partial(self._sessions, directory)))
            for key, directory in self._running(containers)
        )
        return {key: count for key, count in counted if count is not None}

    def _running(
        self, containers: Sequence[Container], *, ask: bool = True
    ) -> Iterator[tuple[str, str]]:
        """Id and folder of each that has one."""
        for container in containers:
            if not container.state.is_live:
                continue
            try:
                directory = self._cgroups.find(container, ask=ask)
            except Unavailable:
                continue
            if directory is not None:
                yield container.id, directory

    def _used(self, directory: str) -> ContainerUsage:
        rx, tx = _known(lambda: self._network(directory)) or (None, None)
        if self._cgroups.version == 1:
            memory, pids = self._beside(directory, "memory"), self._beside(directory, "pids")
            limit = "memory.limit_in_bytes"
        else:
            memory = pids = directory
            limit = "memory.max"
        bound = _known(lambda: int(read_kernel(f"{memory}/{limit}")))  # `max` is no number
        return ContainerUsage(
            cpu_seconds=_known(lambda: self._cpu(directory)),
            memory_bytes=_known(lambda: self._memory(directory)),
            memory_limit_bytes=None if bound is None or bound >= _NO_LIMIT else bound,
            pids=_known(lambda: int(read_kernel(f"{pids}/pids.current"))),
            rx_bytes=rx,
            tx_bytes=tx,
            ssh_sessions=_known(lambda: self._sessions(directory)),
        )

    def _sessions(self, directory: str) -> int:
        """SSH servers whose parent is none: one for each connection, whatever it forks.

        It goes by their names, which programs choose: it is told, and decides nothing.
        """
        servers: dict[int, int] = {}
        for word in read_kernel(f"{directory}/cgroup.procs").split():
            try:
                text = read_kernel(f"{self._roots.proc}/{int(word)}/stat")
            except OSError:  # it has ended
                continue
            name, _, rest = text.rpartition(b")")
            if name.partition(b"(")[2] in _SSH_SERVERS:
                servers[int(word)] = int(rest.split()[1])
        return sum(parent not in servers for parent in servers.values())

    def _memory(self, directory: str) -> int:
        """In use, without what the kernel can take back at once."""
        if self._cgroups.version == 1:
            directory = self._beside(directory, "memory")
            used, idle = "memory.usage_in_bytes", b"total_inactive_file "
        else:
            used, idle = "memory.current", b"inactive_file "
        in_use = int(read_kernel(f"{directory}/{used}"))
        return max(0, in_use - _line(read_kernel(f"{directory}/memory.stat"), idle))

    def _cpu(self, directory: str) -> float:
        if self._cgroups.version == 1:
            return int(read_kernel(f"{directory}/cpuacct.usage")) / 1e9
        return _line(read_kernel(f"{directory}/cpu.stat"), b"usage_usec ") / 1e6

    def _beside(self, directory: str, controller: str) -> str:
        """The same cgroup below another controller of cgroup v1."""
        tree, _, rest = directory.removeprefix(f"{self._roots.cgroup}/").partition("/")
        return f"{self._roots.cgroup}/{controller}/{rest}" if tree else directory

    def _network(self, directory: str) -> tuple[int, int]:
        """Bytes over every interface of the first process but loopback."""
        first = int(read_kernel(f"{directory}/cgroup.procs").split()[0])
        received = sent = 0
        for line in read_kernel(f"{self._roots.proc}/{first}/net/dev").splitlines()[2:]:
            name, _, figures = line.rpartition(b":")
            if name.strip() != b"lo":
                columns = figures.split()
                received += int(columns[_RECEIVED])
                sent += int(columns[_SENT])
        return received, sent


def _known(read: Callable[[], _T]) -> _T | None:
    """What `read` gives; `None` where the kernel does not tell."""
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return None


def _line(text: bytes, begin: bytes) -> int:
    """The figure on the line that begins so.

    Raises:
        ValueError: There is no such line.
    """
    place = (b"\n" + text).find(b"\n" + begin)
    if place < 0:
        raise ValueError(f"no line {begin!r}")
    return int(text[place + len(begin) :].partition(b"\n")[0])
