"""A person's images, and the shared ones: listed, looked at, saved, tagged."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.lookup import OwnImages, image_path
from ds01_spawner.gateway.docker.images.new_images import NewImages
from ds01_spawner.gateway.docker.images.rights import ImageRights
from ds01_spawner.gateway.docker.images.view import (
    image_filters,
    image_history,
    inspected_image,
)
from ds01_spawner.gateway.docker.reading.filters import parse_filters
from ds01_spawner.gateway.docker.reading.image_names import (
    engine_reference,
    own_reference,
    shown_image,
)
from ds01_spawner.gateway.docker.reading.parameters import flag
from ds01_spawner.gateway.docker.reading.prune_filters import moment
from ds01_spawner.gateway.wire.call import Call, Handler, Query, Reply
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.policy.image_references import split_reference, without_namespace

MOST_NAMES = 64
_LOGIN = "x-registry-auth"


class Images:
    """Handlers that make and remove nothing but tags.

    Args:
        door: What handlers stand on.
        images: Finds images.
    """

    def __init__(self, door: Door, images: OwnImages) -> None:
        self._door = door
        self._engine = door.engine
        self._images = images
        self._new = NewImages(door, images)
        self._saves: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "GET /images/json": self.list,
            "GET /images/{ref}/json": self.inspect,
            "GET /images/{ref}/history": self.history,
            "GET /images/{ref}/get": self.save,
            "GET /images/get": self.save_many,
            "POST /images/{ref}/tag": self.tag,
            "GET /distribution/{ref}/json": self.distribution,
        }

    async def seen(self, call: Call) -> list[dict[str, Any]]:
        """The caller's images and the shared ones, as `GET /images/json` shows them.

        With the `all` and `filters` of the call, where it has them.

        Raises:
            InvalidRequest: A filter makes no sense.
            NotFound: A filter names an image that is not the caller's.
        """
        rights = await self._images.rights(call.caller)
        filters = parse_filters(call.first("filters"))
        named = [*filters.get("before", ()), *filters.get("since", ())]
        found = await asyncio.gather(
            *(self._images.image(call.caller, each, rights) for each in named[:MOST_NAMES])
        )
        is_all = flag(call, "all")
        every = await self._images.everything(intermediate=True) if named or is_all else []
        made = {str(each["Id"]): float(each.get("Created") or 0) for each in every}
        moments = {
            name: made.get(str(image["Id"]), 0.0)
            for name, (_, image) in zip(named, found, strict=False)
        }
        untils = [
            moment(each, self._door.platform.clock.now()) for each in filters.get("until", ())
        ]
        wanted = image_filters(filters, moments, min(untils, default=None))
        if not is_all:
            every = await self._images.everything()
        views = (wanted.view(each, rights) for each in every)
        return [each for each in views if each is not None]

    async def list(self, call: Call, reply: Reply) -> None:
        """`docker images`."""
        await reply.json(await self.seen(call))

    async def inspect(self, call: Call, reply: Reply) -> None:
        """`docker image inspect`."""
        rights, found = await self._found(call)
        await self._engine.relay(
            call,
            reply,
            "GET",
            image_path(found["Id"], "json"),
            rewrite=lambda value: inspected_image(value, rights) if "Id" in value else value,
        )

    async def history(self, call: Call, reply: Reply) -> None:
        """`docker history`."""
        rights, found = await self._found(call)
        await self._engine.relay(
            call,
            reply,
            "GET",
            image_path(found["Id"], "history"),
            rewrite=lambda value: (
                image_history(value, rights) if isinstance(value, list) else value
            ),
        )

    async def save(self, call: Call, reply: Reply) -> None:
        """`docker save` of one image, under the name that it has in the engine."""
        reference, _image = await self._images.image(call.caller, call.parts["ref"])
        await self._saved(call, reply, image_path(reference, "get"))

    async def save_many(self, call: Call, reply: Reply) -> None:
        """`docker save`."""
        names = [each for each in call.query.get("names", ()) if each]
        if not 0 < len(names) <= MOST_NAMES:
            raise InvalidRequest(f"{len(names)} images cannot be saved at once: 1 to {MOST_NAMES}.")
        rights = await self._images.rights(call.caller)
        found = [await self._images.image(call.caller, each, rights) for each in names]
        references = [reference for reference, _image in found]
        await self._saved(call, reply, "/images/get", {"names": references})

    async def _saved(self, call: Call, reply: Reply, path: str, query: Query | None = None) -> None:
        """One at a time for each person: the engine keeps a copy on its disk meanwhile."""
        turn = self._saves.setdefault(call.caller.user, asyncio.Lock())
        async with turn:
            await self._door.check_room(call.caller)
            await self._engine.relay(call, reply, "GET", path, query)

    async def tag(self, call: Call, reply: Reply) -> None:
        """`docker tag`: anything that one sees, in one's own namespace."""
        rights, found = await self._found(call)
        if rights.is_unchecked(found):
            await self._new.check(call.caller, found)
        wanted = wanted_reference(call.first("repo"), call.first("tag"), call.caller.user)
        repository, rest = split_reference(wanted)
        query = {"repo": [repository], "tag": [rest.removeprefix(":")]}
        path = image_path(found["Id"], "tag")
        answer = await self._engine.ask("POST", path, query, version=call.version)
        checked(answer, partial(without_namespace, user=call.caller.user))
        await self._record(call, wanted, str(found["Id"]))
        await reply.empty(201)

    async def distribution(self, call: Call, reply: Reply) -> None:
        """What a registry says of an image that may be fetched."""
        rights = await self._images.rights(call.caller)
        reference = engine_reference(call.parts["ref"])
        if not rights.catalogue.is_pullable(reference):
            raise Forbidden(
                f"Registries are not asked about {reference}.", rights.catalogue.pull_choices()
            )
        await self._engine.relay(
            call,
            reply,
            "GET",
            f"/distribution/{reference}/json",
            headers=registry_login(call),
        )

    async def _record(self, call: Call, reference: str, image_id: str) -> None:
        name = shown_image(reference, call.caller.user)
        await self._door.note(call.caller, "image.tag", name, details={"id": image_id})

    async def _found(self, call: Call) -> tuple[ImageRights, dict[str, Any]]:
        rights = await self._images.rights(call.caller)
        _reference, found = await self._images.image(call.caller, call.parts["ref"], rights)
        return rights, found


def wanted_reference(repository: str, tag: str, user: str) -> str:
    """The engine's reference for the repository and tag that an image is to have.

    Raises:
        InvalidRequest: It cannot be the person's.
    """
    return own_reference(f"{repository}:{tag}" if tag else repository, user)


def registry_login(call: Call) -> dict[str, str]:
    """The client's login for a registry, as the engine is told it; empty where there is none."""
    return {_LOGIN: call.headers[_LOGIN]} if _LOGIN in call.headers else {}
