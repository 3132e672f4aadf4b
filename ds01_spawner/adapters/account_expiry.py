"""Accounts of this machine that have expired, by shadow(5)."""

import os
import time
from pathlib import Path

SHADOW = Path("/etc/shadow")
_SECONDS_A_DAY = 86400
_EXPIRES, _FIELDS = 7, 9


class Expiry:
    """Read anew only when the file is another. Many threads may use it.

    Args:
        path: Only root may read it; for others, no account has expired.
    """

    def __init__(self, path: Path = SHADOW) -> None:
        self._path = path
        self._known: tuple[tuple[int, int, int], dict[str, int]] | None = None

    def has_expired(self, user: str) -> bool:
        """Whether the account is closed.

        Raises:
            OSError: The file is there and cannot be read by root.
        """
        day = self._days().get(user)
        return day is not None and day <= time.time() // _SECONDS_A_DAY

    def _days(self) -> dict[str, int]:
        try:
            found = self._path.stat()
            mark = (found.st_mtime_ns, found.st_ino, found.st_size)
            known = self._known
            if known is None or known[0] != mark:
                known = self._known = (mark, self._read())
        except FileNotFoundError:
            return {}
        except PermissionError:
            if os.geteuid() == 0:
                raise
            return {}
        return known[1]

    def _read(self) -> dict[str, int]:
        text = self._path.read_text(encoding="utf-8", errors="surrogateescape")
        lines = (line.split(":") for line in text.splitlines())
        return {
            fields[0]: int(fields[_EXPIRES])
            for fields in lines
            if len(fields) == _FIELDS and fields[_EXPIRES].isdecimal()
        }
