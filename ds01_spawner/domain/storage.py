"""How much of their storage limit a person uses. Pure."""

from dataclasses import dataclass
from datetime import datetime

from ds01_spawner.domain.errors import QuotaExceeded
from ds01_spawner.domain.wording import clean, size

FULL = 100
THRESHOLDS = (80, FULL)
"""Percentages of the limit at which somebody is told."""

SLACK = 5
"""Somebody is told again only after the share was this much below the threshold, in percent."""

KERNEL = "quota"
WALK = "scan"

_NAMED = 3
_LONGEST_PATH = 60
_ROOM_TO_START = 16 * 1024**2
_SMALL_SHARE = 100


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a home that holds much by itself.

    Attributes:
        path: Relative to the home, such as `projects/thesis/data`; `~/` is the home.
        size_bytes: Bytes on disk, everything below included but what another folder that is
            named with it holds: the sizes of a list add up.
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
        largest: The largest folders, the largest first; where the kernel counts, as of the last
            walk, or empty.
        limit_bytes: The limit that it was compared with, or `None`.
        told_percent: The threshold that its owner has been told of and that still stands; 0 for
            none.
    """

    user: str
    size_bytes: int
    measured_at: datetime
    source: str
    largest: tuple[Folder, ...] = ()
    limit_bytes: int | None = None
    told_percent: int = 0


def is_full(use: StorageUse, limit_bytes: int | None) -> bool:
    """Whether no new container may start.

    Where the kernel holds the bound nobody ever gets past it, and what remains may be too little
    for a server to start in: the last 16 MB, or 1 % of a small limit, count as full there.
    """
    if limit_bytes is None:
        return False
    room = min(_ROOM_TO_START, limit_bytes // _SMALL_SHARE) if use.source == KERNEL else 0
    return use.size_bytes >= limit_bytes - room


def threshold(use: StorageUse, limit_bytes: int | None, told_percent: int) -> int:
    """The threshold that stands now, 0 for none.

    One that its owner was told of stands until the share has fallen `SLACK` below it, so that a
    home that goes up and down around a threshold is not told of each time.
    """
    if limit_bytes is None:
        return 0
    if is_full(use, limit_bytes):
        return FULL
    return max(
        (
            percent
            for percent in THRESHOLDS
            if use.size_bytes * 100
            >= limit_bytes * (percent - (SLACK if percent <= told_percent else 0))
        ),
        default=0,
    )


def full_error(use: StorageUse, limit_bytes: int, *, has_account: bool) -> QuotaExceeded:
    """Why no container starts, and what to delete.

    Args:
        use: The measurement.
        limit_bytes: The limit.
        has_account: Whether its owner can log in to the machine itself.
    """
    message = f"Your files take {size(use.size_bytes)} of {size(limit_bytes)}."
    named = ", ".join(
        f"{clean(folder.path, _LONGEST_PATH)} {size(folder.size_bytes)}"
        for folder in use.largest[:_NAMED]
    )
    if named:
        message += f" The largest {'folders' if ', ' in named else 'folder'}: {named}."
    where = "" if has_account else " in a server that still runs, or ask your administrator"
    return QuotaExceeded(
        message,
        f"Delete some{where}, then start again.",
        limit="storage",
        used=use.size_bytes,
        asked=0,
        allowed=limit_bytes,
    )
