"""`docker build`: the classic builder, within the person's bounds and from the person's images.

Steps of a build are containers of the engine's own making: root inside, with Docker's default
capabilities, nothing of the host in them, in the person's cgroup and on the person's network.
docs/decisions/007-no-buildkit.md says why it is not BuildKit.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from ds01_spawner.domain.errors import DS01Error, Refused, Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import user_slug
from ds01_spawner.gateway.docker.build.bases import BuildBases, BuildJob, own_call
from ds01_spawner.gateway.docker.build.context import BuildContext, Spool, read_context
from ds01_spawner.gateway.docker.build.options import (
    BuildOptions,
    BuildSite,
    build_options,
    builder_query,
    names_of,
)
from ds01_spawner.gateway.docker.build.output import (
    LateReply,
    OnOutput,
    OutputReply,
    QuietOutput,
    Words,
)
from ds01_spawner.gateway.docker.build.place import held_place
from ds01_spawner.gateway.docker.build.watch import BuildWatch
from ds01_spawner.gateway.docker.dockerfile.parsing import parse_dockerfile
from ds01_spawner.gateway.docker.dockerfile.plan import plan_build
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.images.new_images import NewImages
from ds01_spawner.gateway.docker.images.progress_lines import (
    UNREAD,
    Progress,
    failure_line,
    line_of,
)
from ds01_spawner.gateway.docker.images.pull import Pull
from ds01_spawner.gateway.docker.images.size_limit import logged_failure
from ds01_spawner.gateway.docker.networks.lookup import OwnNetworks
from ds01_spawner.gateway.docker.reading.image_names import shown_image
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer, Call, Handler, Reply
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.operations.images.build_place import BuildPlace
from ds01_spawner.policy.image_references import without_namespace
from ds01_spawner.recipes.dockerfile import HOST_FOLDER

MOST_AT_ONCE = 16
"""Builds of everybody together; others wait. Of one person there is one at a time, in the person's
cgroup: the load is bounded by that, and no few people can keep everybody waiting."""

LONGEST_SECONDS = 4 * 3600
_PIECE = 1024**2
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BuildResult:
    """How a build ended.

    Attributes:
        image_id: Id of the image; empty where there is none.
        failure: What went wrong, in the person's words; empty when nothing did.
    """

    image_id: str
    failure: str


@dataclass(slots=True)
class _Record:
    """What the log will say of one build."""

    outcome: str = "failed"
    reason: str = "cancelled"
    image_id: str = ""
    began: float = field(default_factory=time.monotonic)


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
        self._bases = BuildBases(door, images, pull)
        self._new = NewImages(door, images)
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
            await late.write(failure_line(str(exc.told_to(administrator=call.caller.is_admin))))
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
        record = _Record()
        try:
            async with turn, asyncio.timeout(LONGEST_SECONDS):
                record.began = time.monotonic()
                result = await self._build(caller, context, options, on_output, record)
        except DS01Error as exc:
            record.outcome = "refused" if isinstance(exc, Refused) else "failed"
            record.reason = exc.logged
            raise
        except TimeoutError as exc:
            record.reason = f"It took more than {LONGEST_SECONDS // 3600} hours."
            raise Unavailable(
                f"The build was ended. {record.reason}", "Build it in smaller parts."
            ) from exc
        finally:
            await asyncio.shield(self._note(caller, options, interface, record))
        return result

    async def _build(
        self,
        caller: Caller,
        chunks: AsyncIterator[bytes],
        options: BuildOptions,
        on_output: OnOutput,
        record: _Record,
    ) -> BuildResult:
        rights = await self._images.rights(caller)
        await self._bases.check_runtime()
        quiet = QuietOutput(on_output) if options.quiet else None
        job = BuildJob(caller, options, quiet.write if quiet else on_output, rights)
        async with self._spooled(job, chunks) as context:
            if self._slots.locked():
                waiting = f"{MOST_AT_ONCE} builds are going on; yours begins when one has ended.\n"
                await job.on_output(line_of({"stream": waiting}))
            async with self._slots, held_place(self._door, job) as place:
                result = await self._run(job, context, place, record)
        if quiet is not None:
            await quiet.finish(result.image_id)
        return result

    async def _run(
        self, job: BuildJob, context: BuildContext, place: BuildPlace, record: _Record
    ) -> BuildResult:
        options, user = job.options, job.caller.user
        names = names_of(options, user)
        plan = await self._in_thread(
            job, lambda: plan_build(parse_dockerfile(context.dockerfile), options.build_args)
        )
        bases = {word: await self._bases.base(job, word) for word in plan.images}
        dockerfile = plan.rewritten(bases, user_slug(user))
        if any(base.triggers for base in bases.values()):
            # They run before anything says whose layers these are: nobody's may be used again.
            options = replace(options, no_cache=True)
        site = BuildSite(
            user=user,
            cgroup_parent=place.cgroup_parent,
            network=await self._network(job),
            dockerfile=context.name,
            cache_from=await self._bases.cache(job),
        )
        query = builder_query(options, job.rights.limits, site)
        words = Words(user, {base.id: word for word, base in bases.items()})
        limit = await self._new.limit(job.caller)
        watch = BuildWatch(self._door, self._new, job.caller, limit, place.cgroup_parent)
        answer = OutputReply(job.on_output)
        progress = Progress(answer, lambda message: words.told(watch.told(message)), strict=True)
        try:
            building = self._engine.relay(
                own_call(job),
                progress,
                "POST",
                "/build",
                query,
                stream=self._sent(job, context, dockerfile),
                headers={"Content-Type": "application/x-tar"},
            )
            await watch.during(building)
        finally:
            # A client that was told of the failure may be gone before the engine has ended.
            failure = words.own(progress.failure, with_ids=True) if progress.failure else ""
            record.reason = logged_failure(failure) or record.reason
        if answer.error:
            failed = Answer(answer.status, _decoded(answer.error))
            checked(failed, partial(without_namespace, user=user))
        if progress.failure == UNREAD:
            await job.on_output(failure_line(failure))
        if not progress.failure:
            await self._keep(job, words.image_id, names)
            record.outcome, record.reason, record.image_id = "ok", "", words.image_id
        return BuildResult(record.image_id, failure)

    async def _keep(self, job: BuildJob, image_id: str, names: Sequence[str]) -> None:
        """Look at what was made, and name it; Docker's client waits for these words."""
        await self._new.keep(job.caller, image_id, names)
        for name in names:
            told = f"Successfully tagged {shown_image(name, job.caller.user)}\n"
            await job.on_output(line_of({"stream": told}))

    async def _network(self, job: BuildJob) -> str:
        if job.options.network != "default":
            return job.options.network
        network = await self._networks.network(job.caller, "")
        return str(network["Name"])

    @contextlib.asynccontextmanager
    async def _spooled(
        self, job: BuildJob, chunks: AsyncIterator[bytes]
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

    async def _written(self, job: BuildJob, spool: Spool, piece: bytes) -> None:
        await self._in_thread(job, lambda: spool.write(piece))

    async def _sent(
        self, job: BuildJob, context: BuildContext, dockerfile: str
    ) -> AsyncIterator[bytes]:
        added: Mapping[str, bytes] = {}
        if HOST_FOLDER in dockerfile:  # others' builds get no files that they did not send
            added = await self._in_thread(job, lambda: self._door.platform.build_settings.files)
        chunks = context.chunks(dockerfile, added)
        while chunk := await self._in_thread(job, lambda: next(chunks, b"")):
            yield chunk

    async def _in_thread(self, job: BuildJob, deed: Callable[[], _T]) -> _T:
        return await self._door.threads.run(job.caller.user, deed)

    async def _note(
        self, caller: Caller, options: BuildOptions, interface: Interface, record: _Record
    ) -> None:
        await self._door.note(
            caller,
            "image.build",
            (options.tags or ("",))[0][:200],
            interface=interface,
            outcome=record.outcome,
            reason=record.reason,
            details={
                "id": record.image_id,
                "seconds": round(time.monotonic() - record.began, 1),
            },
        )


def _decoded(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return {"message": content.decode("utf-8", "replace")[:1000]}
