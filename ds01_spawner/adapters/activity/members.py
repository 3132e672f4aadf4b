"""The processes of a container, and who of them came from outside.

The engine starts a container's first process, and every exec, as a child of a process outside the
container (`containerd-shim`). Whatever these start has its parent inside, also after a double
fork: orphans go to the first process of the container's pid namespace. So a process whose parent
is outside is the first one or an exec: `docker exec`, `sshd -i` through it, a health check.
"""

import errno
import os
from collections.abc import Callable

from ds01_spawner.adapters.activity.kernel_text import (
    ProcessStat,
    exists,
    is_gone,
    process_stat,
    read_kernel,
    read_link,
)

HEALTH_CHECK_SECONDS = 30.0
"""How long the engine lets a health check run by default. It looks like `docker exec` without
terminal and input, so such a one counts as a session only when it is older."""

_MOST_CGROUPS = 256
_LINKS_OF_LEAF = 2


def listed(directory: str) -> bytes:
    """Process ids in a cgroup and those below it, one a line.

    Raises:
        OSError: They cannot be read, or there are more than any container should have.
    """
    content = read_kernel(f"{directory}/cgroup.procs")
    # Each cgroup below is one more link. Few containers have any: those that run containers.
    if os.stat(directory).st_nlink <= _LINKS_OF_LEAF:  # noqa: PTH116 - a pass looks at hundreds
        return content
    return content + b"".join(_below(directory))


def _below(directory: str) -> list[bytes]:
    contents: list[bytes] = []
    waiting = [directory]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            found = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        if len(contents) + len(found) > _MOST_CGROUPS:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG), directory)
        for each in found:
            try:
                contents.append(read_kernel(f"{each}/cgroup.procs"))
            except OSError as exc:
                # Of a threaded cgroup the one above lists the processes.
                if not is_gone(exc) and exc.errno != errno.EOPNOTSUPP:
                    raise
        waiting += found
    return contents


class Members:
    """Who is in one container, remembered from look to look.

    What a process is never changes, so only new ones are read, and those from outside again.

    Args:
        proc: Where /proc is mounted.
        uptime: Seconds since the machine's start.

    Attributes:
        first: Process id of the container's first process; `None` when it cannot be told.
    """

    def __init__(self, proc: str, uptime: Callable[[], float]) -> None:
        self._proc = proc
        self._uptime = uptime
        self._content = b""
        self._inside: set[int] = set()
        self._outside: set[int] = set()
        self.first: int | None = None

    def look(self, content: bytes) -> int | None:
        """Sessions among the processes that `listed` gave, or `None` when it cannot be told.

        Raises:
            OSError: A process cannot be read.
            ValueError: What is read of one makes no sense.
        """
        if content != self._content:
            self._content = b""
            self._sort(content)
            self._content = content
        if self.first is None:
            return None
        return sum(self._is_session(pid) for pid in self._outside) if self._outside else 0

    def _sort(self, content: bytes) -> None:
        pids = {int(word) for word in content.split()}
        if self.first not in pids:
            self.first = None
            self._inside.clear()
            self._outside.clear()
        self._inside &= pids
        self._outside &= pids
        born_outside: dict[int, ProcessStat] = {}
        for pid in pids - self._inside - self._outside - {self.first}:
            stat = self._stat(pid)
            if stat is None:
                continue
            if stat.parent in pids:
                self._inside.add(pid)
            else:
                born_outside[pid] = stat
        if self.first is None and born_outside:
            # Nothing enters a container before its first process is there.
            eldest = min(born_outside, key=lambda pid: (born_outside[pid].started_seconds, pid))
            if not born_outside.pop(eldest).is_dead:
                self.first = eldest
        self._outside |= born_outside.keys()

    def _is_session(self, pid: int) -> bool:
        stat = self._stat(pid)
        if stat is None or stat.is_dead:
            return False
        young = self._uptime() - stat.started_seconds < HEALTH_CHECK_SECONDS
        return not (young and not stat.terminal and self._has_no_input(pid))

    def _has_no_input(self, pid: int) -> bool:
        try:
            return read_link(f"{self._proc}/{pid}/fd/0") == "/dev/null"
        except OSError:
            return False

    def _stat(self, pid: int) -> ProcessStat | None:
        try:
            return process_stat(self._proc, pid)
        except OSError as exc:
            if is_gone(exc) and not exists(pid):
                return None
            raise
