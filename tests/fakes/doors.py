"""A door whose platform is only what a test names."""

from types import SimpleNamespace
from typing import Any, cast

from ds01_spawner.composition import Platform
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.wire.call import EngineLink
from ds01_spawner.gateway.wire.threads import Threads


def a_door(engine: EngineLink, **parts: Any) -> Door:
    """A door on `engine`; `parts` are the attributes of its platform."""
    return Door(cast(Platform, SimpleNamespace(**parts)), engine, Threads(2))
