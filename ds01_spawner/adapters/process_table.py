"""The `ProcessTable` port on /proc."""

import os
import signal as signals
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from ds01_spawner.adapters.activity.kernel_text import TICKS_PER_SECOND, is_gone, read_kernel
from ds01_spawner.adapters.activity.probe import seconds_up
from ds01_spawner.adapters.user_namespace import maker_of
from ds01_spawner.domain.attribution import ProcessFacts

_DEAD = b"ZXx"
_STATE, _THREADS, _START = 0, 17, 19
"""Fields of `stat` behind the name: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""

_MOST_THREADS = 16
_CGROUP = "cgroup"


class KernelProcessTable:
    """Who processes are. Needs root to see everybody's, where /proc hides them (`hidepid`).

    Args:
        proc: Where /proc is mounted.
        uptime: Seconds since the machine's start.
    """

    def __init__(self, proc: str = "/proc", uptime: Callable[[], float] = seconds_up) -> None:
        self._proc = proc
        self._uptime = uptime

    def seconds_up(self) -> float:
        """Seconds since the machine's start."""
        return self._uptime()

    def look(self, pids: Collection[int]) -> Mapping[int, ProcessFacts]:
        """Who each of these is; one that has ended, or of which only the exit code is left, is not.

        The folder of a process is opened once and all is read through it: when the process ends
        and its id is given to another one, it leads nowhere.
        """
        found = {}
        for pid in set(pids):
            facts = self._facts(pid) if pid > 0 else None
            if facts is not None:
                found[pid] = facts
        return found

    def signal(self, pid: int, started_seconds: float, number: int) -> bool:
        """Send a signal to the process of that id and start; whether there was one to send it to.

        The folder in /proc is as good as a pidfd: it stays with its process.
        https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html
        """
        try:
            folder = os.open(f"{self._proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            facts = _read(pid, folder)
            if facts is None or facts.started_seconds != started_seconds:
                return False
            signals.pidfd_send_signal(folder, signals.Signals(number))
        except OSError:
            return False
        finally:
            os.close(folder)
        return True

    def _facts(self, pid: int) -> ProcessFacts | None:
        try:
            folder = os.open(f"{self._proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            return None if is_gone(exc) else ProcessFacts(pid)
        try:
            return _read(pid, folder)
        except OSError:
            return None  # it ended while it was read
        finally:
            os.close(folder)


def _read(pid: int, folder: int) -> ProcessFacts | None:
    """What its files say.

    Raises:
        OSError: It has ended.
    """
    started, name = None, None
    is_headless = False
    stat = _text("stat", folder)
    if stat is not None:
        # The name stands in parentheses and may hold spaces and parentheses itself.
        begin, end = stat.find(b"("), stat.rfind(b")")
        fields = stat[end + 1 :].split()
        if 0 < begin < end and len(fields) > _START and fields[_START].isdigit():
            is_headless = fields[_STATE] in _DEAD
            if is_headless and (not fields[_THREADS].isdigit() or int(fields[_THREADS]) <= 1):
                return None
            started = int(fields[_START]) / TICKS_PER_SECOND
            name = _printable(stat[begin + 1 : end])
    cgroup = _cgroups_of_threads(folder) if is_headless else _text(_CGROUP, folder)
    return ProcessFacts(
        pid=pid,
        started_seconds=started,
        uid=_real_uid(_text("status", folder)),
        name=name,
        cgroup=cgroup.decode("utf-8", "replace") if cgroup else None,
        namespace_uid=maker_of(folder),
    )


def _cgroups_of_threads(folder: int) -> bytes:
    """Where a process runs of which the first thread has ended, and others go on.

    Of a thread that has ended the kernel says `/` (cgroup v1). All threads of a process are in one
    container.
    """
    found = []
    with suppress(OSError):
        tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            for thread in os.listdir(tasks)[-_MOST_THREADS:]:  # noqa: PTH208 - of a descriptor
                with suppress(OSError):
                    found.append(read_kernel(f"{thread}/{_CGROUP}", dir_fd=tasks))
        finally:
            os.close(tasks)
    return b"\n".join(found)


def _text(name: str, folder: int) -> bytes | None:
    """A file of a process, or `None` where it cannot be read though the process lives.

    Raises:
        OSError: The process has ended.
    """
    try:
        return read_kernel(name, dir_fd=folder)
    except OSError as exc:
        if is_gone(exc) and not _lives(folder):
            raise
        return None


def _lives(folder: int) -> bool:
    try:
        read_kernel("stat", dir_fd=folder)
    except OSError as exc:
        return not is_gone(exc)
    return True


def _real_uid(status: bytes | None) -> int | None:
    place = (status or b"").find(b"\nUid:")
    if place < 0 or status is None:
        return None
    words = status[place + 5 : place + 64].split(maxsplit=1)
    return int(words[0]) if words and words[0].isdigit() else None


def _printable(name: bytes) -> str:
    """A program's name as its person chose it, fit to be shown."""
    text = name.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
