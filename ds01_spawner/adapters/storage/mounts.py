"""What is mounted where, as the kernel tells it, without touching any of it."""

import re
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(rb"\\([0-7]{3})")
_QUOTA_OPTIONS = frozenset({"prjquota", "pquota"})
_QUOTA_SYSTEMS = frozenset({"ext4", "xfs"})


@dataclass(frozen=True, slots=True)
class MountPoint:
    """One line of `/proc/self/mountinfo`.

    Attributes:
        id: The kernel's number of the mount.
        path: Where it is mounted.
        kind: Such as `ext4`.
        has_project_quotas: Whether the file system counts and bounds by project.
    """

    id: int
    path: bytes
    kind: str
    has_project_quotas: bool


def parse_mounts(text: bytes) -> tuple[MountPoint, ...]:
    """The mounts of a `mountinfo` file (proc_pid_mountinfo(5)), in order."""
    mounts = []
    for line in text.splitlines():
        left, _, right = line.partition(b" - ")
        facts, system = left.split(b" "), right.split(b" ")
        kind = system[0].decode("ascii", "replace")
        options = set(system[-1].decode("ascii", "replace").split(","))
        quotas = kind in _QUOTA_SYSTEMS and not options.isdisjoint(_QUOTA_OPTIONS)
        mounts.append(MountPoint(int(facts[0]), _unescaped(facts[4]), kind, quotas))
    return tuple(mounts)


def mounts() -> tuple[MountPoint, ...]:
    """What is mounted in this process' view."""
    return parse_mounts(_MOUNTS.read_bytes())


def mount_of(descriptor: int) -> MountPoint | None:
    """The mount that an open folder is on, whatever links led to it."""
    for line in Path(f"/proc/self/fdinfo/{descriptor}").read_bytes().splitlines():
        name, _, value = line.partition(b":")
        if name == b"mnt_id":
            return next((each for each in mounts() if each.id == int(value)), None)
    return None


def mounted_below(descriptor: int) -> frozenset[bytes]:
    """Paths relative to an open folder at which something is mounted."""
    top = Path(f"/proc/self/fd/{descriptor}").readlink()
    prefix = bytes(top).rstrip(b"/") + b"/"
    return frozenset(
        each.path.removeprefix(prefix) for each in mounts() if each.path.startswith(prefix)
    )


def _unescaped(path: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), path)
