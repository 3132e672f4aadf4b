"""The `ContainerProcesses` port: terminals and signals, reached from outside."""

import os
import signal as signals
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ds01_spawner.adapters.activity.kernel_text import Roots, read_kernel
from ds01_spawner.adapters.activity.locating import ContainerCgroups
from ds01_spawner.adapters.activity.members import listed
from ds01_spawner.adapters.activity.terminals import payload_of, write_to_terminals_of
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.ports import Engine, EngineInfo

MOST_PROCESSES = 4096
MOST_TERMINALS = 64
_BATCH = 64
_DEAD = (b"Z", b"X")
_NEVER_HANDLED = frozenset({"SIGKILL", "SIGSTOP"})


class KernelProcesses:
    """The processes of running containers. Needs root.

    Args:
        info: Says where the engine puts cgroups.
        engine: Asked for a container that is in none of the places expected.
        roots: Where the kernel's file systems are mounted.
    """

    def __init__(
        self,
        info: EngineInfo,
        engine: Engine,
        roots: Roots = Roots(),  # noqa: B008 - immutable
    ) -> None:
        self._cgroups = ContainerCgroups(info, engine, roots)
        self._proc = roots.proc

    def write_to_terminals(self, container: Container, text: str) -> int:
        """Show `text` on each terminal once; how many took it. One that is stopped is left out."""
        payload = payload_of(text)
        seen: set[tuple[int, int]] = set()
        written = 0
        for batch in self._batches(container):
            with self._held(container, batch) as processes:
                for process in processes:
                    written += write_to_terminals_of(process, payload, seen)
                    if len(seen) >= MOST_TERMINALS:
                        return written
        return written

    def send_signal(self, container: Container, signal: str) -> int:
        """Send a signal to those that have a handler for it; how many were sent it.

        Raises:
            InvalidRequest: There is no such signal, or it cannot be handled.
        """
        number = _number_of(signal)
        sent = 0
        for batch in self._batches(container):
            with self._held(container, batch) as processes:
                sent += sum(_signalled(process, number) for process in processes)
        return sent

    def _batches(self, container: Container) -> Iterator[list[int]]:
        pids = sorted(self._pids(container))[:MOST_PROCESSES]
        for start in range(0, len(pids), _BATCH):
            yield pids[start : start + _BATCH]

    @contextmanager
    def _held(self, container: Container, pids: list[int]) -> Iterator[list[int]]:
        """Descriptors of the folders in /proc of those that are certainly in the container.

        A descriptor stays with its process: when that ends and its id is given to another one, it
        leads nowhere. So it is opened first, and then the id is looked up in the container again.
        """
        with ExitStack() as stack:
            opened = {}
            for pid in pids:
                try:
                    opened[pid] = os.open(
                        f"{self._proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                    )
                except OSError:
                    continue
                stack.callback(os.close, opened[pid])
            still = self._pids(container)
            yield [descriptor for pid, descriptor in opened.items() if pid in still]

    def _pids(self, container: Container) -> set[int]:
        directory = self._cgroups.find(container) if container.state.is_live else None
        if directory is None:
            return set()
        try:
            return {int(word) for word in listed(directory).split()} - {0}
        except (OSError, ValueError):
            return set()


def _number_of(name: str) -> signals.Signals:
    found = signals.Signals.__members__.get(name)
    if found is None or name in _NEVER_HANDLED:
        raise InvalidRequest(
            f"{name!r} is not a signal that a process can handle.", "Use SIGUSR1 or SIGUSR2."
        )
    return found


def _signalled(process: int, number: signals.Signals) -> bool:
    """Whether it was sent: a folder in /proc is as good as a pidfd, and signals no other process.

    https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html
    """
    try:
        if not _handles(process, number):
            return False
        signals.pidfd_send_signal(process, number)
    except (OSError, ValueError):
        return False
    return True


def _handles(process: int, number: signals.Signals) -> bool:
    for line in read_kernel("status", dir_fd=process).splitlines():
        if line.startswith(b"State:") and line.split()[1] in _DEAD:
            return False  # its handlers are still listed
        if line.startswith(b"SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False
