"""What the two cgroup versions have in common: bounds and usage of a path, and writing them."""

import errno
from pathlib import Path
from typing import Protocol

from ds01_spawner.adapters.cgroups.bounds import Bounds, is_lower
from ds01_spawner.adapters.cgroups.control_files import ControlFiles
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits


class Hierarchy(Protocol):
    """The kernel's files of one cgroup version. Paths are relative to the root cgroup."""

    @property
    def version(self) -> int:
        """1 or 2."""
        ...

    @property
    def files(self) -> ControlFiles:
        """Where the files are read and written."""
        ...

    def directories(self, path: str) -> tuple[Path, ...]:
        """Every directory that this cgroup consists of."""
        ...

    def exists(self, path: str) -> bool:
        """Whether the cgroup exists under every controller that bounds it."""
        ...

    def create(self, path: str) -> None:
        """Make it, level by level, with the controllers that bound it."""
        ...

    def wanted(self, path: str, limits: AggregateLimits) -> Bounds:
        """The bounds that `limits` mean for an existing cgroup."""
        ...

    def read(self, path: str) -> Bounds:
        """The bounds in force; unlimited where there is no file."""
        ...

    def write(self, path: str, found: Bounds, wanted: Bounds) -> dict[str, str]:
        """Set what differs; the kernel's complaint by bound, for those that it did not take."""
        ...

    def file_of(self, path: str, bound: str) -> str:
        """The file that holds a bound, for messages."""
        ...

    def used(self, path: str) -> tuple[int | None, int | None]:
        """Memory in bytes and tasks in use."""
        ...

    def unreclaimable(self, path: str) -> int | None:
        """Bytes in use that the kernel cannot take back by dropping caches."""
        ...

    def kills(self, path: str) -> tuple[int, int] | None:
        """How often its memory bound was reached for good, and processes killed; v2 only."""
        ...


def hold_memory(hierarchy: Hierarchy, path: str, found: Bounds, wanted: Bounds) -> Bounds:
    """`wanted`, with the memory bounds as found when lowering them would kill what runs."""
    if not is_lower(wanted.memory, found.memory):
        return wanted
    used = hierarchy.unreclaimable(path)
    if used is None or wanted.memory is None or used <= wanted.memory:
        return wanted
    return Bounds(
        cpu_quota_us=wanted.cpu_quota_us,
        memory=found.memory,
        memory_high=wanted.memory_high,
        swap=found.swap,
        pids=wanted.pids,
    )


def not_taken(
    hierarchy: Hierarchy, path: str, found: Bounds, wanted: Bounds, complaints: dict[str, str]
) -> Unavailable:
    """The error for bounds that are not as wanted after writing."""
    parts = []
    for name in ("cpu_quota_us", "memory", "memory_high", "swap", "pids"):
        have, want = getattr(found, name), getattr(wanted, name)
        if have == want:
            continue
        why = complaints.get(name, "")
        if name == "memory" and is_lower(want, have) and not why:
            why = f"{hierarchy.used(path)[0]} bytes are in use"
        parts.append(
            f"{hierarchy.file_of(path, name)}: wanted {_shown(want)}, found {_shown(have)}"
            + (f" ({why})" if why else "")
        )
    return Unavailable(
        f"The kernel did not take every bound of the cgroup {path}: {'; '.join(parts)}.",
        "The bounds found stay in force. A memory bound can be lowered once less memory is in use:"
        " stop a container of this person, then try again.",
    )


def refused_access(path: Path | str, exc: OSError) -> Unavailable:
    """The error for a cgroup that cannot be made, read or written at all."""
    if exc.errno in {errno.EACCES, errno.EPERM}:
        next_step = "The service that starts containers needs root: cgroups belong to it."
    elif exc.errno == errno.EROFS:
        next_step = "The cgroup file system is mounted read-only: mount it read-write."
    elif exc.errno in {errno.ENOSPC, errno.ENOMEM}:
        next_step = "The kernel is out of cgroups or memory: remove unused cgroups."
    else:
        next_step = "See that the cgroup file system is mounted and try again."
    return Unavailable(f"The cgroup file {path} cannot be used: {exc.strerror or exc}.", next_step)


def _shown(value: int | None) -> str:
    return "unlimited" if value is None else str(value)


def number(text: str | None) -> int | None:
    """The number in a control file, `None` for `max`, an empty or an absent file."""
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def table(text: str | None) -> dict[str, int]:
    """A flat keyed file such as `memory.stat`."""
    rows = (line.split() for line in (text or "").splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2}  # noqa: PLR2004 - key and value
