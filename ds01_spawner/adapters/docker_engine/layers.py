"""Where a path leads in the files of a container that does not run, before anything is mounted.

The engine's own answer (`HEAD …/archive`) mounts everything first, as root, wherever the paths lead
at that moment. So the layers are looked at themselves, and nothing of them is followed but here.

https://docs.kernel.org/filesystems/overlayfs.html
"""

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.names import shown

_DRIVERS = frozenset({"overlay2", "overlay"})
_MOST_LINKS = 40
_OPAQUE = "trusted.overlay.opaque"


def layers_of(inspected: Mapping[str, Any]) -> tuple[Path, ...]:
    """A container's layers, the topmost first; none where the engine does not say them."""
    driver = inspected.get("GraphDriver") or {}
    data = driver.get("Data") or {}
    upper, lower = data.get("UpperDir"), data.get("LowerDir")
    if driver.get("Name") not in _DRIVERS or not upper or not lower:
        return ()
    return tuple(Path(each) for each in (upper, *str(lower).split(":")))


def leads_to(layers: Sequence[Path], path: str) -> str:
    """The path without links and `..` that an absolute one leads to; what is missing counts too.

    Args:
        layers: The topmost first.
        path: Absolute, in the container.

    Raises:
        Forbidden: It leads through more links than the kernel follows.
    """
    return walked(layers, path)[-1]


def walked(layers: Sequence[Path], path: str) -> tuple[str, ...]:
    """Every place on the way along an absolute path, from `/` to where it leads.

    Args:
        layers: The topmost first.
        path: Absolute, in the container.

    Raises:
        Forbidden: It leads through more links than the kernel follows.
    """
    names: list[str] = []
    folders = [tuple(layers)]
    places = ["/"]
    left = _parts(path)
    links = 0
    while left:
        name = left.pop()
        if name == "..":
            names, folders = names[:-1], folders[: max(1, len(folders) - 1)]
            places.append("/" + "/".join(names))
            continue
        below, link = _entry(folders[-1], name)
        if link is None:
            names.append(name)
            folders.append(below)
            places.append("/" + "/".join(names))
            continue
        links += 1
        if links > _MOST_LINKS:
            raise Forbidden(
                f"{shown(path)} of the container leads through too many links.",
                "Mount at another place.",
            )
        if link.startswith("/"):
            names, folders = [], folders[:1]
        left += _parts(link)
        places.append("/" + "/".join(names))
    return tuple(places)


def _entry(folders: Sequence[Path], name: str) -> tuple[tuple[Path, ...], str | None]:
    """What is called `name`: the folders that make it up, and where it leads if it is a link."""
    found: list[Path] = []
    for folder in folders:
        place = folder / name
        try:
            status = place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISLNK(status.st_mode) and not found:
            return (), str(place.readlink())
        if not stat.S_ISDIR(status.st_mode):
            break  # a file, or the mark that it was removed
        found.append(place)
        if _is_opaque(place):
            break
    return tuple(found), None


def _is_opaque(folder: Path) -> bool:
    try:
        return os.getxattr(folder, _OPAQUE, follow_symlinks=False) == b"y"
    except OSError as exc:
        if exc.errno in {errno.ENODATA, errno.ENOTSUP}:
            return False
        raise


def _parts(path: str) -> list[str]:
    """The names in a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]
