"""The loop: pass after pass, whatever the last one ran into."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.domain.repair import GRACE
from ds01_spawner.operations.reconcile import Reconciler
from ds01_spawner.ports import HubClient

_log = logging.getLogger("ds01.culler")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the service looks, and how long it leaves things alone.

    Attributes:
        pass_seconds: Between two passes.
        grace: Nothing younger is repaired.
    """

    pass_seconds: float = 30.0
    grace: timedelta = GRACE


def run(platform: Platform, hub: HubClient | None, pace: Pace, wanted: Callable[[], bool]) -> None:
    """Repair for as long as the service is `wanted`. Without a hub its servers are not checked."""
    reconciler: Reconciler | None = None
    while wanted():
        try:
            reconciler = reconciler or platform.reconciler(hub, pace.grace)
            one_pass(reconciler)
        except DS01Error as exc:
            _log.warning("Pass skipped: %s", exc)
        except Exception:  # noqa: BLE001 - the top of the loop: said, and the loop goes on
            _log.exception("Pass failed")
        time.sleep(pace.pass_seconds)


def one_pass(reconciler: Reconciler) -> None:
    """One pass, said in the service's log."""
    report = reconciler.run()
    for repair in report.repairs:
        _log.info("%s removed: %s", repair.container.name, repair.reason)
    for note in report.notes:
        _log.warning("%s", note)
