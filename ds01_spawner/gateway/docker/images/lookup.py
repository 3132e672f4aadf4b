"""Finds images that a person may use, by every way that Docker lets one name them."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.domain.labels import IMAGE_OWNER
from ds01_spawner.domain.names import user_slug
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.rights import ImageRights
from ds01_spawner.gateway.docker.reading.filters import encode_filters
from ds01_spawner.gateway.docker.reading.image_names import candidates, id_prefix, is_full_id
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.engine_answers import checked


class OwnImages:
    """A person's images, and those that are shared with them."""

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._engine = door.engine
        self._owned = owned

    async def rights(self, caller: Caller) -> ImageRights:
        """What the caller may use now.

        Raises:
            Unavailable: Policy, catalogue or accounts cannot be read.
        """
        platform = self._door.platform

        def read() -> ImageRights:
            limits = platform.admission.limits(caller.user)
            return ImageRights(caller.user, limits, platform.images)

        return await self._door.threads.run(caller.user, read)

    async def image(
        self, caller: Caller, ref: str, rights: ImageRights | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The engine's reference (or id, of what has no tag) and inspect JSON of an image.

        For reading, go on with its `Id`; for starting, with the reference, which admission checks
        again.

        Args:
            caller: Who asks.
            ref: What the caller calls it: their own name, the engine's, a shared image's, an id, or
                a part of an id that begins no other id of an image that they see.
            rights: What the caller may use, where that is known.

        Raises:
            NotFound: There is no such image, or it is not for the caller.
            InvalidRequest: Several of the caller's have ids that begin so.
            Unavailable: Something needed cannot be read.
        """
        known = rights or await self.rights(caller)
        if not is_full_id(ref):
            by_name = await self._by_name(known, ref)
            if by_name is not None:
                return by_name
        digits = id_prefix(ref)
        found = None if digits is None else await self._by_id(caller, known, digits)
        if found is None:
            raise no_such_image(ref)
        return known.start_reference(found) or str(found["Id"]), found

    async def everything(self, *, intermediate: bool = False) -> list[dict[str, Any]]:
        """The engine's list of everybody's images; not to be shown as it is."""
        query = {"all": ["1"]} if intermediate else {}
        return list(checked(await self._engine.ask("GET", "/images/json", query)).value or ())

    async def dangling(self, rights: ImageRights) -> list[dict[str, Any]]:
        """The engine's list entries of what the person made and nobody calls anything."""
        mark = f"{IMAGE_OWNER}={user_slug(rights.user)}"
        query = {"filters": [encode_filters({"dangling": ["true"], "label": [mark]})]}
        return list(checked(await self._engine.ask("GET", "/images/json", query)).value or ())

    async def in_use(self, of: str = "") -> dict[str, list[Mapping[str, Any]]]:
        """Every container's list entry by the id of its image; or those of one image."""
        query = {"all": ["1"], **({"filters": [encode_filters({"ancestor": [of]})]} if of else {})}
        answer = checked(await self._engine.ask("GET", "/containers/json", query))
        found: dict[str, list[Mapping[str, Any]]] = {}
        for entry in answer.value or ():
            if not of or entry.get("ImageID") == of:
                found.setdefault(str(entry.get("ImageID")), []).append(entry)
        return found

    async def inspect(self, reference: str) -> dict[str, Any] | None:
        """What the engine says of an image, or `None`; whosever it is."""
        answer = await self._engine.ask("GET", image_path(reference, "json"))
        if answer.is_missing:
            return None
        return dict(checked(answer).value)

    async def _by_name(self, rights: ImageRights, ref: str) -> tuple[str, dict[str, Any]] | None:
        try:
            wanted = candidates(ref, rights.user)
        except InvalidRequest:
            if id_prefix(ref) is None:
                raise
            return None
        seen = [reference for reference in wanted if rights.may_see(reference)]
        every = await asyncio.gather(*(self.inspect(reference) for reference in seen))
        for reference, found in zip(seen, every, strict=True):
            if found is not None and (
                "@" in reference or reference in (found.get("RepoTags") or ())
            ):
                return reference, found
        return None

    async def _by_id(
        self, caller: Caller, rights: ImageRights, digits: str
    ) -> dict[str, Any] | None:
        if is_full_id(digits):
            found = await self.inspect(f"sha256:{digits}")
        else:
            every = await self.everything(intermediate=True)
            begun = [each for each in every if str(each["Id"]).startswith(f"sha256:{digits}")]
            mine = [each for each in begun if rights.sees(each)]
            if not mine and begun:
                used = await self._used(caller)
                mine = [each for each in begun if each["Id"] in used]
            if len(mine) > 1:
                raise InvalidRequest(f"Multiple IDs found with provided prefix: {digits}")
            found = await self.inspect(str(mine[0]["Id"])) if mine else None
        if found is None or rights.sees(found) or found["Id"] in await self._used(caller):
            return found
        return None

    async def _used(self, caller: Caller) -> frozenset[str]:
        """Ids of the images of the caller's containers."""
        listed = await self._owned.listed(caller, query={"all": "1"})
        return frozenset(str(each.get("ImageID")) for each in listed)


def no_such_image(ref: str) -> NotFound:
    """Docker's own words, for what does not exist and for what is not the caller's."""
    name = ref.rpartition("/")[2]
    plain = id_prefix(ref) is not None or ":" in name or "@" in name
    return NotFound(f"No such image: {ref}" if plain else f"No such image: {ref}:latest")


def image_path(reference: str, ending: str) -> str:
    """The engine's path of something about an image."""
    slash = "/" if ending else ""
    return f"/images/{quote(reference, safe='/:@')}{slash}{ending}"
