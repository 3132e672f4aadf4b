"""An audit log that nobody fills: what one person asks for is written so often, then counted."""

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ds01_spawner.domain.event import Event
from ds01_spawner.ports import EventLog

BURST = 600
PER_SECOND = 2.0
"""At 400 bytes each, 70 MB a day."""

TOLD_EVERY = timedelta(minutes=1)
LEFT_OUT = "events.left_out"
_ALWAYS = ("gpu.allocate", "gpu.release", "admin.")
"""Figures are made of these, or few people cause them."""


@dataclass(slots=True)
class _Account:
    left: float
    at: datetime
    told: datetime
    unwritten: int = 0


class BoundedLog:
    """The `EventLog` port on another. Safe to use from many threads.

    Events of requests from outside (`by` in their details) are bounded for each person who asks;
    of those beyond, one event each minute says how many there were.

    Args:
        log: Where events go.
        burst: How many at once.
        per_second: How many for ever.
    """

    def __init__(
        self, log: EventLog, *, burst: float = BURST, per_second: float = PER_SECOND
    ) -> None:
        self._log = log
        self._burst = burst
        self._per_second = per_second
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}

    def append(self, event: Event) -> None:
        """Write it, or count it.

        Raises:
            Unavailable: It could not be written.
        """
        by = event.details.get("by")
        if not isinstance(by, str) or event.action.startswith(_ALWAYS):
            self._log.append(event)
            return
        with self._lock:
            is_written, unwritten = self._counted(by, event.ts)
        if unwritten:
            self._log.append(
                replace(
                    event,
                    action=LEFT_OUT,
                    resource="",
                    outcome="ok",
                    reason=f"More than {self._per_second:g} events a second.",
                    details={"by": by, "count": unwritten},
                )
            )
        if is_written:
            self._log.append(event)

    def _counted(self, by: str, now: datetime) -> tuple[bool, int]:
        """Whether the event is written, and how many unwritten ones are told of before it."""
        account = self._accounts.setdefault(by, _Account(self._burst, now, now - TOLD_EVERY))
        passed = max(0.0, (now - account.at).total_seconds())
        account.left = min(self._burst, account.left + passed * self._per_second)
        account.at = now
        is_written = account.left >= 1
        if is_written:
            account.left -= 1
        else:
            account.unwritten += 1
        if not account.unwritten or abs(now - account.told) < TOLD_EVERY:
            return is_written, 0
        unwritten, account.unwritten, account.told = account.unwritten, 0, now
        return is_written, unwritten
