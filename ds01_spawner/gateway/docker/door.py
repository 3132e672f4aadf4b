"""What the handlers of the Docker door stand on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ds01_spawner.composition import Platform
from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import EngineLink
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.gateway.wire.turns import Turns

REMOVALS_EACH, REMOVALS = 4, 8
"""How many containers are removed at a time, of one person and of all.

Engine 20.10 deadlocked for good when about 50 were removed at once; `docker rm` sends 50.
"""


def _removals() -> Turns:
    return Turns(REMOVALS_EACH, REMOVALS)


@dataclass(frozen=True, slots=True)
class Door:
    """The platform, and the way to the engine.

    Attributes:
        platform: Everything that may block: only within `threads`.
        engine: The engine, on the event loop.
        threads: Runs what may block, a few at a time for each person.
        removals: In which containers are removed.
    """

    platform: Platform
    engine: EngineLink
    threads: Threads
    removals: Turns = field(default_factory=_removals)

    async def check_room(self, caller: Caller, wanted_bytes: int = 0) -> None:
        """Return when the engine's disk has room for something more, so large where it is known.

        Raises:
            Unavailable: It has not.
        """

        def check() -> None:
            self.platform.disk_room.check(wanted_bytes)

        await self.threads.run(caller.user, check)

    async def note(  # noqa: PLR0913 - an event has that many parts
        self,
        caller: Caller,
        action: str,
        resource: str,
        *,
        interface: Interface = Interface.DOCKER,
        outcome: str = "ok",
        reason: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Write into the log what somebody did here; the parts are those of `Audit.write`.

        Raises:
            Unavailable: It could not be written.
        """

        def write() -> None:
            self.platform.audit.write(
                action,
                user=caller.user,
                resource=resource,
                interface=interface.value,
                outcome=outcome,
                reason=reason,
                details=details,
            )

        await self.threads.run(caller.user, write)
