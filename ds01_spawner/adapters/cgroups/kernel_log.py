"""Out-of-memory kills as the kernel log tells them: whose bound, which container, which process.

Counters cannot: cgroup v1 counts a kill only in the container's own cgroup, which vanishes with
the container, and v2 does not say which container it was.
https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg
"""

import errno
import os
import re
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_RECORD_BYTES = 8192
_KIB = 1024
_FACILITY_SHIFT = 3
_USED = re.compile(r"^memory: usage (?P<used>\d+)kB, limit (?P<limit>\d+)kB")
_KILL = re.compile(
    r"^oom-kill:constraint=\w+,.*?,(?:oom_memcg=(?P<bound>[^,]*)|global_oom)"
    r",task_memcg=(?P<task>[^,]*),task=(?P<process>.*),pid=(?P<pid>\d+),uid=\d+$"
)


@dataclass(frozen=True, slots=True)
class LoggedKill:
    """One kill.

    Attributes:
        bound: Path of the cgroup whose memory was full; `None` for the whole machine's.
        task: Path of the cgroup of the process.
        process: Its command name.
        pid: Its process id.
        used_bytes: Memory in use below the bound, where it was logged.
        limit_bytes: The bound, where it was logged.
    """

    bound: str | None
    task: str
    process: str
    pid: int
    used_bytes: int | None
    limit_bytes: int | None


class KernelLog:
    """The kernel's message buffer. It stays open, so that no record is read twice."""

    def __init__(self, device: Path = Path("/dev/kmsg")) -> None:
        self._device = device
        self._reader: _Reader | None = None

    def kills_after(self, sequence: int) -> tuple[int, tuple[LoggedKill, ...]] | None:
        """The last record's sequence number and the kills after `sequence`.

        `None` where the log cannot be read, as in a container or without root.
        """
        reader, self._reader = self._reader, None
        try:
            if reader is None or reader.sequence != sequence:
                reader = _Reader(self._device)
            found = parse(records(reader.descriptor), sequence)
        except OSError:
            return None
        reader.sequence = found[0]
        self._reader = reader
        return found


class _Reader:
    """A place in the log, just after the record with the number `sequence`."""

    def __init__(self, device: Path) -> None:
        self.sequence: int | None = None
        self.descriptor = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.descriptor)


def parse(records: Iterable[str], sequence: int) -> tuple[int, tuple[LoggedKill, ...]]:
    """The last sequence number and the kills after `sequence`, from records of `/dev/kmsg`."""
    kills = []
    last = sequence
    used: int | None = None
    limit: int | None = None
    for record in records:
        prefix, _, text = record.partition(";")
        fields = prefix.split(",")
        if len(fields) < 2 or not fields[0].isdigit():  # noqa: PLR2004 - priority, sequence
            continue
        if int(fields[1]) <= sequence:
            continue
        last = int(fields[1])
        if int(fields[0]) >> _FACILITY_SHIFT:  # written by a program, not by the kernel
            continue
        message = text.split("\n", 1)[0]
        if figures := _USED.match(message):
            used, limit = int(figures["used"]) * _KIB, int(figures["limit"]) * _KIB
        elif kill := _KILL.match(message):
            whole_machine = kill["bound"] is None
            kills.append(
                LoggedKill(
                    bound=kill["bound"],
                    task=kill["task"],
                    process=kill["process"],
                    pid=int(kill["pid"]),
                    used_bytes=None if whole_machine else used,
                    limit_bytes=None if whole_machine else limit,
                )
            )
            used = limit = None
    return last, tuple(kills)


def records(descriptor: int) -> Iterator[str]:
    """What the log has from the descriptor's place on, one record each; does not wait for more.

    Raises:
        OSError: It cannot be read.
    """
    while True:
        try:
            record = os.read(descriptor, _RECORD_BYTES)
        except BlockingIOError:
            return
        except OSError as exc:
            if exc.errno == errno.EPIPE:  # overwritten while reading; the next one is there
                continue
            raise
        if not record:
            return
        yield record.decode("utf-8", "replace")
