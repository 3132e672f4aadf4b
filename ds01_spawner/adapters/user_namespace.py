"""Who made the user namespace that a process is in.

https://man7.org/linux/man-pages/man2/ioctl_ns.2.html
"""

import fcntl
import os
import struct
from pathlib import Path

_NS_GET_PARENT, _NS_GET_OWNER_UID = 0xB702, 0xB704
_DEEPEST = 33
"""The kernel nests no more (user_namespaces(7))."""

_LINK, _OURS = "ns/user", "/proc/self/ns/user"


def maker_of(folder: int) -> int | None:
    """The user id of who made the outermost of the namespaces that a process is in, but ours.

    Args:
        folder: Its folder in /proc, as a descriptor.

    Returns:
        `None` in the namespace that we are in ourselves, and where it cannot be read.
    """
    try:
        if os.readlink(_LINK, dir_fd=folder) == os.readlink(_OURS):  # noqa: PTH115 - below a folder
            return None
        namespace = os.open(_LINK, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    try:
        for _ in range(_DEEPEST):
            try:
                parent = fcntl.ioctl(namespace, _NS_GET_PARENT)
            except OSError:
                return None  # it is none of ours
            if os.path.samestat(os.fstat(parent), Path(_OURS).stat()):
                os.close(parent)
                said = fcntl.ioctl(namespace, _NS_GET_OWNER_UID, struct.pack("I", 0))
                return int(struct.unpack("I", said)[0])
            os.close(namespace)
            namespace = parent
    except OSError:
        return None
    finally:
        os.close(namespace)
    return None
