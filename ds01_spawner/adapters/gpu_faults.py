"""Errors of GPUs that the driver writes into the kernel's log, by number: `Xid`.

https://docs.nvidia.com/deploy/xid-errors/, https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg
"""

import os
import re
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from ds01_spawner.adapters.cgroups.kernel_log import records
from ds01_spawner.domain.errors import Unavailable

_XID = re.compile(
    r"NVRM: Xid \((?:PCI:)?(?P<domain>[0-9a-f]{4,8}):(?P<bus>[0-9a-f]{2}):(?P<device>[0-9a-f]{2})"
    r"(?:\.[0-9a-f])?\): (?P<xid>\d{1,5})\b",
    re.IGNORECASE,
)
_FACILITY_SHIFT = 3
_MOST = 4096


class GpuFaults:
    """Counts them, since the kernel's log begins.

    Args:
        device: The log.
    """

    def __init__(self, device: Path = Path("/dev/kmsg")) -> None:
        self._device = device
        self._descriptor: int | None = None
        self._counts: Counter[tuple[str, int]] = Counter()

    def counts(self) -> Mapping[tuple[str, int], int]:
        """How often each card (as the kernel calls its place, `0000:01:00`) had which error.

        Raises:
            Unavailable: The log cannot be read.
        """
        try:
            if self._descriptor is None:
                flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
                self._descriptor = os.open(self._device, flags)
                weakref.finalize(self, os.close, self._descriptor)
            for key in found(records(self._descriptor)):
                if key in self._counts or len(self._counts) < _MOST:
                    self._counts[key] += 1
        except OSError as exc:
            raise Unavailable(
                f"The kernel's log {self._device} cannot be read: {exc.strerror}.",
                "It takes root, or CAP_SYSLOG.",
            ) from exc
        return dict(self._counts)


def found(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    """Place and number of each error in records of `/dev/kmsg`."""
    for line in lines:
        prefix, _, text = line.partition(";")
        priority = prefix.partition(",")[0]
        if not priority.isdigit() or int(priority) >> _FACILITY_SHIFT:
            continue  # written by a program, not by the kernel
        match = _XID.match(text)
        if match is not None:
            domain, bus, device = (int(match[name], 16) for name in ("domain", "bus", "device"))
            yield f"{domain:04x}:{bus:02x}:{device:02x}", int(match["xid"])
