"""`docker cp`: files of one's own containers."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from ds01_spawner.adapters.docker_engine.inspection import inspected_container
from ds01_spawner.domain.errors import Conflict, InvalidRequest
from ds01_spawner.domain.wording import clean
from ds01_spawner.gateway.docker.containers.archive_process import Copying, Visit, copying
from ds01_spawner.gateway.docker.containers.archive_way import (
    Ground,
    Way,
    ground_of,
    refusal,
    volumes_of,
    way_of,
)
from ds01_spawner.gateway.docker.containers.deeds import ContainerDeeds, Deed
from ds01_spawner.gateway.docker.containers.lookup import Owned
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

NOWHERE = Ground()
"""For what runs: its layers do not matter."""


class Archive:
    """Copies files out of containers and into them."""

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._engine = door.engine
        self._owned = owned
        self._deeds = ContainerDeeds(door)
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._alone: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "HEAD /containers/{id}/archive": self.stat,
            "GET /containers/{id}/archive": self.get,
            "PUT /containers/{id}/archive": self.put,
        }

    async def stat(self, call: Call, reply: Reply) -> None:
        """What is at a path."""
        async with self._going(call, "stat") as (found, visit):
            if visit is None:
                return await self._relay(call, reply, found)
            async with self._visiting(call, visit) as copy:
                return await reply.empty(200, _headers(copy))

    async def get(self, call: Call, reply: Reply) -> None:
        """A file or a folder, as an archive."""
        async with self._going(call, "get") as (found, visit):
            if visit is None:
                await self._record(call, found, "out")
                return await self._relay(call, reply, found)
            async with self._visiting(call, visit) as copy:
                await self._record(call, found, "out")
                await reply.begin(200, {**_headers(copy), "Content-Type": _TAR})
                async for part in copy.archive():
                    await reply.write(part)
                return await reply.finish()

    async def put(self, call: Call, reply: Reply) -> None:
        """An archive, made files in a folder."""
        async with self._going(call, "put") as (found, visit):
            if visit is None:
                await self._record(call, found, "in")
                return await self._relay(call, reply, found, stream=call.body.chunks())
            async with self._visiting(call, visit) as copy:
                await self._record(call, found, "in")
                await copy.send(call.body.chunks())
            return await reply.empty(200)

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
    async def _going(
        self, call: Call, ask: str
    ) -> AsyncIterator[tuple[Mapping[str, Any], Visit | None]]:
        """The container, and the visit that copies; without one, the engine does."""
        found = await self._found(call)
        if _runs(found):
            yield found, await self._visit(call, found, NOWHERE, ask)
            return
        async with self._still(call, found) as again:
            ground = await self._door.threads.run(
                call.caller.user, lambda: ground_of(again, call.first("path"))
            )
            yield again, await self._visit(call, again, ground, ask)

    @asynccontextmanager
    async def _still(
        self, call: Call, found: Mapping[str, Any]
    ) -> AsyncIterator[Mapping[str, Any]]:
        """While files are copied, the container does not begin to run, and no other copy begins.

        Another one could make links where this one has looked already.
        """
        key, stillness = str(found["Id"]), self._door.platform.stillness
        alone = self._alone.get(key)
        if alone is None:
            alone = self._alone[key] = asyncio.Lock()
        async with alone:
            await self._door.threads.run(
                call.caller.user,
                lambda: stillness.begin_copy(key),
                lambda _: stillness.end_copy(key),
            )
            try:
                again = await self._owned.made_here(call.caller, key)
                if _runs(again):
                    raise Conflict(f"{call.parts['id']} has just been started.", "Copy again.")
                yield again
            finally:
                stillness.end_copy(key)

    async def _visit(
        self, call: Call, found: Mapping[str, Any], ground: Ground, ask: str
    ) -> Visit | None:
        """The visit that copies; without one, the engine does."""
        is_put, caller = ask == "put", call.caller
        way = way_of(found, ground, is_put=is_put)
        if way is Way.NOBODY:
            raise refusal(found, ground, call.parts["id"], is_put=is_put)
        if way is Way.ENGINE:
            return None
        if way is Way.BESIDE and is_put:
            # Not started yet, its volumes are still the image's.
            account, volumes = caller.person, self._door.platform.volume_folders
            container = inspected_container(found)
            await self._door.threads.run(caller.user, lambda: volumes.hand_over(account, container))
        keep_kinds = flag(call, "noOverwriteDirNonDir")
        return visit_of(caller, found, ask, call.first("path"), ground, keep_kinds=keep_kinds)

    @asynccontextmanager
    async def _visiting(self, call: Call, visit: Visit) -> AsyncIterator[Copying]:
        turn = self._turns.get(call.caller.user)
        if turn is None:
            turn = self._turns[call.caller.user] = asyncio.Semaphore(_EACH)
        async with turn, copying(visit, call.parts["id"]) as copy:
            yield copy


def visit_of(  # noqa: PLR0913 - what a visit is made of
    caller: Caller,
    found: Mapping[str, Any],
    ask: str,
    path: str,
    ground: Ground = NOWHERE,
    *,
    keep_kinds: bool = False,
) -> Visit:
    """What the process is told about a container of the caller's. Pure.

    Where the image says who runs, nothing of the host's is mounted, and it is whoever runs there.

    Raises:
        Forbidden: The caller has no account to be in there.
    """
    account = caller.person
    user = str((found.get("Config") or {}).get("User") or "")
    return Visit(
        ask=ask,
        path=path,
        pid=int(found["State"].get("Pid") or 0),
        container=str(found["Id"]),
        user=(account.uid, account.gid, account.group_ids) if runs_as(account, user) else None,
        keep_kinds=keep_kinds,
        layers=tuple(map(str, ground.layers)),
        volumes=volumes_of(found) if ground.layers else (),
        image_user=user if ground.layers else "",
    )


def _runs(inspected: Mapping[str, Any]) -> bool:
    state = inspected.get("State") or {}
    return bool(state.get("Running") or state.get("Restarting"))


def _headers(copy: Copying) -> dict[str, str]:
    told = json.dumps(copy.head["stat"]).encode()
    return {STAT_HEADER: base64.b64encode(told).decode("ascii")}
