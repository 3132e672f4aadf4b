"""Small files of the kernel, read fast and never without a bound.

Paths are strings: making a `Path` costs as much as reading the file, and a pass reads hundreds.
"""

import errno
import os
from typing import NamedTuple

_MOST_BYTES = 256 * 1024
_CHUNK_BYTES = 16 * 1024
_GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV})
_RECEIVED, _SENT = 0, 8
"""Columns of `/proc/<pid>/net/dev`: https://man7.org/linux/man-pages/man5/proc_pid_net.5.html"""
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Roots(NamedTuple):
    """Where the kernel's file systems are mounted."""

    cgroup: str = "/sys/fs/cgroup"
    proc: str = "/proc"


class ProcessStat(NamedTuple):
    """Of `/proc/<pid>/stat`, what DS01 needs.

    Attributes:
        state: One letter; `Z` is a zombie.
        parent: Process id of the parent, 0 when it is not visible from here.
        terminal: Device number of the controlling terminal, or 0.
        cpu_seconds: CPU time in user and kernel mode, its threads included.
        started_seconds: Start, in seconds since the machine's.
    """

    state: str
    parent: int
    terminal: int
    cpu_seconds: float
    started_seconds: float

    @property
    def is_dead(self) -> bool:
        """Whether only its exit code is left."""
        return self.state in "ZXx"


def read_kernel(path: str, dir_fd: int | None = None) -> bytes:
    """The whole content.

    Raises:
        OSError: It cannot be read, or is larger than any such file should be (`EFBIG`).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        content = b""
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return content
    finally:
        os.close(descriptor)


def read_link(path: str) -> str:
    """Where a symbolic link of /proc leads, as text; it is not followed.

    Raises:
        OSError: It cannot be read.
    """
    return os.readlink(path)  # noqa: PTH115 - text, and fast


def is_gone(exc: OSError) -> bool:
    """Whether the file could not be read because its process or cgroup has ended."""
    return exc.errno in _GONE


def exists(pid: int) -> bool:
    """Whether there is such a process, though /proc may hide it from this one (`hidepid`)."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def process_stat(proc: str, pid: int) -> ProcessStat:
    """What the kernel says of a process.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not what a kernel writes.
    """
    text = read_kernel(f"{proc}/{pid}/stat")
    # The name stands in parentheses and may hold spaces and parentheses itself.
    fields = text[text.rfind(b")") + 1 :].split()
    try:
        return ProcessStat(
            state=fields[0].decode("ascii"),
            parent=int(fields[1]),
            terminal=int(fields[4]),
            cpu_seconds=(int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND,
            started_seconds=int(fields[19]) / TICKS_PER_SECOND,
        )
    except IndexError as exc:
        raise ValueError(f"{proc}/{pid}/stat is cut short.") from exc


def bytes_moved(net_dev: bytes) -> int:
    """Bytes received and sent over every interface but loopback.

    Raises:
        ValueError: It is not what a kernel writes.
    """
    total = 0
    for line in net_dev.splitlines()[2:]:
        name, _, figures = line.rpartition(b":")
        if name.strip() == b"lo":
            continue
        columns = figures.split()
        try:
            total += int(columns[_RECEIVED]) + int(columns[_SENT])
        except IndexError as exc:
            raise ValueError("A line of /proc/<pid>/net/dev is cut short.") from exc
    return total
