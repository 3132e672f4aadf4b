"""What the handlers of the Docker door stand on."""

from dataclasses import dataclass

from ds01_spawner.composition import Platform
from ds01_spawner.gateway.wire.call import EngineLink
from ds01_spawner.gateway.wire.threads import Threads


@dataclass(frozen=True, slots=True)
class Door:
    """The platform, and the way to the engine.

    Attributes:
        platform: Everything that may block: only within `threads`.
        engine: The engine, on the event loop.
        threads: Runs what may block, a few at a time for each person.
    """

    platform: Platform
    engine: EngineLink
    threads: Threads
