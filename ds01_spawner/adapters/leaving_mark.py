"""A file that is another one each time somebody was taken out of the hub."""

from pathlib import Path

from ds01_spawner.adapters.text_files import put_text
from ds01_spawner.domain.errors import Unavailable

_TEXT = """\
Written anew when ds01 admin user remove takes somebody out of the hub: the gateway then
forgets whose tokens are whose, and asks the hub again.
"""


class LeavingMark:
    """The `LeavingMark` port, as a file of the state folder.

    Args:
        path: The file; there is none until somebody has left.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def renew(self) -> None:
        """As the port says."""
        try:
            put_text(self._path, _TEXT)
        except OSError as exc:
            raise Unavailable(f"{self._path} cannot be written: {exc.strerror}.") from exc

    def seen(self) -> tuple[int, int] | None:
        """As the port says."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise Unavailable(f"{self._path} cannot be read: {exc.strerror}.") from exc
        return found.st_mtime_ns, found.st_ino
