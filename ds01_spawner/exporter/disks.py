"""The disks that are looked at."""

import os
from collections.abc import Callable, Mapping

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.exporter.facts import DiskFacts

HOMES, ENGINE = "homes", "engine"
PLACES = (HOMES, ENGINE, "state", "events")
_MAY_BE_ELSEWHERE = frozenset({HOMES, ENGINE})


class Disks:
    """Each place is asked for by itself: homes on a file server that hangs hold up no other disk.

    Args:
        places: Folders by place; those of the engine only where it need not be asked.
        data_root: Where the engine has its own, as it says; asked until it has said so.
    """

    def __init__(
        self, places: Callable[[], Mapping[str, str]], data_root: Callable[[], str | None]
    ) -> None:
        self._places = places
        self._data_root = data_root
        self._told: str | None = None

    def look(self, place: str) -> DiskFacts | None:
        """The disk of a place; `None` where this machine has no such place.

        Raises:
            Unavailable: It cannot be looked at, or the engine does not say where it is.
        """
        folder = self._places().get(place)
        if folder is None and place == ENGINE:
            folder = self._told = self._told or self._data_root()
        if folder is None:
            return None
        try:
            found = os.statvfs(folder)
        except OSError as exc:
            if place in _MAY_BE_ELSEWHERE and isinstance(exc, FileNotFoundError):
                return None
            raise Unavailable(f"The disk of {folder} cannot be looked at: {exc.strerror}.") from exc
        return DiskFacts(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)
