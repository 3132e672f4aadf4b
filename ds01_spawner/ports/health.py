"""What is looked at to say how the platform is, beside the parts themselves."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ds01_spawner.domain.health import Answer, DiskFacts, FileFacts, UnitFacts


class MachineLook(Protocol):
    """This machine as its administrator looks at it."""

    def disk(self, path: str) -> DiskFacts | None:
        """The file system that a folder is on; `None` where there is no such folder.

        Raises:
            Unavailable: It cannot be looked at.
        """
        ...

    def file(self, path: str) -> FileFacts | None:
        """Who may open a file, a folder or a socket; `None` where there is none.

        Raises:
            Unavailable: It cannot be looked at.
        """
        ...

    def matching(self, folder: str, pattern: str) -> Sequence[str]:
        """Paths in a folder that match; none where it does not exist or is closed."""
        ...

    def clock_is_kept(self) -> bool | None:
        """Whether something keeps the clock right (NTP); `None` where the kernel does not say."""
        ...

    def units(self, names: Sequence[str]) -> Mapping[str, UnitFacts] | None:
        """Those of these services that are installed; `None` on a machine without systemd.

        Raises:
            Unavailable: systemd does not answer.
        """
        ...

    def runs_systemd(self) -> bool:
        """Whether systemd runs this machine."""
        ...

    def ask(self, url: str) -> Answer | None:
        """What a web address answers; `None` where nobody does.

        Raises:
            Unavailable: Its certificate is not valid.
        """
        ...


class LedgerCare(Protocol):
    """The ledger's file as its administrator looks at it."""

    def faults(self) -> Sequence[str]:
        """What is broken in it, in the words of the database.

        Raises:
            Unavailable: The file is gone, is no ledger, or cannot be read.
        """
        ...
