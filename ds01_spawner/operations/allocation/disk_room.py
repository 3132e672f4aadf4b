"""Whether the engine's disk has room for more."""

import shutil
from collections.abc import Callable

from ds01_spawner.domain.errors import Unavailable

_GIB = 1024**3
LEAST_FREE_BYTES = 2 * _GIB


class DiskRoom:
    """Looks at the file system where the engine keeps images and volumes.

    Args:
        data_root: Where that is; asked once.
        free_bytes: What is free there.
    """

    def __init__(
        self,
        data_root: Callable[[], str],
        free_bytes: Callable[[str], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._data_root = data_root
        self._free_bytes = free_bytes
        self._known = ""

    def check(self, wanted_bytes: int = 0) -> None:
        """Return when something may be added.

        Args:
            wanted_bytes: How large it is, where that is known.

        Raises:
            Unavailable: The disk is nearly full, or would be, or nobody knows.
        """
        self._known = self._known or self._data_root()
        try:
            free = self._free_bytes(self._known)
        except OSError as exc:
            raise Unavailable(f"The server's disk cannot be looked at: {exc.strerror}.") from exc
        if free < wanted_bytes + LEAST_FREE_BYTES:
            added = f"{wanted_bytes / _GIB:.1f} GiB would be added, " if wanted_bytes else ""
            raise Unavailable(
                f"The server's disk is nearly full: {free / _GIB:.1f} GiB are free, {added}"
                f"and {LEAST_FREE_BYTES // _GIB} GiB are kept.",
                "Remove what you do not need: docker container prune, docker image prune -a.",
            )
