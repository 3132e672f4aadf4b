"""Images that people make: none has a name before it was looked at."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from ds01_spawner.domain.errors import Conflict, NotFound, Refused, Unavailable
from ds01_spawner.domain.image_size import KEY
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.lookup import OwnImages, image_path
from ds01_spawner.gateway.docker.images.rights import labels_of, tagged
from ds01_spawner.gateway.docker.images.size_limit import SizeLimit
from ds01_spawner.gateway.docker.reading.listing_bounds import check_labels_fit
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.policy.image_references import split_reference, without_namespace
from ds01_spawner.policy.wording import origin_in_words

_DELETE_SECONDS = 120.0
_RELEASED_WITHIN = 10.0
"""A build that was ended holds its last image until its step's container is gone."""

_LOOK_EVERY = 0.25


class NewImages:
    """Names what was made, or removes it.

    Args:
        door: What handlers stand on.
        images: Finds images.
    """

    def __init__(self, door: Door, images: OwnImages) -> None:
        self._door = door
        self._engine = door.engine
        self._images = images

    async def limit(self, caller: Caller) -> SizeLimit:
        """How large an image of the caller's may be now.

        Raises:
            Unavailable: Policy or accounts cannot be read.
        """
        platform = self._door.platform

        def read() -> SizeLimit:
            groups = caller.account.groups if caller.account else ()
            found = platform.policy.current().explain(caller.user, (), groups).limits[KEY]
            largest = platform.admission.limits(caller.user).max_image_size_bytes
            return SizeLimit(largest, origin_in_words(found, caller.user))

        return await self._door.threads.run(caller.user, read)

    async def keep(self, caller: Caller, image_id: str, references: Iterable[str] = ()) -> None:
        """Give a new image its names; what may not be is gone, and so are no names.

        Args:
            caller: Whose it is.
            image_id: What the engine calls it.
            references: Of the caller's own, in the engine's words.

        Raises:
            QuotaExceeded: It is too large.
            InvalidRequest: Its labels are too long, with all variables in them put in.
            Unavailable: The engine does not answer; it has no name.
        """
        made = await self._images.inspect(image_id) if image_id else None
        if made is None:
            raise Unavailable("The image is gone before it had a name.", "Make it again.")
        try:
            await self.check(caller, made)
        except Refused:
            await self.remove(image_id)
            raise
        for reference in references:
            repository, rest = split_reference(reference)
            query = {"repo": [repository], "tag": [rest.removeprefix(":")]}
            answer = await self._engine.ask("POST", image_path(image_id, "tag"), query)
            checked(answer, partial(without_namespace, user=caller.user))

    async def check(self, caller: Caller, image: Mapping[str, Any]) -> None:
        """Return when an image, as inspected, may have a name of the caller's, or be started.

        Raises:
            QuotaExceeded: It is too large.
            InvalidRequest: Its labels are too long.
            Unavailable: Policy or accounts cannot be read.
        """
        limit = await self.limit(caller)
        check_labels_fit(labels_of(image), whose="The labels of the image")
        if not limit.allows(size_of(image)):
            raise limit.refusal(size_of(image), await self.history(str(image["Id"])))

    async def check_container(self, caller: Caller, container_id: str) -> int:
        """Bytes that a container has written, when an image of it is small enough to be made.

        Raises:
            QuotaExceeded: It is not.
            Unavailable: The engine does not answer, or cannot say.
        """
        limit = await self.limit(caller)
        answer = await self._engine.ask(
            "GET", f"/containers/{container_id}/json", {"size": ["1"]}, seconds=_DELETE_SECONDS
        )
        found = checked(answer).value
        whole, written = sizes_of(found)
        if not limit.allows(whole):
            history = await self.history(str(found["Image"]))
            raise limit.refusal(whole, history, going_on=("what the container wrote", written))
        return written

    async def history(self, image_id: str) -> list[dict[str, Any]]:
        """Steps of an image, the newest first; none where the engine does not say them."""
        answer = await self._engine.ask("GET", image_path(image_id, "history"))
        return list(answer.value or ()) if answer.ok else []

    async def remove(self, image_id: str) -> None:
        """Remove an image that has no name; what it stands on stays, for the next try."""
        deadline = time.monotonic() + _RELEASED_WITHIN
        while True:
            found = await self._images.inspect(image_id)
            if found is None or tagged(found.get("RepoTags")):
                return
            query = {"noprune": ["1"]}
            path = image_path(image_id, "")
            try:
                checked(await self._engine.ask("DELETE", path, query, seconds=_DELETE_SECONDS))
            except NotFound:
                return
            except Conflict:  # in use
                if time.monotonic() > deadline:
                    return
                await asyncio.sleep(_LOOK_EVERY)
            else:
                return


def size_of(image: Mapping[str, Any]) -> int:
    """Bytes of an image with all that it stands on, as the engine inspects it."""
    return int(image.get("Size") or 0)


def sizes_of(container: Mapping[str, Any]) -> tuple[int, int]:
    """Bytes of a container with its image, and of what it has written, inspected with `size`.

    Raises:
        Unavailable: The engine could not tell: it says nothing then, or -1.
    """
    written = container.get("SizeRw")
    if written is None or int(written) < 0:
        raise Unavailable("The engine cannot say how much the container has written.", "Try again.")
    return int(container.get("SizeRootFs") or 0), int(written)
