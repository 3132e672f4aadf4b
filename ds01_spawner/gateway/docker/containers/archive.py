"""`docker cp`: files of one's own containers.

The engine copies as root, and mounts what a container has wherever the paths lead at that moment.
Who can change a folder on the way, in a volume or from within, has something mounted over any
folder of the host. So it copies only where nothing is mounted and nothing runs; what runs is copied
from within by a process of the container's user (`adapters.container_files`), the rest by nobody.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any
from weakref import WeakValueDictionary

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict, InvalidRequest
from ds01_spawner.domain.grant import NOTICES
from ds01_spawner.domain.wording import clean
from ds01_spawner.gateway.docker.containers.archive_process import Copying, Visit, copying
from ds01_spawner.gateway.docker.containers.deeds import ContainerDeeds, Deed
from ds01_spawner.gateway.docker.containers.lookup import Owned, labels_of
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.options.exec import runs_as
from ds01_spawner.gateway.docker.reading.parameters import flag
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Handler, Reply

STAT_HEADER = "X-Docker-Container-Path-Stat"
_TAR = "application/x-tar"
_LONGEST_PATH = 200
_EACH = 4
"""How many copies of one person run at a time; the others wait their turn."""


class Way(StrEnum):
    """Who copies."""

    ENGINE = "engine"
    INSIDE = "inside"
    NOBODY = "nobody"


def way_of(inspected: Mapping[str, Any]) -> Way:
    """Who copies from and to a container, by its inspect JSON. Pure.

    The folder with notices changes nothing: nobody writes there. What docker did not make, its
    maker starts without a look at copies (`Stillness`).
    """
    state = inspected.get("State") or {}
    if state.get("Restarting"):
        return Way.NOBODY
    if state.get("Running"):
        return Way.INSIDE if state.get("Pid") else Way.NOBODY
    is_dockers = labels.origin_of(labels_of(inspected)) in labels.DOCKER_DOORS
    has_only_notices = all(_is_notices(mount) for mount in inspected.get("Mounts") or ())
    return Way.ENGINE if is_dockers and has_only_notices else Way.NOBODY


def _is_notices(mount: Mapping[str, Any]) -> bool:
    is_there = mount.get("Type") == "bind" and mount.get("Destination") == NOTICES
    return is_there and mount.get("RW") is False


class Archive:
    """Copies files out of containers and into them."""

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._engine = door.engine
        self._owned = owned
        self._deeds = ContainerDeeds(door)
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "HEAD /containers/{id}/archive": self.stat,
            "GET /containers/{id}/archive": self.get,
            "PUT /containers/{id}/archive": self.put,
        }

    async def stat(self, call: Call, reply: Reply) -> None:
        """What is at a path."""
        found = await self._found(call)
        if way_of(found) is Way.ENGINE:
            async with self._still(call, found):
                await self._relay(call, reply, found)
            return
        async with self._inside(call, found, "stat") as copy:
            await reply.empty(200, _headers(copy))

    async def get(self, call: Call, reply: Reply) -> None:
        """A file or a folder, as an archive."""
        found = await self._found(call)
        if way_of(found) is Way.ENGINE:
            async with self._still(call, found):
                await self._record(call, found, "out")
                await self._relay(call, reply, found)
            return
        async with self._inside(call, found, "get") as copy:
            await self._record(call, found, "out")
            await reply.begin(200, {**_headers(copy), "Content-Type": _TAR})
            async for part in copy.archive():
                await reply.write(part)
            await reply.finish()

    async def put(self, call: Call, reply: Reply) -> None:
        """An archive, made files in a folder."""
        found = await self._found(call)
        if way_of(found) is Way.ENGINE:
            async with self._still(call, found):
                await self._record(call, found, "in")
                await self._relay(call, reply, found, stream=call.body.chunks())
            return
        async with self._inside(call, found, "put") as copy:
            await self._record(call, found, "in")
            await copy.send(call.body.chunks())
        await reply.empty(200)

    async def _record(self, call: Call, found: Mapping[str, Any], direction: str) -> None:
        """Into the log before it is done: what of it arrives is the client's affair."""
        details = {"direction": direction, "path": clean(call.first("path"), _LONGEST_PATH)}
        await self._deeds.tell(call.caller, found, Deed("container.copy", details=details))

    async def _found(self, call: Call) -> dict[str, Any]:
        if not call.first("path"):
            raise InvalidRequest("bad parameter: 'path' cannot be empty")
        if "\0" in call.first("path"):
            raise InvalidRequest("bad parameter: 'path' holds a NUL")
        return await self._owned.made_here(call.caller, call.parts["id"])

    async def _relay(
        self,
        call: Call,
        reply: Reply,
        found: Mapping[str, Any],
        stream: AsyncIterator[bytes] | None = None,
    ) -> None:
        path = f"/containers/{found['Id']}/archive"
        headers = {"Content-Type": _TAR} if stream is not None else None
        await self._engine.relay(
            call, reply, call.method, path, call.query, stream=stream, headers=headers
        )

    @asynccontextmanager
    async def _still(self, call: Call, found: Mapping[str, Any]) -> AsyncIterator[None]:
        """While the engine copies, the container does not begin to run."""
        key, stillness = str(found["Id"]), self._door.platform.stillness
        await self._door.threads.run(
            call.caller.user,
            lambda: stillness.begin_copy(key),
            lambda _: stillness.end_copy(key),
        )
        try:
            again = await self._owned.made_here(call.caller, key)
            if way_of(again) is not Way.ENGINE:
                raise Conflict(f"{call.parts['id']} has just been started.", "Copy again.")
            yield
        finally:
            stillness.end_copy(key)

    @asynccontextmanager
    async def _inside(
        self, call: Call, found: Mapping[str, Any], ask: str
    ) -> AsyncIterator[Copying]:
        ref = call.parts["id"]
        if way_of(found) is Way.NOBODY:
            if (found.get("State") or {}).get("Restarting"):
                raise Conflict(f"{ref} is just being restarted.", "Copy again in a moment.")
            raise Conflict(
                f"{ref} is stopped and has volumes or folders mounted.",
                f"docker start {ref}, then copy.",
            )
        visit = visit_of(
            call.caller,
            found,
            ask,
            call.first("path"),
            keep_kinds=flag(call, "noOverwriteDirNonDir"),
        )
        turn = self._turns.get(call.caller.user)
        if turn is None:
            turn = self._turns[call.caller.user] = asyncio.Semaphore(_EACH)
        async with turn, copying(visit, ref) as copy:
            yield copy


def visit_of(
    caller: Caller, found: Mapping[str, Any], ask: str, path: str, *, keep_kinds: bool = False
) -> Visit:
    """What the process is told about a running container of the caller's. Pure.

    Where the image says who runs, nothing of the host's is mounted, and it is whoever runs there.

    Raises:
        Forbidden: The caller has no account to be in there.
    """
    account = caller.person
    is_own = runs_as(account, str((found.get("Config") or {}).get("User") or ""))
    return Visit(
        ask=ask,
        path=path,
        pid=int(found["State"]["Pid"]),
        container=str(found["Id"]),
        user=(account.uid, account.gid, account.group_ids) if is_own else None,
        keep_kinds=keep_kinds,
    )


def _headers(copy: Copying) -> dict[str, str]:
    told = json.dumps(copy.head["stat"]).encode()
    return {STAT_HEADER: base64.b64encode(told).decode("ascii")}
