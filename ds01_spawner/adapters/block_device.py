"""Which disk a folder lies on, as the kernel's I/O limits want it named."""

import os
from pathlib import Path


def disk_of(path: Path, root: Path = Path("/")) -> str | None:
    """The whole disk under `path`, such as `/dev/sda`, or `None` when there is none.

    I/O limits take whole disks only, so a partition is followed to its disk. A network or memory
    file system has no disk.
    """
    try:
        device = path.stat().st_dev
    except OSError:
        return None
    entry = root / "sys/dev/block" / f"{os.major(device)}:{os.minor(device)}"
    if not entry.exists():
        return None
    resolved = entry.resolve()
    disk = resolved.parent if (resolved / "partition").exists() else resolved
    return f"/dev/{disk.name.replace('!', '/')}"
