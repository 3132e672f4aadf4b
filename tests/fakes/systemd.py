"""systemctl as far as slices need it, on cgroup files in memory."""

from collections.abc import Sequence
from pathlib import Path

from fakes.cgroup_files import ROOT, FakeCgroupFiles

_FILES = {
    "CPUQuota": "cpu.max",
    "MemoryMax": "memory.max",
    "MemoryHigh": "memory.high",
    "MemorySwapMax": "memory.swap.max",
    "TasksMax": "pids.max",
}


class FakeSystemd:
    """Runs `start`, `set-property --runtime`, `stop` and `revert` for slices on cgroup v2.

    Attributes:
        calls: Every command line, without `systemctl`.
        properties: What set-property was told, by slice; kept until `revert`.
    """

    def __init__(self, files: FakeCgroupFiles) -> None:
        self._files = files
        self.calls: list[list[str]] = []
        self.properties: dict[str, dict[str, str]] = {}

    def __call__(self, arguments: Sequence[str]) -> None:
        self.calls.append(list(arguments))
        match list(arguments):
            case ["start", name]:
                self._start(name)
            case ["set-property", "--runtime", name, *assignments]:
                self._start(name)
                pairs = dict(text.split("=", 1) for text in assignments)
                self.properties.setdefault(name, {}).update(pairs)
                self._enforce(name)
            case ["stop", "--job-mode=fail", name]:
                self._files.remove(_directory(name))
            case ["revert", name]:
                self.properties.pop(name, None)
            case _:
                raise AssertionError(arguments)

    def reload(self) -> None:
        """`daemon-reload`: systemd writes again what it knows."""
        for name in self.properties:
            self._enforce(name)

    def _start(self, name: str) -> None:
        parent = ROOT
        for level in _levels(name):
            self._files.write(parent / "cgroup.subtree_control", "+cpu +memory +pids")
            parent /= level
            self._files.make(parent)

    def _enforce(self, name: str) -> None:
        for key, value in self.properties[name].items():
            text = value.replace("infinity", "max")
            if key == "CPUQuota":
                text = f"{int(value[:-1]) * 1000} 100000" if value else "max 100000"
            self._files.write(_directory(name) / _FILES[key], text)


def _levels(name: str) -> list[str]:
    parts = name.removesuffix(".slice").split("-")
    return ["-".join(parts[: count + 1]) + ".slice" for count in range(len(parts))]


def _directory(name: str) -> Path:
    return ROOT.joinpath(*_levels(name))
