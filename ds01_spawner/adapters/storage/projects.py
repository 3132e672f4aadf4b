"""The project that a file belongs to, for quotas: `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR`.

https://man7.org/linux/man-pages/man2/ioctl_fsgetxattr.2.html; `struct fsxattr` is in linux/fs.h.
"""

import fcntl
import os
import stat
import struct
from typing import NamedTuple

_GET = 0x801C581F
_SET = 0x401C5820
_FSXATTR = struct.Struct("=IIIII8x")
_INHERIT = 0x200
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Project(NamedTuple):
    """A file's project.

    Attributes:
        id: 0 is none.
        inherits: Whether what is made in this folder gets it too.
    """

    id: int
    inherits: bool


def project_of(descriptor: int) -> Project | None:
    """The project of an open file or folder; `None` where the file system knows none."""
    try:
        found = fcntl.ioctl(descriptor, _GET, bytes(_FSXATTR.size))
    except OSError:
        return None
    flags, _, _, project, _ = _FSXATTR.unpack(found)
    return Project(project, bool(flags & _INHERIT))


def adopt(descriptor: int, project: int, *, folder: bool) -> None:
    """Put an open file or folder into a project; what is made in a folder later follows it.

    Raises:
        OSError: It cannot be.
    """
    found = fcntl.ioctl(descriptor, _GET, bytes(_FSXATTR.size))
    flags, extent, extents, current, cow = _FSXATTR.unpack(found)
    wanted = flags | _INHERIT if folder else flags
    if (flags, current) != (wanted, project):
        fcntl.ioctl(descriptor, _SET, _FSXATTR.pack(wanted, extent, extents, project, cow))


def adopt_file(name: str, folder: int, project: int) -> None:
    """`adopt` for the plain file `name` in an open folder; anything else is left alone.

    Raises:
        OSError: It cannot be.
    """
    descriptor = os.open(name, OPEN_FILE, dir_fd=folder)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            adopt(descriptor, project, folder=False)
    finally:
        os.close(descriptor)
