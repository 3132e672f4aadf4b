"""What the kernel counts, and processes in containers, in memory."""

import signal as signals
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from ds01_spawner.domain.activity import ContainerSample
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import InvalidRequest, Unavailable

_QUIET = ContainerSample(cpu_seconds=0.0, network_bytes=0, sessions=0)


class FakeActivityProbe:
    """The `ActivityProbe` port.

    Attributes:
        by_id: Counters of each container; those that are not here have used nothing.
        cpu: CPU seconds of each process; `None` cannot be read, and one that is not here is gone.
        blind: When set, nothing that the kernel counts can be read: every figure is `None`.
        pid_of: The first process of a container.
        asked: Ids of the containers of each call.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, ContainerSample] = {}
        self.cpu: dict[int, float | None] = {}
        self.blind = False
        self.pid_of: Callable[[str], int | None] = lambda _container_id: None
        self.asked: list[tuple[str, ...]] = []

    def samples(self, containers: Sequence[Container]) -> Mapping[str, ContainerSample]:
        live = [container.id for container in containers if container.state.is_live]
        self.asked.append(tuple(live))
        return {each: self._sample(each) for each in live}

    def cpu_seconds_of(self, pids: Collection[int]) -> float | None:
        found = [self.cpu[pid] for pid in set(pids) if pid in self.cpu]
        known = [seconds for seconds in found if seconds is not None]
        readable = len(known) == len(found) and not (self.blind and found)
        return sum(known) if readable else None

    def _sample(self, container_id: str) -> ContainerSample:
        if self.blind:
            return ContainerSample()
        sample = self.by_id.get(container_id, _QUIET)
        return replace(sample, first_pid=self.pid_of(container_id))


class FakeContainerProcesses:
    """The `ContainerProcesses` port.

    Attributes:
        terminals: How many terminals are open in each container, by id.
        handlers: How many processes of a container handle a signal, by id and signal.
        written: (container id, text) of every text shown, where there was a terminal or not.
        signals: (container id, signal) of every signal sent, where any handled it or not.
        stuck: When set, every call raises `Unavailable`.
        on_write: What a text on a terminal does besides.
    """

    def __init__(self) -> None:
        self.on_write: Callable[[], None] = lambda: None
        self.terminals: dict[str, int] = {}
        self.handlers: dict[tuple[str, str], int] = {}
        self.written: list[tuple[str, str]] = []
        self.signals: list[tuple[str, str]] = []
        self.stuck = False

    def write_to_terminals(self, container: Container, text: str) -> int:
        self._check()
        self.written.append((container.id, text))
        self.on_write()
        return self.terminals.get(container.id, 0) if container.state.is_live else 0

    def send_signal(self, container: Container, signal: str) -> int:
        self._check()
        if signal not in signals.Signals.__members__ or signal in {"SIGKILL", "SIGSTOP"}:
            raise InvalidRequest(f"{signal!r} is not a signal that a process can handle.")
        self.signals.append((container.id, signal))
        handlers = self.handlers.get((container.id, signal), 0)
        return handlers if container.state.is_live else 0

    def _check(self) -> None:
        if self.stuck:
            raise Unavailable("The container's processes cannot be reached.")
