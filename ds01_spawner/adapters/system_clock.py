"""The host's clock."""

import time
from datetime import UTC, datetime
from pathlib import Path

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.work import PassMark

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""One per boot, the same in every container (random(4))."""


class SystemClock:
    """The `Clock` port."""

    def __init__(self, boot_id: Path = BOOT_ID) -> None:
        self._boot_id = boot_id

    def now(self) -> datetime:
        """This moment, in UTC."""
        return datetime.now(UTC)

    def mark(self) -> PassMark:
        """This moment on the wall clock and on CLOCK_BOOTTIME, which counts suspended time too.

        Raises:
            Unavailable: The kernel does not say which boot this is.
        """
        try:
            boot_id = self._boot_id.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise Unavailable(f"{self._boot_id} cannot be read: {exc}.") from exc
        return PassMark(boot_id, self.now(), time.clock_gettime(time.CLOCK_BOOTTIME))
