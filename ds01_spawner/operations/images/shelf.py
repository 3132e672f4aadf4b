"""What images are on this machine, read once for everybody who looks at a form."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from ds01_spawner.ports import Engine, LocalImage

SHARED_FOR = timedelta(seconds=2)


class ImageShelf:
    """The images on this machine. Safe to use from many threads.

    Args:
        engine: Asked for them.
        monotonic: The time, in seconds.
    """

    def __init__(self, engine: Engine, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._read: tuple[float, Mapping[str, LocalImage]] | None = None

    def read(self) -> Mapping[str, LocalImage]:
        """By reference; two seconds old at most.

        Raises:
            Unavailable: The engine does not answer.
        """
        with self._lock:
            now = self._monotonic()
            if self._read is None or now - self._read[0] > SHARED_FOR.total_seconds():
                self._read = now, self._engine.local_images()
            return self._read[1]
