"""cgroup v1: one tree for each controller.

https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
"""

import errno
from functools import lru_cache
from pathlib import Path

from ds01_spawner.adapters.cgroups.bounds import (
    CPU_PERIOD_US,
    PAGE_BYTES,
    Bounds,
    is_lower,
    quota_of,
    whole_pages,
)
from ds01_spawner.adapters.cgroups.control_files import ControlFiles
from ds01_spawner.adapters.cgroups.hierarchy import number, refused_access, table
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits

CONTROLLERS = ("cpu", "memory", "pids")
_UNLIMITED_BYTES = (2**63 - 1) // PAGE_BYTES * PAGE_BYTES
_FILES = {
    "cpu_quota_us": ("cpu", "cpu.cfs_quota_us"),
    "memory": ("memory", "memory.limit_in_bytes"),
    "swap": ("memory", "memory.memsw.limit_in_bytes"),
    "pids": ("pids", "pids.max"),
}
_RECLAIMABLE = ("total_inactive_file", "total_active_file")


class HierarchyV1:
    """The controllers' trees below `root`; several controllers may share one (`cpu,cpuacct`)."""

    version = 1

    def __init__(self, files: ControlFiles, root: Path) -> None:
        self.files = files
        self._root = root
        self._mounts = {name: self._mount(name) for name in CONTROLLERS}

    def _mount(self, controller: str) -> Path | None:
        if self.files.exists(self._root / controller):
            return self._root / controller
        names = self.files.children(self._root)
        shared = [name for name in names if controller in name.split(",")]
        return self._root / shared[0] if shared else None

    def directories(self, path: str) -> tuple[Path, ...]:
        """One for each mounted tree, those of controllers that bound nothing included."""
        places = (self._root / name / path for name in self.files.children(self._root))
        return tuple(place for place in places if self.files.exists(place))

    def exists(self, path: str) -> bool:
        """Whether cpu, memory and pids all have it."""
        return all(
            mount is not None and self.files.exists(_below(mount, path))
            for mount in self._mounts.values()
        )

    def create(self, path: str) -> None:
        """Make every level in each tree, with hierarchical accounting of memory."""
        for controller, mount in self._mounts.items():
            if mount is None:
                raise Unavailable(
                    f"The cgroup controller {controller} is not mounted below {self._root}, so"
                    " the limits of all containers of a person cannot be enforced.",
                    "Enable it on the kernel command line and mount it.",
                )
            directory = mount
            for level in path.split("/"):
                directory /= level
                try:
                    self.files.make(directory)
                    if controller == "memory":
                        self._account_hierarchically(directory)
                except OSError as exc:
                    raise refused_access(directory, exc) from exc

    def _account_hierarchically(self, directory: Path) -> None:
        # Kernels before 5.11 account children to a parent only where this was switched on first.
        switch = directory / "memory.use_hierarchy"
        if self.files.read(switch) == "0":
            self.files.write(switch, "1")

    def wanted(self, path: str, limits: AggregateLimits) -> Bounds:
        """A memory bound holds memory and swap together; there is no throttling bound."""
        memory = whole_pages(limits.memory_bytes)
        return Bounds(
            cpu_quota_us=quota_of(limits.cpus),
            memory=memory,
            swap=memory if self._text(path, "swap") is not None else None,
            pids=limits.pids,
        )

    def read(self, path: str) -> Bounds:
        """The bounds in force."""
        quota = number(self._text(path, "cpu_quota_us"))
        if quota is not None:
            period = number(self._read("cpu", path, "cpu.cfs_period_us")) or CPU_PERIOD_US
            quota = None if quota < 0 else quota * CPU_PERIOD_US // period
        return Bounds(
            cpu_quota_us=quota,
            memory=_bytes(self._text(path, "memory")),
            swap=_bytes(self._text(path, "swap")),
            pids=number(self._text(path, "pids")),
        )

    def write(self, path: str, found: Bounds, wanted: Bounds) -> dict[str, str]:
        """Set what differs, in an order in which memory never exceeds memory plus swap."""
        raises_swap = found.swap is not None and not is_lower(wanted.swap, found.swap)
        memory_first = ("memory", "swap") if not raises_swap else ("swap", "memory")
        complaints = {}
        for bound in ("cpu_quota_us", *memory_first, "pids"):
            value = getattr(wanted, bound)
            if getattr(found, bound) == value:
                continue
            try:
                self._set(path, bound, value)
            except OSError as exc:
                complaints[bound] = str(exc.strerror or exc)
        return complaints

    def _set(self, path: str, bound: str, value: int | None) -> None:
        controller, file = _FILES[bound]
        directory = self._directory(controller, path)
        if bound != "cpu_quota_us":
            unlimited = "max" if bound == "pids" else "-1"
            self.files.write(directory / file, unlimited if value is None else str(value))
            return
        if self._read("cpu", path, "cpu.cfs_period_us") != str(CPU_PERIOD_US):
            self.files.write(directory / "cpu.cfs_period_us", str(CPU_PERIOD_US))
        text = "-1" if value is None else str(value)
        try:
            self.files.write(directory / file, text)
        except OSError as exc:
            if exc.errno != errno.EINVAL or value is None:
                raise
            self._lower_quotas_below(directory, value)
            self.files.write(directory / file, text)

    def _lower_quotas_below(self, directory: Path, quota: int) -> None:
        # v1 refuses a parent's quota below that of any child (`tg_cfs_schedulable_down`).
        for name in self.files.children(directory):
            child = directory / name
            self._lower_quotas_below(child, quota)
            own = number(self.files.read(child / "cpu.cfs_quota_us"))
            period = number(self.files.read(child / "cpu.cfs_period_us")) or CPU_PERIOD_US
            if own is not None and own > 0 and own * CPU_PERIOD_US > quota * period:
                self.files.write(child / "cpu.cfs_quota_us", str(quota * period // CPU_PERIOD_US))

    def file_of(self, path: str, bound: str) -> str:
        """The file that holds a bound."""
        controller, file = _FILES[bound]
        return str(self._directory(controller, path) / file)

    def used(self, path: str) -> tuple[int | None, int | None]:
        """Memory and tasks in use."""
        return (
            number(self._read("memory", path, "memory.usage_in_bytes")),
            number(self._read("pids", path, "pids.current")),
        )

    def unreclaimable(self, path: str) -> int | None:
        """Memory in use without file caches."""
        used = number(self._read("memory", path, "memory.usage_in_bytes"))
        stat = table(self._read("memory", path, "memory.stat"))
        return None if used is None else used - sum(stat.get(key, 0) for key in _RECLAIMABLE)

    def kills(self, path: str) -> tuple[int, int] | None:  # noqa: ARG002 - the protocol's shape
        """Nothing: v1 counts a kill only in the container's own cgroup, which vanishes with it."""
        return None

    def _directory(self, controller: str, path: str) -> Path:
        return _below(self._mounts[controller] or self._root / controller, path)

    def _text(self, path: str, bound: str) -> str | None:
        controller, file = _FILES[bound]
        return self._read(controller, path, file)

    def _read(self, controller: str, path: str, file: str) -> str | None:
        return self.files.read(_below(self._directory(controller, path), file))


@lru_cache(maxsize=8192)
def _below(directory: Path, path: str) -> Path:
    """Made once: that takes as long as reading the file, and each pass reads the same hundreds."""
    return directory / path


def _bytes(text: str | None) -> int | None:
    value = number(text)
    return None if value is None or value < 0 or value >= _UNLIMITED_BYTES else value
