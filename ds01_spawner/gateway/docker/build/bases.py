"""The images that a build stands on: found for the person, fetched where that is allowed."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ds01_spawner.adapters.docker_engine.demand import PLAIN_RUNTIMES
from ds01_spawner.domain.closed_places import check_image_volumes, check_working_dir
from ds01_spawner.domain.errors import Forbidden, NotFound, Refused
from ds01_spawner.gateway.docker.build.options import BuildOptions
from ds01_spawner.gateway.docker.build.output import OnOutput, OutputReply
from ds01_spawner.gateway.docker.dockerfile.growth import check_inherited
from ds01_spawner.gateway.docker.dockerfile.plan import Base
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.pull import Pull
from ds01_spawner.gateway.docker.images.rights import ImageRights, labels_of
from ds01_spawner.gateway.docker.reading.image_names import engine_reference
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call
from ds01_spawner.gateway.wire.engine_answers import checked


@dataclass(frozen=True, slots=True)
class BuildJob:
    """One build.

    Attributes:
        caller: Whose image it is.
        options: What is wanted.
        on_output: Takes what is told.
        rights: What the caller may use.
    """

    caller: Caller
    options: BuildOptions
    on_output: OnOutput
    rights: ImageRights


class BuildBases:
    """Finds what a build uses."""

    def __init__(self, door: Door, images: OwnImages, pull: Pull) -> None:
        self._engine = door.engine
        self._images = images
        self._pull = pull

    async def check_runtime(self) -> None:
        """Return when steps of builds get no GPU: they run in the engine's default runtime.

        Raises:
            Forbidden: It is one that gives them what their environment asks for.
        """
        answer = checked(await self._engine.ask("GET", "/info"))
        runtime = (answer.value or {}).get("DefaultRuntime")
        if runtime not in PLAIN_RUNTIMES:
            raise Forbidden(
                f"Nothing can be built: the engine's default runtime is {runtime}, which would "
                "give every step all GPUs.",
                "Ask the administrator to make runc the default.",
            )

    async def base(self, job: BuildJob, word: str) -> Base:
        """The image that a Dockerfile calls `word`.

        Raises:
            NotFound: The person may not use it, or it cannot be fetched.
            InvalidRequest: It cannot be the name of an image.
        """
        rights = job.rights
        reference = _reference(word)
        fetchable = bool(reference) and rights.catalogue.is_pullable(reference)
        if fetchable and job.options.pull:
            await self._fetch(job, reference)
        try:
            _name, found = await self._images.image(job.caller, word, rights)
        except NotFound as exc:
            if not reference or not (fetchable or rights.is_shared(reference)):
                raise NotFound(exc.message, rights.catalogue.pull_choices()) from exc
            await self._fetch(job, reference)
            _name, found = await self._images.image(job.caller, word, rights)
        config = found.get("Config") or {}
        check_inherited(config.get("Env") or (), word)
        check_image_volumes(word, config.get("Volumes") or ())
        check_working_dir(config.get("WorkingDir") or "")
        triggers = config.get("OnBuild") or ()
        return Base(str(found["Id"]), labels_of(found), tuple(map(str, triggers)))

    async def cache(self, job: BuildJob) -> tuple[str, ...]:
        """Ids of the images whose layers may be used again; what the person does not see is not."""
        found: list[str] = []
        for word in job.options.cache_from:
            with contextlib.suppress(NotFound):
                _name, image = await self._images.image(job.caller, word, job.rights)
                found.append(str(image["Id"]))
        return tuple(found)

    async def _fetch(self, job: BuildJob, reference: str) -> None:
        answer = OutputReply(job.on_output)
        failure = await self._pull.fetch(own_call(job), answer, reference)
        if failure or answer.error:
            raise NotFound(f"{reference} could not be fetched: {failure}")


class _NoBody:
    """The body of a question of our own."""

    async def read(self, limit_bytes: int) -> bytes:
        del limit_bytes
        return b""

    async def chunks(self) -> AsyncIterator[bytes]:
        return
        yield b""


def own_call(job: BuildJob) -> Call:
    """What the engine is asked in the course of a build, as if a client had."""
    platform = job.options.platform
    return Call(
        id=uuid.uuid4().hex,
        caller=job.caller,
        method="POST",
        version="",
        parts={},
        query={"platform": [platform]} if platform else {},
        headers={},
        body=_NoBody(),
        upgrade="",
        gone=asyncio.Event(),
    )


def _reference(word: str) -> str:
    """What `word` is called in the engine if it is a name; empty for an id or nonsense."""
    try:
        return engine_reference(word)
    except Refused:
        return ""
