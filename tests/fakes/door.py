"""What handlers of the Docker door stand on, without an engine, a ledger or a thread of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from ds01_spawner.adapters.volume_folders import EngineVolumeFolders
from ds01_spawner.composition import Platform
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.wire.call import EngineLink
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.allocation.disk_room import DiskRoom
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.containers.stillness import Stillness
from fakes.clock import FakeClock
from fakes.engine_link import FakeEngineLink
from fakes.event_log import FakeEventLog

_T = TypeVar("_T")


def a_door(engine: EngineLink, **parts: Any) -> Door:
    """A door on `engine`; `parts` are the attributes of its platform."""
    return Door(cast("Platform", SimpleNamespace(**parts)), engine, Threads(2))


class AtOnce(Threads):
    """Runs everything where it is asked for."""

    def __init__(self) -> None:
        super().__init__(1, 1)

    async def run(
        self, user: str, deed: Callable[[], _T], undo: Callable[[_T], None] | None = None
    ) -> _T:
        del user, undo
        return deed()


@dataclass
class FakeAdmission:
    """What admission is told of containers; fails with `error` then."""

    told: list[str] = field(default_factory=list)
    current: Limits = field(default_factory=Limits)
    error: DS01Error | None = None

    def limits(self, user: str) -> Limits:
        del user
        return self.current

    def forget(self, container: Container) -> None:
        self.told.append(f"forget {container.name}")
        if self.error is not None:
            raise self.error

    def renamed(self, container: Container, name: str) -> None:
        self.told.append(f"rename {container.name} {name}")


@dataclass
class FakeStarts:
    """Starts everything, or refuses with `error`."""

    started: list[tuple[str, str]] = field(default_factory=list)
    error: DS01Error | None = None

    def start(self, container_id: str, user: str) -> bool:
        if self.error is not None:
            raise self.error
        self.started.append((container_id, user))
        return True


class FakePlatform:
    """The parts of the platform that handlers of containers use."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.log = FakeEventLog()
        self.audit = Audit(self.clock, self.log, "gateway")
        self.admission = FakeAdmission()
        self.starts = FakeStarts()
        self.stillness = Stillness()
        self.disk_room = DiskRoom(lambda: "/")
        self.volume_folders = EngineVolumeFolders(lambda: Path("/var/lib/docker"))


@dataclass
class FakeDoor:
    """A door, and the fakes behind it."""

    engine: FakeEngineLink
    platform: FakePlatform = field(default_factory=FakePlatform)

    @property
    def door(self) -> Door:
        return Door(cast("Platform", cast("Any", self.platform)), self.engine, AtOnce())
