"""The processes of a machine, in memory."""

from collections.abc import Collection, Mapping
from signal import SIGKILL

from ds01_spawner.domain.attribution import ProcessFacts


class FakeProcessTable:
    """The `ProcessTable` port.

    Attributes:
        processes: Who runs, by id.
        up: Seconds since the machine's start.
        sent: (id, number) of every signal that was sent.
        stubborn: Ids of processes that only SIGKILL ends.
        looks: The ids that each look asked for.
    """

    def __init__(self) -> None:
        self.processes: dict[int, ProcessFacts] = {}
        self.up = 1000.0
        self.sent: list[tuple[int, int]] = []
        self.stubborn: set[int] = set()
        self.looks: list[frozenset[int]] = []

    def put(
        self,
        pid: int,
        uid: int | None = 1000,
        cgroup: str | None = "0::/user.slice\n",
        name: str = "python",
        started: float | None = 100.0,
    ) -> None:
        """Let a process run."""
        self.processes[pid] = ProcessFacts(pid, started, uid, name, cgroup)

    def seconds_up(self) -> float:
        return self.up

    def look(self, pids: Collection[int]) -> Mapping[int, ProcessFacts]:
        self.looks.append(frozenset(pids))
        return {pid: self.processes[pid] for pid in pids if pid in self.processes}

    def signal(self, pid: int, started_seconds: float, number: int) -> bool:
        found = self.processes.get(pid)
        if found is None or found.started_seconds != started_seconds:
            return False
        self.sent.append((pid, number))
        if pid not in self.stubborn or number == SIGKILL:
            del self.processes[pid]
        return True
