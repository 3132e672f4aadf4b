"""The gateway, which remembers two hours of GPU load that nobody had to wait for.

DS01_PICTURES_HISTORY names a JSON file: by slot, how busy it is and since how many minutes.
"""

import json
import math
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ds01_spawner.gateway.__main__ import main
from ds01_spawner.gateway.web.utilisation import EVERY, IDLE_BELOW, KEPT, Utilisation

HISTORY = "DS01_PICTURES_HISTORY"


def _load(slot: int, level: float, minutes: float, ago: timedelta) -> float:
    if ago > timedelta(minutes=minutes):
        return 0.0
    if level < IDLE_BELOW:
        return level
    at = ago.total_seconds() / 60
    wave = 0.12 * math.sin(at / (3 + slot % 5)) + 0.07 * math.sin(at * (1 + slot % 3))
    return min(max(level + wave, 0.06), 1.0)


def _remember(memory: Utilisation) -> None:
    path = Path(os.environ[HISTORY])
    known = json.loads(path.read_text()) if path.exists() else {}
    now = datetime.now(UTC)
    for step in reversed(range(1, KEPT // EVERY)):
        ago = step * EVERY
        load = {
            slot: _load(number, level, minutes, ago)
            for number, (slot, (level, minutes)) in enumerate(sorted(known.items()))
        }
        memory.record(now - ago, load)


def _with_history(begin: Callable[[Utilisation], None]) -> Callable[[Utilisation], None]:
    def begun(memory: Utilisation) -> None:
        begin(memory)
        _remember(memory)

    return begun


if __name__ == "__main__":
    Utilisation.__init__ = _with_history(Utilisation.__init__)  # type: ignore[assignment, method-assign]
    main()
