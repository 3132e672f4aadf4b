"""How much of their storage limit a person uses. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a home and what is in it.

    Attributes:
        path: Relative to the home, such as `projects/thesis/data`.
        size_bytes: Bytes on disk, everything below included.
    """

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StorageUse:
    """One person's home and workspace, as last measured.

    Attributes:
        user: Whose.
        size_bytes: Bytes on disk.
        measured_at: When the measurement was complete.
        source: `quota` where the kernel counts, `scan` where folders were walked.
        largest: The largest folders, the largest first; empty where the kernel counts.
        limit_bytes: The limit that it was compared with when its owner was last warned, or `None`.
    """

    user: str
    size_bytes: int
    measured_at: datetime
    source: str
    largest: tuple[Folder, ...] = ()
    limit_bytes: int | None = None
