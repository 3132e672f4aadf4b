"""`python -m ds01_spawner.culler`: the service, as the hub or systemd starts it."""

import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from ds01_spawner.adapters.hub_api import hub_from
from ds01_spawner.composition import open_platform
from ds01_spawner.culler.service import Pace, Service

INTERVAL_VARIABLE = "DS01_CULLER_PASS_SECONDS"
GRACE_VARIABLE = "DS01_CULLER_GRACE_SECONDS"


def main() -> None:
    """Run until the process, or the hub that started it, is ended."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s"
    )
    for ending in (signal.SIGTERM, signal.SIGINT):  # the latter may have come ignored
        signal.signal(ending, signal.default_int_handler)
    service = Service(open_platform(actor="culler"), hub_from(os.environ), _pace(os.environ))
    with suppress(KeyboardInterrupt):  # how the hub and systemd end their services
        service.run(_wanted(os.environ))


def _pace(environment: Mapping[str, str]) -> Pace:
    pace = Pace()
    return Pace(
        pass_seconds=_seconds(environment, INTERVAL_VARIABLE, pace.pass_seconds, least=0.1),
        grace=timedelta(
            seconds=_seconds(environment, GRACE_VARIABLE, pace.grace.total_seconds(), least=0.0)
        ),
    )


def _seconds(environment: Mapping[str, str], name: str, default: float, *, least: float) -> float:
    """The seconds that a variable says; ends the program where it says anything else."""
    text = environment.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (least <= seconds < math.inf):
        sys.exit(f"{name} is {text!r}; expected seconds, at least {least:g}, such as {default:g}.")
    return seconds


def _wanted(environment: Mapping[str, str]) -> Callable[[], bool]:
    """Whether the hub that started the service lives; without one, always.

    A hub that is killed leaves its services running, and the next hub starts its own.
    """
    if "JUPYTERHUB_SERVICE_NAME" not in environment:
        return lambda: True
    hub = os.getppid()
    return lambda: os.getppid() == hub


if __name__ == "__main__":
    main()
