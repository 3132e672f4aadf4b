"""`docker build`: the classic builder, within the person's bounds and from the person's images.

Steps of a build are containers of the engine's own making: root inside, with Docker's default
capabilities, nothing of the host in them, in the person's cgroup and on the person's network.
docs/decisions/007-no-buildkit.md says why it is not BuildKit.
"""

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from weakref import WeakValueDictionary

from ds01_spawner.adapters.docker_engine.demand import PLAIN_RUNTIMES
from ds01_spawner.domain.errors import DS01Error, Forbidden, NotFound, Refused, Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import user_slug
from ds01_spawner.gateway.docker.build_context import BuildContext, Spool, read_context
from ds01_spawner.gateway.docker.build_options import (
    BuildOptions,
    BuildSite,
    build_options,
    builder_query,
)
from ds01_spawner.gateway.docker.build_output import (
    LateReply,
    OnOutput,
    OutputReply,
    Words,
    failure_line,
)
from ds01_spawner.gateway.docker.dockerfile import parse_dockerfile
from ds01_spawner.gateway.docker.dockerfile_plan import Base, plan_build
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.image_names import engine_reference
from ds01_spawner.gateway.docker.image_rights import ImageRights, labels_of
from ds01_spawner.gateway.docker.network_lookup import OwnNetworks
from ds01_spawner.gateway.docker.own_images import OwnImages, checked
from ds01_spawner.gateway.docker.progress_lines import Progress, line_of
from ds01_spawner.gateway.docker.pull import Pull
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer, Call, Handler, Reply
from ds01_spawner.operations.build_place import KEEP_EVERY, BuildPlace

MOST_AT_ONCE = 4
"""Builds of everybody together; others wait. Of one person there is one at a time."""

LONGEST_SECONDS = 4 * 3600
_PIECE = 1024**2
_T = TypeVar("_T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BuildResult:
    """How a build ended.

    Attributes:
        image_id: Id of the image; empty where there is none.
        failure: What went wrong, in the person's words; empty when nothing did.
    """

    image_id: str
    failure: str


@dataclass(frozen=True, slots=True)
class _Job:
    caller: Caller
    options: BuildOptions
    on_output: OnOutput
    rights: ImageRights


class Builds:
    """Builds images.

    Args:
        door: What handlers stand on.
        images: Finds images.
        networks: Finds the person's network.
        pull: Fetches bases that may be fetched.
    """

    def __init__(self, door: Door, images: OwnImages, networks: OwnNetworks, pull: Pull) -> None:
        self._door = door
        self._engine = door.engine
        self._images = images
        self._networks = networks
        self._pull = pull
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {"POST /build": self.answer}

    async def answer(self, call: Call, reply: Reply) -> None:
        """`docker build`."""
        options = build_options(call.query)
        late = LateReply(reply)
        try:
            await self.build(call.caller, call.body.chunks(), options, late.write)
        except DS01Error as exc:
            if not late.began:
                raise
            await late.write(failure_line(str(exc)))
        await late.finish()

    async def build(
        self,
        caller: Caller,
        context: AsyncIterator[bytes],
        options: BuildOptions,
        on_output: OnOutput,
        *,
        interface: Interface = Interface.DOCKER,
    ) -> BuildResult:
        """Build an image; cancelling the call cancels the build.

        A person's builds go one after the other, from the first byte of their context on.

        Args:
            caller: Whose image it is.
            context: A tar archive, plain or compressed.
            options: What is wanted.
            on_output: Takes what the builder tells, lines of JSON, and holds it back by not
                returning.
            interface: The door, for the log.

        Raises:
            Refused: It is not allowed, or makes no sense; nothing was built.
            NotFound: An image that it needs is not there.
            Unavailable: Something needed does not answer.
        """
        turn = self._turns.setdefault(caller.user, asyncio.Lock())
        began, outcome, reason, details = time.monotonic(), "cancelled", "", {}
        try:
            async with turn, asyncio.timeout(LONGEST_SECONDS):
                began = time.monotonic()
                result = await self._build(caller, context, options, on_output)
            outcome, reason = "failed" if result.failure else "ok", result.failure
            details = {"id": result.image_id}
        except DS01Error as exc:
            outcome, reason = "refused" if isinstance(exc, Refused) else "failed", str(exc)
            raise
        except TimeoutError as exc:
            outcome, reason = "failed", f"It took more than {LONGEST_SECONDS // 3600} hours."
            raise Unavailable(
                f"The build was ended. {reason}", "Build it in smaller parts."
            ) from exc
        finally:
            seconds = round(time.monotonic() - began, 1)
            write = self._event(caller, options, interface, outcome, reason, seconds, details)
            await asyncio.shield(self._door.threads.run(caller.user, write))
        return result

    async def _build(
        self,
        caller: Caller,
        chunks: AsyncIterator[bytes],
        options: BuildOptions,
        on_output: OnOutput,
    ) -> BuildResult:
        rights = await self._images.rights(caller)
        await self._check_runtime()
        job = _Job(caller, options, on_output, rights)
        async with self._spooled(job, chunks) as context:
            if self._slots.locked():
                waiting = f"{MOST_AT_ONCE} builds are going on; yours begins when one has ended.\n"
                await on_output(line_of({"stream": waiting}))
            async with self._slots, self._place(job) as place:
                return await self._run(job, context, place)

    async def _run(self, job: _Job, context: BuildContext, place: BuildPlace) -> BuildResult:
        options, user = job.options, job.caller.user
        plan = plan_build(parse_dockerfile(context.dockerfile), options.build_args)
        bases = {word: await self._base(job, word) for word in plan.images}
        dockerfile = plan.rewritten(bases, user_slug(user))
        if any(base.triggers for base in bases.values()):
            # They run before anything says whose layers these are: nobody's may be used again.
            options = replace(options, no_cache=True)
        site = BuildSite(
            user=user,
            cgroup_parent=place.cgroup_parent,
            network=await self._network(job),
            dockerfile=context.name,
            cache_from=await self._cache(job),
        )
        query = builder_query(options, job.rights.limits, site)
        words = Words(user, {base.id: word for word, base in bases.items()})
        answer = OutputReply(job.on_output)
        progress = Progress(answer, words.told)
        await self._engine.relay(
            _own_call(job),
            progress,
            "POST",
            "/build",
            query,
            stream=self._sent(job, context, dockerfile),
            headers={"Content-Type": "application/x-tar"},
        )
        if answer.error:
            checked(Answer(answer.status, _decoded(answer.error)), user)
        return BuildResult(words.image_id, words.own(progress.failure, with_ids=True))

    async def _base(self, job: _Job, word: str) -> Base:
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
        triggers = (found.get("Config") or {}).get("OnBuild") or ()
        return Base(str(found["Id"]), labels_of(found), tuple(map(str, triggers)))

    async def _fetch(self, job: _Job, reference: str) -> None:
        answer = OutputReply(job.on_output)
        failure = await self._pull.fetch(_own_call(job), answer, reference)
        if failure or answer.error:
            raise NotFound(f"{reference} could not be fetched: {failure}")

    async def _cache(self, job: _Job) -> tuple[str, ...]:
        found: list[str] = []
        for word in job.options.cache_from:
            with contextlib.suppress(NotFound):
                _reference, image = await self._images.image(job.caller, word, job.rights)
                found.append(str(image["Id"]))
        return tuple(found)

    async def _network(self, job: _Job) -> str:
        if job.options.network != "default":
            return job.options.network
        network = await self._networks.network(job.caller, "")
        return str(network["Name"])

    async def _check_runtime(self) -> None:
        """Steps run in the engine's default runtime, and NVIDIA's gives them what they ask for."""
        answer = checked(await self._engine.ask("GET", "/info"))
        runtime = (answer.value or {}).get("DefaultRuntime")
        if runtime not in PLAIN_RUNTIMES:
            raise Forbidden(
                f"Nothing can be built: the engine's default runtime is {runtime}, which would "
                "give every step all GPUs.",
                "Ask the administrator to make runc the default.",
            )

    @contextlib.asynccontextmanager
    async def _spooled(
        self, job: _Job, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[BuildContext]:
        folder = self._door.platform.directories.state / "builds"
        spool = await self._in_thread(job, lambda: Spool(folder))
        try:
            held = bytearray()
            async for chunk in chunks:
                held += chunk
                if len(held) >= _PIECE:
                    await self._written(job, spool, bytes(held))
                    held.clear()
            await self._written(job, spool, bytes(held))
            dockerfile = job.options.dockerfile
            yield await self._in_thread(job, lambda: read_context(spool, dockerfile))
        finally:
            spool.close()

    async def _written(self, job: _Job, spool: Spool, piece: bytes) -> None:
        await self._in_thread(job, lambda: spool.write(piece))

    async def _sent(
        self, job: _Job, context: BuildContext, dockerfile: str
    ) -> AsyncIterator[bytes]:
        chunks = context.chunks(dockerfile)
        while chunk := await self._in_thread(job, lambda: next(chunks, b"")):
            yield chunk

    @contextlib.asynccontextmanager
    async def _place(self, job: _Job) -> AsyncIterator[BuildPlace]:
        places, user = self._door.platform.build_places, job.caller.user
        limits = job.rights.limits
        place = await self._in_thread(job, lambda: places.begin(user, limits))
        keeping = asyncio.create_task(self._keep(job, place))
        try:
            yield place
        finally:
            keeping.cancel()
            ending = self._in_thread(job, lambda: places.end(place))
            with contextlib.suppress(Unavailable):  # then it lapses by itself
                await asyncio.shield(asyncio.ensure_future(ending))

    async def _keep(self, job: _Job, place: BuildPlace) -> None:
        places = self._door.platform.build_places
        while True:
            await asyncio.sleep(KEEP_EVERY.total_seconds())
            try:
                await self._in_thread(job, lambda: places.keep(place))
            except Unavailable as exc:
                _log.warning("the place of a build of %s is not kept: %s", place.user, exc)

    async def _in_thread(self, job: _Job, deed: Callable[[], _T]) -> _T:
        return await self._door.threads.run(job.caller.user, deed)

    def _event(  # noqa: PLR0913, PLR0917 - an event has that many parts
        self,
        caller: Caller,
        options: BuildOptions,
        interface: Interface,
        outcome: str,
        reason: str,
        seconds: float,
        details: Mapping[str, object],
    ) -> Callable[[], None]:
        def write() -> None:
            self._door.platform.audit.write(
                "image.build",
                user=caller.user,
                resource=(options.tags or ("",))[0][:200],
                interface=interface.value,
                outcome=outcome,
                reason=reason,
                details={**details, "seconds": seconds},
            )

        return write


class _NoBody:
    """The body of a question of our own."""

    async def read(self, limit_bytes: int) -> bytes:
        del limit_bytes
        return b""

    async def chunks(self) -> AsyncIterator[bytes]:
        return
        yield b""


def _own_call(job: _Job) -> Call:
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


def _decoded(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return {"message": content.decode("utf-8", "replace")[:1000]}
