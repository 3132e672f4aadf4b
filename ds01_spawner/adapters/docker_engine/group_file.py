"""Keeps what runs in a container from being in groups of the server that nobody gave it.

Before each process begins, runc looks every group of it up in the container's own /etc/group as it
is at that moment, by name before number: a line `2000:x:42:` puts who is in group 2000 into the
server's group 42. Engines from 20.10.18 on have the person's main group looked up, too. So the file
is masked where there are folders of the server to get at: runc masks after everything is mounted,
and before it looks. What is mounted at /etc or /etc/group is beneath the mask, which ends when
somebody removes that from the other side (tried: `rm` on the server), so nothing may be there.

https://github.com/opencontainers/runc/blob/v1.1.5/libcontainer/init_linux.go (setupUser)
"""

import errno
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ds01_spawner.domain.container import Mount
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.grant import NOTICES

GROUP_FILE = "/etc/group"
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    GROUP_FILE,
)
"""What the engine masks when it is told nothing, of any version, and the file.

https://github.com/moby/moby/blob/v28.0.0/oci/defaults.go
"""

_HAS_ENDED = frozenset({errno.ENOENT, errno.ESRCH, errno.EINVAL})
"""What the mounts of a process are read with then; the last until its parent has looked.

https://github.com/torvalds/linux/blob/v6.12/fs/proc_namespace.c (mounts_open_common)
"""

_MASK = "/null"


def is_of_host(mount: Mount) -> bool:
    """Whether it holds what groups of the server may be let into."""
    return mount.kind == "bind" and mount.target != NOTICES


def is_sound(mount_table: Iterable[str]) -> bool:
    """Whether the group file is out of everybody's reach in a container that runs. Pure.

    Args:
        mount_table: Lines of `/proc/PID/mountinfo`.
    """
    found = [line.split(" ") for line in mount_table if line]
    over = [(fields[3], fields[4]) for fields in found if fields[4] in {"/etc", GROUP_FILE}]
    return all(entry == (_MASK, GROUP_FILE) for entry in over)


def check_group_file(inspected: Mapping[str, Any]) -> None:
    """Return when what is started in a container gets the groups that it was given.

    Args:
        inspected: The engine's inspect JSON of it.

    Raises:
        Forbidden: Something is mounted where its groups are looked up.
    """
    mounts = inspected.get("Mounts") or ()
    folders = [each for each in mounts if each.get("Type") == "bind"]
    pid = (inspected.get("State") or {}).get("Pid")
    if not pid or all(each.get("Destination") == NOTICES for each in folders):
        return
    try:
        table = Path(f"/proc/{pid}/mountinfo").read_bytes().decode("utf-8", "surrogateescape")
    except OSError as exc:
        if exc.errno in _HAS_ENDED:
            return
        raise
    if not is_sound(table.split("\n")):
        raise Forbidden(
            "Something is mounted at /etc or /etc/group of this container, where groups are looked "
            "up that open folders of the server.",
            "Make it anew without that mount.",
        )
