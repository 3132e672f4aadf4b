"""A circuit breaker: a stuck engine costs one thread, not all of them."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from ds01_spawner.domain.errors import Unavailable

NOTHING_LOST = "Nothing was lost; running containers go on. Try again in a minute."


class Breaker:
    """Lets calls of one kind through until the engine stops answering them.

    It opens after one timed-out call about the engine itself, or after `threshold` timed-out
    calls about different containers with no answer in between: one wedged container is not a
    stuck engine. While it is open, calls fail at once, except one at a time that finds out
    whether the engine answers again. Any answer closes it, an error answer too.
    """

    def __init__(
        self,
        complaint: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        threshold: int = 3,
        retry_seconds: float = 2.0,
    ) -> None:
        self._complaint = complaint
        self._now = now
        self._monotonic = monotonic
        self._threshold = threshold
        self._retry_seconds = retry_seconds
        self._lock = threading.Lock()
        self._suspects: set[str] = set()
        self._open_since: datetime | None = None
        self._next_probe = monotonic()
        self._probing = False

    def admit(self) -> bool:
        """Whether the call that may now be made is the probe of an open breaker.

        Every admitted call ends in `answered`, `timed_out` or `failed`.

        Raises:
            Unavailable: The engine does not answer, and it is not yet time to try again.
        """
        with self._lock:
            if self._open_since is None:
                return False
            if self._probing or self._monotonic() < self._next_probe:
                since = self._open_since.strftime("%H:%M:%S UTC")
                raise Unavailable(f"{self._complaint} (since {since}).", NOTHING_LOST)
            self._probing = True
            return True

    def answered(self, *, probe: bool) -> None:
        """The engine gave an answer of any kind."""
        with self._lock:
            self._suspects.clear()
            self._open_since = None
            self._settle(probe=probe)

    def timed_out(self, subject: str | None, *, probe: bool) -> None:
        """No answer before the deadline to a call about `subject`, or about the engine itself."""
        with self._lock:
            if subject is not None:
                self._suspects.add(subject)
            if subject is None or len(self._suspects) >= self._threshold:
                self._open_since = self._open_since or self._now()
            self._settle(probe=probe)

    def failed(self, *, probe: bool) -> None:
        """The call failed at once, as when the socket is closed: this says nothing of answers."""
        with self._lock:
            self._settle(probe=probe)

    def _settle(self, *, probe: bool) -> None:
        if probe:
            self._probing = False
        self._next_probe = self._monotonic() + self._retry_seconds
