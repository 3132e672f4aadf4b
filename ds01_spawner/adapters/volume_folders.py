"""The folders that the engine keeps volumes in."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.names import home_volume
from ds01_spawner.domain.person import UnixAccount

_VOLUMES, _CONTENT = "volumes", "_data"


class EngineVolumeFolders:
    """The `VolumeFolders` port.

    Args:
        data_root: Where the engine keeps everything.
    """

    def __init__(self, data_root: Callable[[], Path]) -> None:
        self._data_root = data_root

    def hand_over(self, account: UnixAccount, container: Container) -> None:
        """As the port says."""
        if container.uid != account.uid:
            return
        folders = [
            Path(mount.source)
            for mount in container.mounts
            if mount.kind == "volume" and not mount.read_only
        ]
        if not folders:
            return
        kept = Path(os.path.realpath(self._data_root() / _VOLUMES))
        for folder in folders:
            name = folder.parent.name
            if folder == kept / name / _CONTENT and name != home_volume(account.name):
                _give(folder, account)


def _give(folder: Path, account: UnixAccount) -> None:
    """Only the folder itself: what is in it came from the image, or is somebody's already."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_uid != account.uid:
                os.fchown(descriptor, account.uid, account.gid)
                mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
                os.fchmod(descriptor, mode & 0o777 | stat.S_IRWXU)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise Unavailable(
            f"The volume {folder.parent.name} cannot be used: {exc.strerror}."
        ) from exc
