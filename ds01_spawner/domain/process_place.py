"""In which container a process is, from the text of its `/proc/<pid>/cgroup`. Pure.

The engine's cgroups are called by the container's id, wherever its parent is:

| driver | cgroup v1 | cgroup v2 |
|---|---|---|
| cgroupfs | `4:memory:/docker/ID`, `4:memory:/ds01/student/alice/ID` | `0::/docker/ID` |
| systemd | `1:name=systemd:/system.slice/docker-ID.scope` | `0::/ds01.slice/…/docker-ID.scope` |

A process may lie deeper: containers in a container, or a program that makes cgroups of its own.
The outermost id is the one that the engine knows.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_CONTAINER = re.compile(r"^(?:[a-z][a-z0-9-]*-)?([0-9a-f]{64})(?:\.scope)?\Z")
_REMOVED = " (deleted)"
"""The kernel's word for a cgroup that is gone, behind its path (cgroups(7))."""

_SESSION = re.compile(r"^user-([0-9]{1,10})\.slice\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process is.

    Attributes:
        containers: Ids of the outermost containers that its cgroups name; one, or none outside.
        session_uid: User id of the login session that it is in, or `None`.
    """

    containers: tuple[str, ...] = ()
    session_uid: int | None = None


@lru_cache(maxsize=4096)
def place_of(cgroup: str) -> Place:
    """Where a process is. What is not a line of that file is passed over.

    What lies below a session's own slice is its person's to name, so ids there are not believed.
    """
    found: dict[str, None] = {}
    session = None
    for path in {line.split(":", 2)[-1] for line in cgroup.splitlines() if line.count(":") > 1}:
        for step in path.removesuffix(_REMOVED).split("/"):
            if match := _SESSION.match(step):
                session = int(match[1])
                break
            if match := _CONTAINER.match(step):
                found[match[1]] = None
                break
    return Place(tuple(sorted(found)), session)
