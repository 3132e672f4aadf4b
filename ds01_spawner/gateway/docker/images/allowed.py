"""Lets something go on as long as it is allowed."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.identity import Caller

LOOK_EVERY = 10.0
"""Seconds between two looks at something that takes room."""

_T = TypeVar("_T")


async def while_allowed(
    deed: Coroutine[Any, Any, _T], looking: Coroutine[Any, Any, NoReturn]
) -> _T:
    """What `deed` returns; it is cancelled when `looking` raises, and that raised."""
    doing, watching = asyncio.ensure_future(deed), asyncio.ensure_future(looking)
    try:
        await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        return watching.result()
    finally:
        doing.cancel()
        watching.cancel()
        await asyncio.gather(doing, watching, return_exceptions=True)


async def look_for_room(door: Door, caller: Caller) -> NoReturn:
    """Look at the engine's disk from time to time.

    Raises:
        Unavailable: It is nearly full.
    """
    while True:
        await door.check_room(caller)
        await asyncio.sleep(LOOK_EVERY)
