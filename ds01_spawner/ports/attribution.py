"""Who the processes of this machine are."""

from collections.abc import Collection, Mapping
from typing import Protocol

from ds01_spawner.domain.attribution import ProcessFacts


class ProcessTable(Protocol):
    """The processes of this machine."""

    def seconds_up(self) -> float:
        """Seconds since the machine's start, by the clock of `ProcessFacts.started_seconds`."""
        ...

    def look(self, pids: Collection[int]) -> Mapping[int, ProcessFacts]:
        """Who each of these is. One that has ended is left out; never raises.

        What is said of one is all said of the same process, also when its id is given to another
        meanwhile. What cannot be read of one is `None`.
        """
        ...

    def signal(self, pid: int, started_seconds: float, number: int) -> bool:
        """Send a signal to the process of that id and start; whether there was one to send it to.

        No other process ever gets it, also when the id is given to another one meanwhile.
        """
        ...


class StartWatch(Protocol):
    """Tells when containers start, whoever starts them."""

    def wait(self, seconds: float) -> bool:
        """Return when a container has started since the last call, or after so long; whether one.

        Raises:
            Unavailable: The engine does not tell of its events.
        """
        ...
