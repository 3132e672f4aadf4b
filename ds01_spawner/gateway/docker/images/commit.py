"""`docker commit`: an image of one's own container, in one's own namespace."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ds01_spawner.domain.errors import DS01Error, Refused
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.changes import checked_changes, commit_config
from ds01_spawner.gateway.docker.images.images import wanted_reference
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.new_images import NewImages
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.reading.image_names import shown_image
from ds01_spawner.gateway.docker.reading.parameters import flag
from ds01_spawner.gateway.wire.call import Call, Handler, Query, Reply
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.gateway.wire.turns import Turns
from ds01_spawner.policy.image_references import without_namespace

COMMITS = 2
"""How many go on at a time, of different people: each copies what a container has written."""

_MOST_BYTES = 1024**2
_SECONDS = 3600.0
_LONGEST_NOTE = 4096


@dataclass(slots=True)
class _Asked:
    """One commit.

    Attributes:
        call: Who asks.
        container_id: Of the caller's.
        query: For the engine.
        config: The body for the engine.
        name: The engine's reference for the image; empty for none.
        begun: Whether the engine was asked: it goes on then, whoever waits for it.
    """

    call: Call
    container_id: str
    query: Query
    config: Mapping[str, Any]
    name: str
    begun: bool = False


class Commit:
    """`POST /commit`.

    Args:
        door: What handlers stand on.
        owned: The person's containers.
        images: Their images.
    """

    def __init__(self, door: Door, owned: Owned, images: OwnImages) -> None:
        self._door = door
        self._engine = door.engine
        self._owned = owned
        self._new = NewImages(door, images)
        self._turns = Turns(1, COMMITS)
        self._written = 0
        self._going: set[asyncio.Task[Mapping[str, Any]]] = set()

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {"POST /commit": self.commit}

    async def commit(self, call: Call, reply: Reply) -> None:
        """Make an image of a container of the caller's.

        The engine does not end what it has begun when its client goes. So it is waited for all the
        same: the next one has its turn then, and the image is looked at.
        """
        asked = await self._asked(call)
        going = asyncio.create_task(self._told(asked))
        self._going.add(going)
        going.add_done_callback(self._going.discard)
        try:
            made = await asyncio.shield(going)
        except asyncio.CancelledError:
            if not asked.begun:
                going.cancel()
            raise
        await reply.json(made, 201)

    async def _asked(self, call: Call) -> _Asked:
        found = await self._owned.made_here(call.caller, call.first("container"))
        content = await call.body.read(_MOST_BYTES)
        body = Fields.of(content if content.strip() else b"null")
        query = {
            "container": [str(found["Id"])],
            "changes": checked_changes(call.query.get("changes", ())),
            "pause": ["1" if not call.first("pause") or flag(call, "pause") else "0"],
        }
        name = ""
        if call.first("repo"):
            name = wanted_reference(call.first("repo"), call.first("tag"), call.caller.user)
        for key in ("comment", "author"):
            if call.first(key):
                query[key] = [call.first(key)[:_LONGEST_NOTE]]
        config = commit_config(body, found, call.caller.user)
        return _Asked(call, str(found["Id"]), query, config, name)

    async def _told(self, asked: _Asked) -> Mapping[str, Any]:
        """What was made; however it ends, the log says so."""
        caller = asked.call.caller
        outcome, reason, image_id = "failed", "cancelled", ""
        try:
            async with self._turns.of(caller.user):
                made = await self._made(asked)
            outcome, reason, image_id = "ok", "", str(made["Id"])
        except DS01Error as exc:
            outcome = "refused" if isinstance(exc, Refused) else "failed"
            reason = without_namespace(exc.logged, caller.user)
            raise
        finally:
            note = self._door.note(
                caller,
                "image.commit",
                shown_image(asked.name, caller.user),
                outcome=outcome,
                reason=reason,
                details={"container": asked.container_id, "id": image_id},
            )
            await asyncio.shield(note)
        return made

    async def _made(self, asked: _Asked) -> Mapping[str, Any]:
        caller = asked.call.caller
        written = await self._new.check_container(caller, asked.container_id)
        self._written += written  # of everybody's that go on: their room is no longer free
        try:
            await self._door.check_room(caller, self._written)
            asked.begun = True
            answer = await self._engine.ask(
                "POST",
                "/commit",
                asked.query,
                asked.config,
                version=asked.call.version,
                seconds=_SECONDS,
            )
            made = checked(answer, partial(without_namespace, user=caller.user)).value
        finally:
            self._written -= written
        names = [asked.name] if asked.name else []
        await self._new.keep(caller, str(made["Id"]), names)
        return dict(made)
