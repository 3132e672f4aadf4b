"""cgroup v2: one tree for every controller.

https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from pathlib import Path

from ds01_spawner.adapters.cgroups.bounds import CPU_PERIOD_US, Bounds, quota_of, whole_pages
from ds01_spawner.adapters.cgroups.control_files import ControlFiles
from ds01_spawner.adapters.cgroups.hierarchy import number, refused_access, table
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import AggregateLimits

CONTROLLERS = ("cpu", "memory", "pids")
_FILES = {
    "cpu_quota_us": "cpu.max",
    "memory": "memory.max",
    "memory_high": "memory.high",
    "swap": "memory.swap.max",
    "pids": "pids.max",
}
_RECLAIMABLE = ("inactive_file", "active_file", "slab_reclaimable")


class HierarchyV2:
    """The unified tree below `root`."""

    version = 2

    def __init__(self, files: ControlFiles, root: Path) -> None:
        self.files = files
        self._root = root

    def directories(self, path: str) -> tuple[Path, ...]:
        """The one directory, if it exists."""
        directory = self._root / path
        return (directory,) if self.files.exists(directory) else ()

    def exists(self, path: str) -> bool:
        """Whether the directory exists."""
        return self.files.exists(self._root / path)

    def create(self, path: str) -> None:
        """Make every level and hand the controllers down to it."""
        directory = self._root
        for level in path.split("/"):
            try:
                self._delegate(directory)
                directory /= level
                self.files.make(directory)
            except OSError as exc:
                raise refused_access(directory, exc) from exc

    def _delegate(self, directory: Path) -> None:
        available = (self.files.read(directory / "cgroup.controllers") or "").split()
        missing = [name for name in CONTROLLERS if name not in available]
        if missing:
            raise Unavailable(
                f"The cgroup {directory} has no {', '.join(missing)} controller, so the limits of"
                " all containers of a person cannot be enforced.",
                "Enable it on the kernel command line (cgroup_enable=memory) or in the parent"
                " cgroup's cgroup.subtree_control.",
            )
        control = directory / "cgroup.subtree_control"
        enabled = (self.files.read(control) or "").split()
        lacking = [f"+{name}" for name in CONTROLLERS if name not in enabled]
        if lacking:
            self.files.write(control, " ".join(lacking))

    def wanted(self, path: str, limits: AggregateLimits) -> Bounds:
        """A memory bound holds memory and swap together: no swap beside it."""
        memory = whole_pages(limits.memory_bytes)
        swap_accounted = self._read(path, "swap") is not None
        return Bounds(
            cpu_quota_us=quota_of(limits.cpus),
            memory=memory,
            memory_high=whole_pages(limits.memory_high_bytes),
            swap=0 if memory is not None and swap_accounted else None,
            pids=limits.pids,
        )

    def read(self, path: str) -> Bounds:
        """The bounds in force."""
        return Bounds(
            cpu_quota_us=_quota(self._read(path, "cpu_quota_us")),
            memory=number(self._read(path, "memory")),
            memory_high=number(self._read(path, "memory_high")),
            swap=number(self._read(path, "swap")),
            pids=number(self._read(path, "pids")),
        )

    def write(self, path: str, found: Bounds, wanted: Bounds) -> dict[str, str]:
        """Set what differs."""
        complaints = {}
        for bound, file in _FILES.items():
            value = getattr(wanted, bound)
            if getattr(found, bound) == value:
                continue
            text = "max" if value is None else str(value)
            if bound == "cpu_quota_us":
                text = f"{text} {CPU_PERIOD_US}"
            try:
                self.files.write(self._root / path / file, text)
            except OSError as exc:
                complaints[bound] = str(exc.strerror or exc)
        return complaints

    def file_of(self, path: str, bound: str) -> str:
        """The file that holds a bound."""
        return str(self._root / path / _FILES[bound])

    def used(self, path: str) -> tuple[int | None, int | None]:
        """Memory and tasks in use."""
        directory = self._root / path
        return (
            number(self.files.read(directory / "memory.current")),
            number(self.files.read(directory / "pids.current")),
        )

    def unreclaimable(self, path: str) -> int | None:
        """Memory in use without file caches and reclaimable slabs."""
        used = number(self.files.read(self._root / path / "memory.current"))
        stat = table(self.files.read(self._root / path / "memory.stat"))
        return None if used is None else used - sum(stat.get(key, 0) for key in _RECLAIMABLE)

    def kills(self, path: str) -> tuple[int, int] | None:
        """From memory.events: the person's own bound reached, processes killed anywhere below."""
        own = table(self.files.read(self._root / path / "memory.events.local"))
        below = table(self.files.read(self._root / path / "memory.events"))
        return (own["oom"], below["oom_kill"]) if "oom" in own and "oom_kill" in below else None

    def _read(self, path: str, bound: str) -> str | None:
        return self.files.read(self._root / path / _FILES[bound])


def _quota(text: str | None) -> int | None:
    if text is None or text.startswith("max"):
        return None
    quota, period = (int(word) for word in text.split())
    return quota * CPU_PERIOD_US // period
