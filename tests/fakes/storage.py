"""Homes whose size a test says."""

from datetime import timedelta

from ds01_spawner.domain.errors import NotFound, Unavailable
from ds01_spawner.domain.storage import WALK, Folder, StorageUse
from fakes.clock import FakeClock


class FakeStorageMeter:
    """The `StorageMeter` port.

    Attributes:
        sizes: Bytes by path; a path that is not there is no home.
        owners: Uid by path; others belong to whoever is asked for.
        largest: What every measurement names.
        seconds: How long a measurement takes, by path.
        stuck: Paths whose file system does not answer.
        source: `scan` or `quota`.
        measured: Paths measured, in order.
        bounds: What the kernel was told, by path.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.sizes: dict[str, int] = {}
        self.owners: dict[str, int] = {}
        self.largest: tuple[Folder, ...] = ()
        self.seconds: dict[str, float] = {}
        self.stuck: set[str] = set()
        self.source = WALK
        self.measured: list[str] = []
        self.bounds: dict[str, int | None] = {}
        self._clock = clock

    def measure(
        self, user: str, path: str, deadline: timedelta, uid: int | None = None
    ) -> StorageUse | None:
        self.measured.append(path)
        self._find(path, uid)
        left = timedelta(seconds=self.seconds.get(path, 0.0)) - deadline
        if left > timedelta(0):
            self._clock.advance(deadline)
            self.seconds[path] = left.total_seconds()
            return None
        self._clock.advance(timedelta(seconds=self.seconds.get(path, 0.0)))
        now = self._clock.now()
        return StorageUse(user, self.sizes[path], now, self.source, self.largest)

    def bound(
        self,
        user: str,
        path: str,
        limit_bytes: int | None,
        deadline: timedelta,
        uid: int | None = None,
    ) -> bool:
        del user, deadline
        self._find(path, uid)
        if self.source == WALK:
            return False
        self.bounds[path] = limit_bytes
        return True

    def _find(self, path: str, uid: int | None) -> None:
        if path in self.stuck:
            raise Unavailable(f"The file system of {path} does not answer.")
        if path not in self.sizes:
            raise NotFound(f"There is no home {path}.")
        if uid is not None and self.owners.get(path, uid) != uid:
            raise Unavailable(f"The home {path} belongs to somebody else.")
