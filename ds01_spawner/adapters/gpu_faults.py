"""Errors of GPUs that the driver writes into the kernel's log, by number: `Xid`.

https://docs.nvidia.com/deploy/xid-errors/, https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg

The log is a ring: what is old goes. So what was counted, and up to which line, is in a file,
and a new process goes on from there.
"""

import json
import logging
import os
import re
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ds01_spawner.adapters.cgroups.kernel_log import records
from ds01_spawner.domain.card_health import FaultCount
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.work import PassMark
from ds01_spawner.ports import Clock

FaultKey = tuple[str, int]
"""Where a card is, as the kernel calls it (`0000:01:00`), and the error's number."""

_XID = re.compile(
    r"NVRM: Xid \((?:PCI:)?(?P<domain>[0-9a-f]{4,8}):(?P<bus>[0-9a-f]{2}):(?P<device>[0-9a-f]{2})"
    r"(?:\.[0-9a-f])?\): (?P<xid>\d{1,5})\b",
    re.IGNORECASE,
)
_FACILITY_SHIFT = 3
_MOST = 4096

_log = logging.getLogger("ds01.exporter")


@dataclass(frozen=True, slots=True)
class Fault:
    """A line of the log.

    Attributes:
        sequence: The line's number, since the machine began.
        uptime: When it was written, since the machine began.
        key: Which card, and which error.
    """

    sequence: int
    uptime: timedelta
    key: FaultKey


@dataclass(slots=True)
class _Book:
    """What was counted.

    Attributes:
        boot_id: Whose lines `sequence` numbers.
        sequence: The last that was counted; -1 before any.
        counts: Errors so far.
    """

    boot_id: str = ""
    sequence: int = -1
    counts: dict[FaultKey, FaultCount] = field(default_factory=dict)

    def goes_on(self, boot_id: str) -> None:
        """Lines are of this boot from here on."""
        if self.boot_id != boot_id:
            self.boot_id, self.sequence = boot_id, -1

    def add(self, fault: Fault, at: datetime) -> None:
        """One more."""
        self.sequence = fault.sequence
        before = self.counts.get(fault.key)
        if before is not None:
            self.counts[fault.key] = FaultCount(before.count + 1, max(before.last_at, at))
        elif len(self.counts) < _MOST:
            self.counts[fault.key] = FaultCount(1, at)


class GpuFaults:
    """Counts them; also across restarts, where it may keep a file.

    Args:
        clock: The time.
        file: Where it is kept what was counted.
        device: The log.
    """

    def __init__(self, clock: Clock, file: Path, device: Path = Path("/dev/kmsg")) -> None:
        self._clock = clock
        self._file = file
        self._device = device
        self._descriptor: int | None = None
        self._close: Callable[[], object] = lambda: None
        self._book: _Book | None = None
        self._looked_at: datetime | None = None
        self._unkept = False

    def counts(self) -> Mapping[FaultKey, FaultCount]:
        """How often each card had which error, and when last.

        Raises:
            Unavailable: The log cannot be read.
        """
        mark = self._clock.mark()
        try:
            if self._descriptor is None:
                flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
                self._descriptor = os.open(self._device, flags)
                self._close = weakref.finalize(self, os.close, self._descriptor)
            faults = list(found(records(self._descriptor)))
        except OSError as exc:
            self._close()
            self._descriptor = None  # read from its beginning next time
            raise Unavailable(
                f"The kernel's log {self._device} cannot be read: {exc.strerror}.",
                "It takes root, or CAP_SYSLOG.",
            ) from exc
        if self._book is None:
            self._book = _kept(self._file)
        book = self._book
        book.goes_on(mark.boot_id)
        fresh = [each for each in faults if each.sequence > book.sequence]
        for fault in fresh:
            book.add(fault, self._moment(fault, mark))
        self._looked_at = mark.wall
        if fresh or self._unkept:
            self._keep(book)
        return dict(book.counts)

    def _moment(self, fault: Fault, mark: PassMark) -> datetime:
        """When it was, and not before the last look: over months the log's clock drifts."""
        told = mark.wall - timedelta(seconds=mark.uptime_seconds) + fault.uptime
        return min(max(told, self._looked_at or told), mark.wall)

    def _keep(self, book: _Book) -> None:
        """Write down what was counted; what cannot be now is at the next look."""
        try:
            _write(self._file, book)
        except OSError as exc:
            if not self._unkept:
                _log.warning("Counted XIDs are not kept in %s: %s", self._file, exc.strerror)
            self._unkept = True
        else:
            self._unkept = False


def found(lines: Iterable[str]) -> Iterable[Fault]:
    """Errors in records of `/dev/kmsg`."""
    for line in lines:
        prefix, _, text = line.partition(";")
        fields = prefix.split(",")
        if len(fields) < 3 or not all(each.isdigit() for each in fields[:3]):  # noqa: PLR2004
            continue
        if int(fields[0]) >> _FACILITY_SHIFT:
            continue  # written by a program, not by the kernel
        match = _XID.match(text)
        if match is not None:
            domain, bus, device = (int(match[name], 16) for name in ("domain", "bus", "device"))
            key = f"{domain:04x}:{bus:02x}:{device:02x}", int(match["xid"])
            yield Fault(int(fields[1]), timedelta(microseconds=int(fields[2])), key)


def _kept(file: Path) -> _Book:
    """What was counted before; nothing where that cannot be read."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        counts = {
            (str(place), int(xid)): FaultCount(
                _counted(count), datetime.fromtimestamp(last_at, UTC)
            )
            for place, xid, count, last_at in told["faults"]
        }
        return _Book(str(told["boot_id"]), int(told["sequence"]), counts)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as exc:
        _log.warning("XIDs are counted anew, %s cannot be read: %s", file, exc)
    return _Book()


def _counted(count: object) -> int:
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"a count of {count!r}")
    return count


def _write(file: Path, book: _Book) -> None:
    faults = [
        (place, xid, each.count, each.last_at.timestamp())
        for (place, xid), each in book.counts.items()
    ]
    told = {"boot_id": book.boot_id, "sequence": book.sequence, "faults": faults}
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(told, stream)
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
