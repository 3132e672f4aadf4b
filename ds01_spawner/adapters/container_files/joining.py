"""Into the cgroups of a container: what is written there, its limits count.

Files in a `tmpfs` are memory, charged to whoever writes them, not to whose files they are.
"""

import os
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_SCORE = Path("/proc/self/oom_score_adj")
_CONTROLLERS = ("cpu", "cpuacct", "blkio")
"""Of cgroup v1: joined where they are there. Not the freezer: a paused container is copied of."""

_FIRST_TO_END = 1000
"""The copy ends before its container's own work, whichever memory is full."""


class Paused(Exception):
    """Who joins it would be paused as well."""


class Uncounted(Exception):
    """Nothing would count the memory."""


def join(lines: str, container_id: str, *, writes: bool, root: Path = _ROOT) -> None:
    """Be counted as one of the container's processes.

    Args:
        lines: `/proc/PID/cgroup` of the container's first process.
        container_id: Full engine id; its cgroup has it.
        writes: Whether anything is to be written; who only reads stays out of a paused container.
        root: Where cgroups are mounted.

    Raises:
        Paused: It is paused, and with cgroup v2 whoever is in it.
        Uncounted: There is no cgroup that counts its memory.
        OSError: The kernel refuses.
    """
    _SCORE.write_text(str(_FIRST_TO_END), encoding="ascii")
    trees = _trees(lines)
    own = str(os.getpid())
    if "memory" not in trees:
        _join_unified(_inside(root, trees.get("", ""), container_id), own, writes=writes)
        return
    places = {_place(root, "memory", trees, container_id)}
    for name in _CONTROLLERS:
        if name in trees:
            places.add(_place(root, name, trees, container_id))
    for place in places:
        (place / "cgroup.procs").write_text(own, encoding="ascii")


def _trees(lines: str) -> dict[str, str]:
    """Each controller's list of controllers and path, `cpu,cpuacct:/path`; v2 is the empty one."""
    found = {}
    for line in lines.splitlines():
        _, _, rest = line.partition(":")
        for name in rest.partition(":")[0].split(","):
            found[name] = rest
    return found


def _place(root: Path, name: str, trees: dict[str, str], container_id: str) -> Path:
    """Controllers that share a tree have one folder, with or without a link of each one's name."""
    together = trees[name].partition(":")[0]
    tree = next((root / each for each in (together, name) if (root / each).is_dir()), root / name)
    return _inside(tree, trees[name], container_id)


def _inside(tree: Path, line: str, container_id: str) -> Path:
    steps = line.partition(":")[2].strip("/").split("/")
    if ".." in steps or not any(container_id in step for step in steps):
        raise Uncounted
    return tree.joinpath(*steps)


def _join_unified(place: Path, own: str, *, writes: bool) -> None:
    if not (place / "memory.max").exists():
        raise Uncounted
    if "frozen 1" in (place / "cgroup.events").read_text(encoding="ascii").splitlines():
        if writes:
            raise Paused
        return
    (place / "cgroup.procs").write_text(own, encoding="ascii")
