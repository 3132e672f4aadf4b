"""Where a folder of a container is in the home that is mounted in it: `/workspace` is one of it.

The server knows a person's folders by their paths below the home; what it is called in a container,
it cannot find. The kernel tells which folder of which file system is mounted where:
https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
_LEAST_FIELDS = 5
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder that stands somewhere.

    Attributes:
        device: Number of its file system.
        root: Where it is in that.
        point: Where it stands.
    """

    device: str
    root: Path
    point: Path


def read() -> tuple[Mount, ...]:
    """What is mounted here; none where the kernel does not tell."""
    try:
        text = MOUNTINFO.read_text("utf-8", "surrogateescape")
    except OSError:
        return ()
    return parse(text)


def parse(text: str) -> tuple[Mount, ...]:
    """The mounts of a `mountinfo`, in their order: later ones cover earlier ones."""
    rows = (line.split(" ") for line in text.splitlines())
    return tuple(
        Mount(row[2], Path(_plain(row[3])), Path(_plain(row[4])))
        for row in rows
        if len(row) >= _LEAST_FIELDS
    )


def below(
    home: Path,
    path: Path,
    mounts: Sequence[Mount],
    same: Callable[[Path, Path], bool] | None = None,
) -> Path | None:
    """The path below `home` of what is at `path`; `None` where it is not in the home.

    Args:
        home: Where the home stands.
        path: Absolute; need not exist.
        mounts: What is mounted, in order.
        same: Whether two paths are one file; as the file system says where it is left out.
    """
    if path.is_relative_to(home):
        return path
    source = _covering(path, mounts)
    if source is None or source.point == Path("/"):
        return None
    real = source.root / path.relative_to(source.point)
    for each in sorted(mounts, key=lambda mount: -len(mount.root.parts)):
        if each.device != source.device or not real.is_relative_to(each.root):
            continue
        found = each.point / real.relative_to(each.root)
        if (
            found.is_relative_to(home)
            and _covering(found, mounts) == each
            and (same or _same)(path, found)
        ):
            return found
    return None


def _covering(path: Path, mounts: Sequence[Mount]) -> Mount | None:
    found = None
    for each in mounts:
        if path.is_relative_to(each.point) and (
            found is None or each.point.is_relative_to(found.point)
        ):
            found = each
    return found


def _same(path: Path, found: Path) -> bool:
    """Whether they are one file; of what is not there yet, whether their folders are one."""
    while not path.exists() and path != path.parent:
        path, found = path.parent, found.parent
    try:
        return path.samefile(found)
    except OSError:
        return False


def _plain(text: str) -> str:
    r"""A path without the `\040` in which the kernel writes a space."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)
