"""Paths as `docker cp` means them.

https://github.com/moby/moby/blob/v20.10.24/daemon/archive.go
"""

import os
import posixpath
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_GO_MODES = (
    (stat.S_ISDIR, 1 << 31),
    (stat.S_ISLNK, 1 << 27),
    (stat.S_ISBLK, 1 << 26),
    (stat.S_ISCHR, 1 << 26 | 1 << 21),
    (stat.S_ISFIFO, 1 << 25),
    (stat.S_ISSOCK, 1 << 24),
)
_GO_BITS = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))
_NANOSECONDS = 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """What a client's path names.

    Attributes:
        absolute: The path, absolute, with its trailing `/` or `/.` kept.
        resolved: The same without links on the way to the last part.
    """

    absolute: str
    resolved: str

    @property
    def base(self) -> str:
        """Its last part: `x` of `/x/`, `.` of `/x/.`, `/` of `/`."""
        stripped = self.absolute.rstrip("/")
        return stripped.rpartition("/")[2] or "/"


def place_of(path: str) -> Place:
    """What `path` names from here; only the way there is followed."""
    absolute = absolute_path(path)
    folder, base = posixpath.split(absolute)
    return Place(absolute, posixpath.join(os.path.realpath(folder), base))


def absolute_path(path: str) -> str:
    """`path` from the root, without `..`, but with what it ends in: `/` or `/.` mean a folder."""
    plain = "/" + posixpath.normpath("/" + path).lstrip("/")
    if path == "." or path.endswith("/."):
        return f"{plain.rstrip('/')}/."
    return f"{plain.rstrip('/')}/" if path.endswith("/") else plain


def told(place: Place) -> dict[str, Any]:
    """What header `X-Docker-Container-Path-Stat` says.

    Raises:
        OSError: It is not there, or the person may not look.
    """
    found = os.lstat(place.resolved)
    is_link = stat.S_ISLNK(found.st_mode)
    return {
        "name": place.base,
        "size": found.st_size,
        "mode": go_mode(found.st_mode),
        "mtime": go_time(found.st_mtime_ns),
        "linkTarget": os.path.realpath(place.absolute) if is_link else "",
    }


def go_mode(mode: int) -> int:
    """Permission and kind as Go writes them (https://pkg.go.dev/io/fs#FileMode)."""
    kinds = sum(bits for is_kind, bits in _GO_MODES if is_kind(mode))
    return stat.S_IMODE(mode) & 0o777 | kinds | sum(bit for unix, bit in _GO_BITS if mode & unix)


def go_time(nanoseconds: int) -> str:
    """A moment as Go writes it: RFC 3339, in UTC, as many digits as needed."""
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:  # files may claim any time
        moment, rest = _EPOCH, 0
    fraction = f".{rest:09}".rstrip("0").rstrip(".")
    return f"{moment.isoformat()[:19]}{fraction}Z"
