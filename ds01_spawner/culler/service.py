"""The loop: a pass every half minute, whatever the last one ran into."""

import logging
import time

from ds01_spawner.adapters.hub_api import HubApi
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.operations.reconcile import Reconciler

PASS_SECONDS = 30.0

_log = logging.getLogger("ds01.culler")


def run(platform: Platform, *, hub_url: str | None, hub_token: str | None) -> None:
    """Repair for ever. Without a hub's URL and token, hub servers are not checked."""
    hub = HubApi(hub_url, hub_token) if hub_url and hub_token else None
    reconciler: Reconciler | None = None
    while True:
        try:
            reconciler = reconciler or platform.reconciler(hub)
            one_pass(reconciler)
        except DS01Error as exc:
            _log.warning("Pass skipped: %s", exc)
        except Exception:  # noqa: BLE001 - the top of the loop: said, and the loop goes on
            _log.exception("Pass failed")
        time.sleep(PASS_SECONDS)


def one_pass(reconciler: Reconciler) -> None:
    """One pass, said in the service's log."""
    report = reconciler.run()
    for repair in report.repairs:
        _log.info("%s removed: %s", repair.container.name, repair.reason)
    for note in report.notes:
        _log.warning("%s", note)
