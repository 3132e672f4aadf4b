"""The cgroup that steps of a build run in, from the first of them to the last."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.docker.build.bases import BuildJob
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.operations.images.build_place import KEEP_EVERY, BuildPlace

_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def held_place(door: Door, job: BuildJob) -> AsyncIterator[BuildPlace]:
    """Where the steps of a build run, kept while it goes on."""
    places, user = door.platform.build_places, job.caller.user
    limits = job.rights.limits
    place = await door.threads.run(job.caller.user, lambda: places.begin(user, limits))
    keeping = asyncio.create_task(_keep(door, job, place))
    try:
        yield place
    finally:
        keeping.cancel()
        ending = door.threads.run(job.caller.user, lambda: places.end(place))
        with contextlib.suppress(Unavailable):  # then it lapses by itself
            await asyncio.shield(asyncio.ensure_future(ending))


async def _keep(door: Door, job: BuildJob, place: BuildPlace) -> None:
    places = door.platform.build_places
    while True:
        await asyncio.sleep(KEEP_EVERY.total_seconds())
        try:
            await door.threads.run(job.caller.user, lambda: places.keep(place))
        except Unavailable as exc:
            _log.warning("the place of a build of %s is not kept: %s", place.user, exc)
