"""A machine as its administrator looks at it, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.health import Answer, DiskFacts, FileFacts, UnitFacts

ROOMY = DiskFacts(500 * 1024**3, 1000 * 1024**3, 9_000_000, 10_000_000, device=1)


@dataclass
class FakeMachineLook:
    """The `MachineLook` port.

    Attributes:
        disks: File systems by folder.
        files: Files by path.
        kept: Whether the clock is.
        systemd: Whether systemd runs the machine.
        known: Services by name.
        answers: What addresses answer; an error is raised.
    """

    disks: dict[str, DiskFacts] = field(default_factory=dict)
    files: dict[str, FileFacts] = field(default_factory=dict)
    kept: bool | None = True
    systemd: bool = False
    known: dict[str, UnitFacts] = field(default_factory=dict)
    answers: dict[str, Answer | Unavailable] = field(default_factory=dict)

    def disk(self, path: str) -> DiskFacts | None:
        return self.disks.get(path)

    def file(self, path: str) -> FileFacts | None:
        return self.files.get(path)

    def matching(self, folder: str, pattern: str) -> Sequence[str]:
        return [each for each in sorted(self.files) if fnmatch(each, f"{folder}/{pattern}")]

    def clock_is_kept(self) -> bool | None:
        return self.kept

    def units(self, names: Sequence[str]) -> Mapping[str, UnitFacts] | None:
        if not self.systemd:
            return None
        return {name: unit for name, unit in self.known.items() if name in names}

    def runs_systemd(self) -> bool:
        return self.systemd

    def ask(self, url: str) -> Answer | None:
        answer = self.answers.get(url)
        if isinstance(answer, Unavailable):
            raise answer
        return answer
