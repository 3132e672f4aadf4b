"""What the tests of the notebook's wizards share."""

import threading
import time
from collections.abc import Callable

OWN = "ds01-widgets"


def threads() -> list[str]:
    """The wizards' threads that run."""
    return [each.name for each in threading.enumerate() if each.name.startswith(OWN)]


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Return when something is so; fails when it does not become so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
