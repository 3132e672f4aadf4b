"""Ends a build that makes more than its person may have, or than the disk holds."""

import asyncio
import contextlib
import re
from collections.abc import Coroutine, Mapping
from typing import Any, NoReturn, TypeVar

from ds01_spawner.domain.errors import QuotaExceeded, Unavailable
from ds01_spawner.domain.labels import IMAGE_OWNER
from ds01_spawner.domain.names import user_slug
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.allowed import LOOK_EVERY, while_allowed
from ds01_spawner.gateway.docker.images.lookup import image_path
from ds01_spawner.gateway.docker.images.new_images import NewImages, size_of
from ds01_spawner.gateway.docker.images.rights import labels_of
from ds01_spawner.gateway.docker.images.size_limit import SizeLimit
from ds01_spawner.gateway.identity import Caller

_LOOK_SECONDS = 60.0
_MADE = re.compile(r"^ ---> ([0-9a-f]{12})$", re.MULTILINE)
_RUNS_IN = re.compile(r"^ ---> Running in ([0-9a-f]{12})$", re.MULTILINE)
_STEP = re.compile(r"^Step \d+/\d+ : (.*)$", re.MULTILINE)
_T = TypeVar("_T")


class BuildWatch:
    """Follows one build.

    What a build tells may come from its steps, so that an id in it is only where to look: what is
    found counts if it is an image of the person's, or a container of this build.

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
        self._image = ""
        self._container = ""
        self._step = ""
        self._too_large = ""

    def told(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take note of what the builder tells, which is handed on as it is."""
        text = message.get("stream")
        if not isinstance(text, str):
            return message
        if steps := _STEP.findall(text):
            self._step, self._container = steps[-1], ""
        if containers := _RUNS_IN.findall(text):
            self._container = containers[-1]
        if images := _MADE.findall(text):
            self._image, self._container = images[-1], ""
            self._news.set()
        return message

    async def during(self, build: Coroutine[Any, Any, _T]) -> _T:
        """What `build` returns, unless it has to be ended.

        Raises:
            QuotaExceeded: It makes more than its person may have; the last of it is gone.
            Unavailable: The disk is nearly full.
        """
        try:
            return await while_allowed(build, self._look_on())
        except QuotaExceeded:
            if self._too_large:
                await self._new.remove(self._too_large)
            raise

    async def _look_on(self) -> NoReturn:
        while True:
            await self._door.check_room(self._caller)
            if self._limit.largest_bytes is not None:
                with contextlib.suppress(Unavailable):  # looked at again, at last at the end
                    await self._check_image()
                    await self._check_step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._news.wait()
            self._news.clear()

    async def _check_image(self) -> None:
        image_id = self._image
        if not image_id:
            return
        answer = await self._engine.ask("GET", image_path(image_id, "json"))
        if not answer.ok:
            return
        size, owner = size_of(answer.value), labels_of(answer.value).get(IMAGE_OWNER)
        if self._limit.allows(size) or owner != user_slug(self._caller.user):
            return
        self._too_large = image_id
        raise self._limit.refusal(size, await self._new.history(image_id))

    async def _check_step(self) -> None:
        container, step = self._container, self._step
        if not container:
            return
        path, query = f"/containers/{container}/json", {"size": ["1"]}
        answer = await self._engine.ask("GET", path, query, seconds=_LOOK_SECONDS)
        if not answer.ok:
            return
        found = answer.value
        whole, written = int(found.get("SizeRootFs") or 0), int(found.get("SizeRw") or 0)
        if (
            self._limit.allows(whole)
            or found["HostConfig"].get("CgroupParent") != self._cgroup_parent
        ):
            return
        history = await self._new.history(str(found["Image"]))
        raise self._limit.refusal(whole, history, going_on=(step, written))
