"""`docker system df`: how much of the disk one's own things take."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.system.disk_use_view import TYPES, Things, disk_use, sizes_of
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.gateway.wire.turns import Turns

_SECONDS = 600.0
_REMEMBERED_SECONDS = 60.0
_MEASURED = 4
"""For how many people containers are measured at a time."""

ImagesSeen = Callable[[Call], Awaitable[Sequence[Mapping[str, Any]]]]
"""Images as `GET /images/json` shows them to the caller."""

OwnVolumes = Callable[[Caller], Awaitable[Sequence[Mapping[str, Any]]]]
"""The engine's JSON of somebody's volumes."""


class DiskUse:
    """Answers `GET /system/df`: the bytes of the caller's images, containers and volumes.

    What volumes take the engine finds out only for everybody at once, by walking all of them, and
    for one asker at a time; what images share, only with all of them. So it is asked once for all
    who want to know within a minute. Containers are measured one by one: only the caller's are, and
    each person's for one asker at a time.

    Args:
        door: What handlers stand on.
        owned: Finds containers.
        images: The caller's images.
        volumes: The caller's volumes.
    """

    def __init__(
        self, door: Door, owned: Owned, *, images: ImagesSeen, volumes: OwnVolumes
    ) -> None:
        self._engine = door.engine
        self._owned = owned
        self._images = images
        self._volumes = volumes
        self._turns = Turns(1, _MEASURED)
        self._asking: asyncio.Task[Mapping[str, Any]] | None = None
        self._asked_until = 0.0

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {"GET /system/df": self.df}

    async def df(self, call: Call, reply: Reply) -> None:
        """What each of the caller's things takes; nothing of what others have."""
        wanted = [kind for kind in call.query.get("type", ()) if kind in TYPES] or list(TYPES)
        async with self._turns.of(call.caller.user):
            sized = {"size": "1"} if "container" in wanted else {}
            entries, images, volumes = await asyncio.gather(
                self._owned.listed(call.caller, query={"all": "1", **sized}, version=call.version),
                self._images(call),
                self._volumes(call.caller),
            )
        needs_sizes = bool({"image", "volume"} & set(wanted))
        sizes = sizes_of(await self._everybodys() if needs_sizes else {})
        things = Things(call.caller.user, entries, images, volumes)
        await reply.json(disk_use(things, sizes, wanted))

    async def _everybodys(self) -> Mapping[str, Any]:
        now = asyncio.get_running_loop().time()
        asking = self._asking
        if asking is None or (asking.done() and (_failed(asking) or now >= self._asked_until)):
            asking = self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(asking)

    async def _ask(self) -> Mapping[str, Any]:
        """The engine's figures; none where it would not give them: then sizes are not known."""
        query = {"type": ["image", "volume"]}
        answer = await self._engine.ask("GET", "/system/df", query, seconds=_SECONDS)
        self._asked_until = asyncio.get_running_loop().time() + _REMEMBERED_SECONDS
        return answer.value if answer.ok and isinstance(answer.value, Mapping) else {}


def _failed(asking: asyncio.Task[Mapping[str, Any]]) -> bool:
    return asking.cancelled() or asking.exception() is not None
