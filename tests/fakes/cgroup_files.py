"""The kernel's cgroup file systems in memory: the files, and what the kernel refuses."""

import errno
import resource
from pathlib import Path

ROOT = Path("/cgroup")
PAGE_BYTES = resource.getpagesize()
V1_UNLIMITED = str((2**63 - 1) // PAGE_BYTES * PAGE_BYTES)
PIDS_MAX = 2**22
_CONTROLLERS = ("cpu", "memory", "pids")
_V1_FILES = {
    "cpu": {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"},
    "memory": {
        "memory.limit_in_bytes": V1_UNLIMITED,
        "memory.memsw.limit_in_bytes": V1_UNLIMITED,
        "memory.usage_in_bytes": "0",
        "memory.use_hierarchy": "0",
        "memory.stat": "total_inactive_file 0\ntotal_active_file 0",
    },
    "pids": {"pids.max": "max", "pids.current": "0"},
}
_V2_FILES = {
    "cpu": {"cpu.max": "max 100000"},
    "memory": {
        "memory.max": "max",
        "memory.high": "max",
        "memory.swap.max": "max",
        "memory.current": "0",
        "memory.stat": "inactive_file 0\nactive_file 0\nslab_reclaimable 0",
        "memory.events": "oom 0\noom_kill 0",
        "memory.events.local": "oom 0\noom_kill 0",
    },
    "pids": {"pids.max": "max", "pids.current": "0"},
}


class FakeCgroupFiles:
    """The `ControlFiles` protocol.

    Attributes:
        content: Text of every file, by path.
        writes: (file name, text) of every write, in order.
        denied: Set to an errno to refuse every change.
        ignored: Names of files whose writes succeed and change nothing.
    """

    def __init__(
        self,
        version: int,
        *,
        swap: bool = True,
        missing: tuple[str, ...] = (),
        shared_cpu: bool = False,
    ) -> None:
        self.version = version
        self.content: dict[Path, str] = {}
        self.writes: list[tuple[str, str]] = []
        self.denied: int | None = None
        self.ignored: set[str] = set()
        self._swap = swap
        self._controllers = tuple(name for name in _CONTROLLERS if name not in missing)
        self._directories = {ROOT}
        if version == 1:
            for name in self._controllers:
                tree = "cpu,cpuacct" if name == "cpu" and shared_cpu else name
                self._directories.add(ROOT / tree)
        else:
            self.content[ROOT / "cgroup.controllers"] = " ".join(self._controllers)
            self.content[ROOT / "cgroup.subtree_control"] = ""

    def read(self, path: Path) -> str | None:
        return self.content.get(path)

    def write(self, path: Path, text: str) -> None:
        self._check()
        if path not in self.content:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        self.writes.append((path.name, text))
        if path.name in self.ignored:
            return
        if path.name == "cgroup.subtree_control":
            self._delegate(path, text)
        else:
            self.content[path] = self._accepted(path, text)

    def make(self, directory: Path) -> None:
        self._check()
        if directory.parent not in self._directories:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(directory))
        if directory in self._directories:
            return
        self._directories.add(directory)
        if self.version == 1:
            tree = directory.relative_to(ROOT).parts[0].split(",")[0]
            self._populate(directory, _V1_FILES[tree])
            switch = directory / "memory.use_hierarchy"
            if self.content.get(directory.parent / "memory.use_hierarchy") == "1":
                self.content[switch] = "1"
            return
        enabled = self.content[directory.parent / "cgroup.subtree_control"]
        self.content[directory / "cgroup.controllers"] = enabled
        self.content[directory / "cgroup.subtree_control"] = ""
        for controller in enabled.split():
            self._populate(directory, _V2_FILES[controller])

    def remove(self, directory: Path) -> bool:
        self._check()
        if directory not in self._directories:
            return True
        if self.children(directory):
            return False
        self._directories.discard(directory)
        for path in [path for path in self.content if path.parent == directory]:
            del self.content[path]
        return True

    def children(self, directory: Path) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self._directories if path.parent == directory))

    def exists(self, directory: Path) -> bool:
        return directory in self._directories

    def use_memory(self, relative: str, used_bytes: int, cache_bytes: int = 0) -> None:
        """Let a cgroup use memory, part of it file cache."""
        if self.version == 1:
            directory = ROOT / "memory" / relative
            self.content[directory / "memory.usage_in_bytes"] = str(used_bytes)
            self.content[directory / "memory.stat"] = f"total_inactive_file {cache_bytes}"
        else:
            directory = ROOT / relative
            self.content[directory / "memory.current"] = str(used_bytes)
            self.content[directory / "memory.stat"] = f"inactive_file {cache_bytes}"

    def put_container(self, relative: str, name: str) -> None:
        """Let the engine make a container's cgroup in one."""
        trees = [ROOT / name for name in self._controllers] if self.version == 1 else [ROOT]
        self._directories |= {tree / relative / name for tree in trees}

    def _check(self) -> None:
        if self.denied is not None:
            raise OSError(self.denied, errno.errorcode[self.denied])

    def _populate(self, directory: Path, files: dict[str, str]) -> None:
        for name, text in files.items():
            if self._swap or "swap" not in name.replace("memsw", "swap"):
                self.content.setdefault(directory / name, text)

    def _delegate(self, path: Path, text: str) -> None:
        available = self.content[path.parent / "cgroup.controllers"].split()
        for word in text.split():
            if word.removeprefix("+") not in available:
                raise OSError(errno.ENOENT, "No such file or directory", str(path))
        enabled = sorted({*self.content[path].split(), *(word[1:] for word in text.split())})
        self.content[path] = " ".join(enabled)
        for name in self.children(path.parent):
            child = path.parent / name
            self.content[child / "cgroup.controllers"] = self.content[path]
            for controller in enabled:
                self._populate(child, _V2_FILES[controller])

    def _accepted(self, path: Path, text: str) -> str:
        name = path.name
        if name == "pids.max":
            if text != "max" and int(text) > PIDS_MAX:
                raise _refused(errno.EINVAL, path)
            return text
        if name == "cpu.cfs_quota_us":
            self._check_quotas(path.parent, int(text))
            return text
        if name.startswith("memory.") and name.endswith(("_in_bytes", ".max", ".high")):
            return self._memory(path, text)
        return text

    def _memory(self, path: Path, text: str) -> str:
        if self.version == 2:
            return text if text == "max" else str(int(text) // PAGE_BYTES * PAGE_BYTES)
        value = int(V1_UNLIMITED) if text == "-1" else int(text) // PAGE_BYTES * PAGE_BYTES
        swap = self.content.get(path.parent / "memory.memsw.limit_in_bytes", V1_UNLIMITED)
        if path.name == "memory.limit_in_bytes":
            if value > int(swap):
                raise _refused(errno.EINVAL, path)
            if value < int(self.content[path.parent / "memory.usage_in_bytes"]):
                raise _refused(errno.EBUSY, path)
        elif value < int(self.content[path.parent / "memory.limit_in_bytes"]):
            raise _refused(errno.EINVAL, path)
        return str(value)

    def _check_quotas(self, directory: Path, quota: int) -> None:
        for name in self.children(directory):
            child = int(self.content[directory / name / "cpu.cfs_quota_us"])
            if 0 < quota < child:
                raise _refused(errno.EINVAL, directory / "cpu.cfs_quota_us")


def _refused(code: int, path: Path) -> OSError:
    return OSError(code, errno.errorcode[code], str(path))
