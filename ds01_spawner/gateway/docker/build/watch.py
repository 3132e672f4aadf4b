"""Ends a build that makes more than its person may have, or than the disk holds."""

import asyncio
import re
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any, NoReturn, TypeVar

from ds01_spawner.domain.errors import DS01Error, QuotaExceeded, Unavailable
from ds01_spawner.domain.labels import IMAGE_OWNER
from ds01_spawner.domain.names import SEPARATOR, user_slug
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.allowed import LOOK_EVERY, look_for_room, while_allowed
from ds01_spawner.gateway.docker.images.lookup import image_path
from ds01_spawner.gateway.docker.images.new_images import NewImages, size_of, sizes_of
from ds01_spawner.gateway.docker.images.rights import labels_of
from ds01_spawner.gateway.docker.images.size_limit import SizeLimit, instruction
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.engine_answers import checked

MOST_FAILURES = 3
"""So often in a row what a build writes may be unknown."""

MOST_IMAGES = 64
"""So many ids are kept to be looked at, the newest ones; what is left out here is looked at before
it gets a name or is started."""

_LOOK_SECONDS = 60.0
_PAUSE = 0.2
"""Seconds at least between two looks, however much a build tells."""

_MADE = re.compile(r"^ ---> ([0-9a-f]{12})$", re.MULTILINE)
_T = TypeVar("_T")


class BuildWatch:
    """Follows one build.

    What a build tells may come from its steps. So an id in it is only where to look: what is found
    counts if it is an image of the person's. Which containers are its steps says the engine.

    Args:
        door: What handlers stand on.
        new: Looks at new images.
        caller: Whose build it is.
        limit: How large an image of theirs may be.
        cgroup_parent: Of the build's steps.
    """

    def __init__(
        self, door: Door, new: NewImages, caller: Caller, limit: SizeLimit, cgroup_parent: str
    ) -> None:
        self._door = door
        self._engine = door.engine
        self._new = new
        self._caller = caller
        self._limit = limit
        self._cgroup_parent = cgroup_parent
        self._news = asyncio.Event()
        self._images: deque[str] = deque(maxlen=MOST_IMAGES)
        self._others: frozenset[str] = frozenset()
        self._too_large = ""

    def told(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take note of what the builder tells, which is handed on as it is."""
        text = message.get("stream")
        if isinstance(text, str) and (images := _MADE.findall(text)):
            self._images.extend(images)
            self._news.set()
        return message

    async def during(self, build: Coroutine[Any, Any, _T]) -> _T:
        """What `build` returns, unless it has to be ended.

        Raises:
            QuotaExceeded: It makes more than its person may have; the last of it is gone.
            Unavailable: The disk is nearly full, or nobody knows how much the build writes.
        """
        in_room = while_allowed(build, look_for_room(self._door, self._caller))
        if self._limit.largest_bytes is None:
            return await in_room
        try:
            return await while_allowed(while_allowed(in_room, self._images_made()), self._steps())
        except QuotaExceeded:
            if self._too_large:
                await self._new.remove(self._too_large)
            raise

    async def _images_made(self) -> NoReturn:
        """Look at each image that may have been made."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._images:
                await self._check_image(self._images.popleft())
            await asyncio.sleep(_PAUSE)

    async def _check_image(self, image_id: str) -> None:
        try:
            answer = await self._engine.ask("GET", image_path(image_id, "json"))
        except Unavailable:  # looked at before it gets a name
            return
        if not answer.ok:
            return
        size, owner = size_of(answer.value), labels_of(answer.value).get(IMAGE_OWNER)
        if self._limit.allows(size) or owner != user_slug(self._caller.user):
            return
        self._too_large = str(answer.value["Id"])
        raise self._limit.refusal(size, await self._new.history(self._too_large))

    async def _steps(self) -> NoReturn:
        """Look at what is being written, from time to time."""
        failures = 0
        while True:
            try:
                await self._check_steps()
                failures = 0
            except QuotaExceeded:
                raise
            except DS01Error as exc:
                failures += 1
                if failures >= MOST_FAILURES:
                    raise Unavailable(
                        f"The build was ended: how much it writes could not be found out "
                        f"{failures} times in a row. {exc.message}",
                        "Write fewer files in one step, or try again when the server has less "
                        "to do.",
                    ) from exc
            await asyncio.sleep(LOOK_EVERY)

    async def _check_steps(self) -> None:
        """Look at the size of each container of the build.

        People's containers are in the same cgroup. They have their owner in their names, which
        nothing in a Dockerfile can give to a step's.
        """
        listed = checked(await self._engine.ask("GET", "/containers/json")).value or ()
        unnamed = {
            str(each["Id"])
            for each in listed
            if not any(SEPARATOR in name for name in each.get("Names") or ())
        }
        self._others &= unnamed
        for container in unnamed - self._others:
            path = f"/containers/{container}/json"
            answer = await self._engine.ask("GET", path)
            if answer.is_missing:
                continue
            if checked(answer).value["HostConfig"].get("CgroupParent") != self._cgroup_parent:
                self._others |= {container}
                continue
            await self._check_step(path)

    async def _check_step(self, path: str) -> None:
        answer = await self._engine.ask("GET", path, {"size": ["1"]}, seconds=_LOOK_SECONDS)
        if answer.is_missing:
            return
        found = checked(answer).value
        whole, written = sizes_of(found)
        if not self._limit.allows(whole):
            step = instruction(" ".join(found["Config"].get("Cmd") or ()))
            history = await self._new.history(str(found["Image"]))
            raise self._limit.refusal(whole, history, going_on=(step, written))
