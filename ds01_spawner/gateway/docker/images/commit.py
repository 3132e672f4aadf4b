"""`docker commit`: an image of one's own container, in one's own namespace."""

from collections.abc import Mapping
from functools import partial

from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.changes import checked_changes, commit_config
from ds01_spawner.gateway.docker.images.images import wanted_reference
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.new_images import NewImages
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.reading.image_names import shown_image
from ds01_spawner.gateway.docker.reading.parameters import flag
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.policy.image_references import without_namespace

_MOST_BYTES = 1024**2
_SECONDS = 3600.0
_LONGEST_NOTE = 4096


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

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {"POST /commit": self.commit}

    async def commit(self, call: Call, reply: Reply) -> None:
        """Make an image of a container of the caller's."""
        user = call.caller.user
        found = await self._owned.made_here(call.caller, call.first("container"))
        await self._door.check_room(call.caller)
        await self._new.check_container(call.caller, str(found["Id"]))
        content = await call.body.read(_MOST_BYTES)
        body = Fields.of(content if content.strip() else b"null")
        query = {
            "container": [str(found["Id"])],
            "changes": checked_changes(call.query.get("changes", ())),
            "pause": ["1" if not call.first("pause") or flag(call, "pause") else "0"],
        }
        name = ""
        if call.first("repo"):
            name = wanted_reference(call.first("repo"), call.first("tag"), user)
        for key in ("comment", "author"):
            if call.first(key):
                query[key] = [call.first(key)[:_LONGEST_NOTE]]
        answer = await self._engine.ask(
            "POST",
            "/commit",
            query,
            commit_config(body, found, user),
            version=call.version,
            seconds=_SECONDS,
        )
        made = checked(answer, partial(without_namespace, user=user)).value
        await self._new.keep(call.caller, str(made["Id"]), [name] if name else [])
        details = {"container": found["Id"], "id": made.get("Id")}
        await self._door.note(call.caller, "image.commit", shown_image(name, user), details=details)
        await reply.json(made, 201)
