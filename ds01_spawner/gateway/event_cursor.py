"""Up to which moment the engine's events are in the log, also for the next gateway."""

import contextlib
import os
import re
from pathlib import Path

_NANOSECONDS = 10**9
_MOMENT = re.compile(r"[0-9]{1,20}\Z", re.ASCII)


class EventCursor:
    """A moment, in nanoseconds since 1970, that only grows.

    Args:
        path: Where it is kept over a restart of the gateway; the engine forgets its events when it
            is restarted itself. `None`: nowhere.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.moment = _kept(path)

    def since(self, now: float, back_seconds: int) -> str:
        """What to ask the engine for: from the moment on, and at least from `back_seconds` ago on.

        A moment that is still to come is forgotten: the clock was put back.

        Args:
            now: Seconds since 1970.
            back_seconds: How far back at least.
        """
        if self.moment > now * _NANOSECONDS:
            self.moment = 0
        wanted = (int(now) - back_seconds) * _NANOSECONDS
        seconds, rest = divmod(min(wanted, self.moment or wanted), _NANOSECONDS)
        return f"{seconds}.{rest:09}" if rest else str(seconds)

    def is_new(self, moment: int) -> bool:
        """Whether nothing of that moment was written yet."""
        return moment > self.moment

    def move(self, moment: int) -> None:
        """It is written; where the moment cannot be kept, the next gateway repeats the event."""
        self.moment = max(self.moment, moment)
        if self._path is None:
            return
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            draft.write_text(f"{self.moment}\n", encoding="ascii")
            draft.replace(self._path)


def _kept(path: Path | None) -> int:
    if path is None:
        return 0
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return 0
    return int(text) if _MOMENT.match(text) else 0
