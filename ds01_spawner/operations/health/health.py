"""Everything that an administrator would look at, side by side and each in its time."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime

from ds01_spawner.domain.errors import DS01Error, PolicyError
from ds01_spawner.domain.health import Checked, Level, Verdict, bad, doubtful
from ds01_spawner.domain.labels import format_timestamp

LONGEST_SECONDS = 10.0
"""What takes longer does not work."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """One look.

    Attributes:
        name: Of which part.
        look: Finds out how it is; may raise a `DS01Error`, which is as bad as its `severity`.
        severity: Of not being able to look.
    """

    name: str
    look: Callable[[], Verdict]
    severity: Level = Level.FAIL


class Health:
    """Makes checks.

    A check that hangs cannot be interrupted: it keeps its thread, which is a daemon's, and is
    not begun again until it returns.

    Args:
        checks: In the order in which they are told.
        seconds: How long each may take.
        monotonic: Seconds that never jump.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        *,
        seconds: float = LONGEST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = tuple(checks)
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._hanging: dict[str, Future[Checked]] = {}
        self._last: tuple[Checked, ...] = ()
        self._looks = 0

    def look(self) -> tuple[Checked, ...]:
        """Make every check, all at once; a look never takes longer than one check may.

        Nobody is told what was found before they asked; those who come while a look is made share
        the next one.
        """
        begun_before = self._looks
        with self._lock:
            if self._looks > begun_before:
                return self._last
            self._looks += 1
            under_way = [self._begun(check) for check in self._checks]
            wait(under_way, timeout=self._seconds)
            self._last = tuple(
                self._ended(check, future)
                for check, future in zip(self._checks, under_way, strict=True)
            )
            return self._last

    def _begun(self, check: Check) -> "Future[Checked]":
        before = self._hanging.get(check.name)
        if before is not None and not before.done():
            return before
        future: Future[Checked] = Future()
        threading.Thread(
            target=self._make, args=(check, future), name=f"check {check.name}", daemon=True
        ).start()
        return future

    def _make(self, check: Check, future: "Future[Checked]") -> None:
        begin = self._monotonic()
        try:
            verdict = check.look()
        except PolicyError as exc:
            hint = exc.next_step or "Correct the file, and restart the services."
            verdict = Verdict(check.severity, exc.message, hint)
        except DS01Error as exc:
            verdict = Verdict(check.severity, exc.message, exc.next_step)
        except Exception as exc:  # noqa: BLE001 - the top of a thread: said, and the others go on
            _log.exception("The check of %s failed", check.name)
            verdict = bad(f"It could not be looked at: {type(exc).__name__}.", "See the log.")
        future.set_result(Checked(check.name, verdict, self._monotonic() - begin))

    def _ended(self, check: Check, future: "Future[Checked]") -> Checked:
        if future.done():
            self._hanging.pop(check.name, None)
            return future.result()
        self._hanging[check.name] = future
        said = f"It did not answer in {self._seconds:g} s."
        hint = "Look whether it hangs: systemctl status, dmesg."
        return Checked(check.name, _late(check.severity)(said, hint), self._seconds)


def _late(severity: Level) -> Callable[[str, str], Verdict]:
    return bad if severity is Level.FAIL else doubtful


def health_json(checked: Sequence[Checked], taken_at: datetime) -> dict[str, object]:
    """What `ds01 health --json` prints.

    Args:
        checked: What was found.
        taken_at: When it was asked for: all of it was found later.
    """
    return {
        "taken_at": format_timestamp(taken_at),
        "ok": all(each.verdict.level is not Level.FAIL for each in checked),
        "parts": [
            {
                "name": each.name,
                "level": each.verdict.level.value,
                "ok": each.verdict.level is not Level.FAIL,
                "detail": each.verdict.what,
                "next_step": each.verdict.next_step,
                "seconds": round(each.seconds, 3),
            }
            for each in checked
        ],
    }
