"""Images that are built through the API: begun, followed, cancelled.

For what fits into one request: a Dockerfile and small files beside it. A large context is for
`docker build`. A build is part of this process: it ends when the gateway does.
"""

import asyncio
import io
import json
import re
import tarfile
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import (
    OUR_FAULT,
    Conflict,
    DS01Error,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from ds01_spawner.domain.labels import IMAGE_RECIPE, IMAGE_SOURCE, Interface
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.api.ask import Answer, Api, Ask, Stream, StreamEvent
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.docker.build.options import BuildOptions
from ds01_spawner.gateway.docker.images.lookup import image_path
from ds01_spawner.gateway.docker.reading.image_names import own_reference
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.recipes.dockerfile_reading import Step, step_of, steps
from ds01_spawner.recipes.source import source_digest

MOST_OF_ONE = 3
"""Builds of one person that have not ended; they are done one after the other."""

MOST_REMEMBERED = 200
MOST_LOG_CHARACTERS = 1024**2
_DOCKERFILE = "Dockerfile"
_STEP = re.compile(r"^Step \d+/\d+ : (.*)$", re.MULTILINE)
_LONGEST_STEP = 2000
_NO_UID = -1


@dataclass
class _Job:
    """One build, and what it has told so far."""

    id: str
    user: str
    name: str
    began_at: datetime
    state: str = "running"
    ended_at: datetime | None = None
    image_id: str = ""
    failure: str = ""
    log: list[str] = field(default_factory=list)
    dropped: int = 0
    size: int = 0
    task: "asyncio.Task[None] | None" = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    dockerfile: str = ""
    failed: Step | None = None
    image_bytes: int | None = None
    previous_bytes: int | None = None
    largest_bytes: int | None = None
    by_administrator: bool = False

    def tell(self, text: str) -> None:
        """Add to the log, and drop its begin when it is too long."""
        self.log.append(text)
        self.size += len(text)
        while self.size > MOST_LOG_CHARACTERS and len(self.log) > 1:
            self.size -= len(self.log.pop(0))
            self.dropped += 1
        self.wake()

    def end(self, state: str, ended_at: datetime) -> None:
        """Set how it ended, and wake everybody who follows."""
        self.state, self.ended_at = state, ended_at
        self.wake()

    def wake(self) -> None:
        """Let everybody who follows look."""
        self.changed.set()
        self.changed = asyncio.Event()

    @property
    def view(self) -> m.Build:
        """As it is sent."""
        return m.Build(
            id=self.id,
            name=self.name,
            state=self.state,
            began_at=self.began_at,
            ended_at=self.ended_at,
            image_id=self.image_id or None,
            failure=self.failure,
            failed_step=self.failed.text[:_LONGEST_STEP] if self.failed else None,
            failed_line=self.failed.line if self.failed else None,
            size_bytes=self.image_bytes,
            previous_size_bytes=self.previous_bytes,
            largest_bytes=self.largest_bytes,
        )


class Builds:
    """Answers about builds: always one's own."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._jobs: dict[str, _Job] = {}

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"startBuild": self.start, "listBuilds": self.every, "cancelBuild": self.cancel}

    def streams(self) -> Mapping[str, Stream]:
        """The same, of routes that answer with events."""
        return {"followBuild": self.follow}

    async def start(self, ask: Ask) -> m.Build:
        """Begin a build; its log is followed elsewhere."""
        wanted, user = ask.sent(m.BuildRequest), ask.requester.user
        if self._api.builds is None:
            raise Unavailable("Images are not built here.", "Use docker build.")
        tag = own_reference(wanted.name, user)
        context = packed(wanted)
        going_on = [each for each in self._jobs.values() if each.user == user and not each.ended_at]
        if len(going_on) >= MOST_OF_ONE:
            raise Conflict(
                f"{len(going_on)} builds of yours have not ended.", "Wait, or cancel one."
            )
        caller, largest = await ask.run(
            self._api,
            lambda platform: (
                caller_of(platform, ask.requester),
                platform.admission.limits(user).max_image_size_bytes,
            ),
        )
        now = self._api.platform.clock.now()
        job = _Job(uuid.uuid4().hex, user, tag, now, dockerfile=wanted.dockerfile)
        job.largest_bytes = largest
        job.by_administrator = ask.requester.is_administrator
        self._remember(job)
        options = BuildOptions(
            tags=(tag,),
            build_args=dict(wanted.build_args),
            no_cache=wanted.no_cache,
            pull=wanted.pull,
            labels=_marks(wanted),
        )
        job.task = asyncio.create_task(self._build(job, caller, options, context))
        return job.view

    async def every(self, ask: Ask) -> m.BuildList:
        """One's builds, the newest first."""
        mine = [each for each in self._jobs.values() if each.user == ask.requester.user]
        return m.BuildList(builds=tuple(each.view for each in reversed(mine)))

    async def cancel(self, ask: Ask) -> m.Build:
        """End a build; one that has ended stays as it is."""
        job = self._own(ask)
        if job.task is not None and not job.task.done():
            job.task.cancel()
            await asyncio.wait([job.task])
        return job.view

    async def follow(self, ask: Ask) -> AsyncIterator[StreamEvent]:
        """Its log from the begin, as far as it is kept, and how it ended."""
        job = self._own(ask)
        seen = 0
        while True:
            changed = job.changed
            text = "".join(job.log[max(0, seen - job.dropped) :])
            seen = job.dropped + len(job.log)
            if text:
                yield StreamEvent("log", m.BuildLog(text=text))
            if job.ended_at is not None:
                yield StreamEvent("end", job.view)
                return
            if not text:
                await changed.wait()

    async def _build(
        self, job: _Job, caller: Caller, options: BuildOptions, context: bytes
    ) -> None:
        assert self._api.builds is not None  # noqa: S101 - begun only with one
        clock = self._api.platform.clock

        async def sent() -> AsyncIterator[bytes]:
            yield context

        async def told(lines: bytes) -> None:
            job.tell(said(lines))

        try:
            job.previous_bytes = await self._bytes_of(job.name)
            result = await self._api.builds.build(
                caller, sent(), options, told, interface=Interface.API
            )
            job.image_id, job.failure = result.image_id, result.failure
            if result.failure:
                job.failed = failed_step("".join(job.log), job.dockerfile)
            else:
                job.image_bytes = await self._bytes_of(job.image_id)
            job.end("failed" if result.failure else "done", clock.now())
        except DS01Error as exc:
            job.failure = str(exc.told_to(administrator=job.by_administrator))
            job.failed = failed_step("".join(job.log), job.dockerfile)
            job.end("failed", clock.now())
        except asyncio.CancelledError:
            job.end("cancelled", clock.now())
            raise
        finally:
            if job.ended_at is None:
                job.failure = " ".join(OUR_FAULT)
                job.end("failed", clock.now())

    async def _bytes_of(self, reference: str) -> int | None:
        """How large an image is; `None` where there is none, or the engine does not answer."""
        if not reference:
            return None
        try:
            answer = await self._api.engine.ask("GET", image_path(reference, "json"))
        except DS01Error:
            return None
        size = answer.value.get("Size") if answer.ok and isinstance(answer.value, dict) else None
        return int(size) if size is not None else None

    def _own(self, ask: Ask) -> _Job:
        job = self._jobs.get(ask.parts["build"])
        if job is None or job.user != ask.requester.user:
            raise NotFound("There is no such build.", "Builds are forgotten after a while.")
        return job

    def _remember(self, job: _Job) -> None:
        ended = [each for each in self._jobs.values() if each.ended_at is not None]
        for old in ended[: max(0, len(self._jobs) - MOST_REMEMBERED + 1)]:
            del self._jobs[old.id]
        self._jobs[job.id] = job


def caller_of(platform: Platform, requester: Requester) -> Caller:
    """Who asks, as the Docker door knows people: never more than a person.

    Raises:
        Forbidden: It is a system account's name.
        Unavailable: Accounts cannot be looked up.
    """
    account = requester.account or platform.accounts.lookup(requester.user)
    uid = account.uid if account else _NO_UID
    return Caller(uid, 0, requester.user, account)


def failed_step(log: str, dockerfile: str) -> Step | None:
    """The instruction that a build which failed began last, where its log tells."""
    told = _STEP.findall(log)
    return step_of(told[-1], steps(dockerfile)) if told else None


def _marks(wanted: m.BuildRequest) -> dict[str, str]:
    """What tells later of what an image was built."""
    marks = {IMAGE_SOURCE: source_digest(wanted.dockerfile, wanted.files)}
    return marks if wanted.recipe is None else {**marks, IMAGE_RECIPE: wanted.recipe}


def packed(wanted: m.BuildRequest) -> bytes:
    """The tar archive that a builder is given.

    Raises:
        InvalidRequest: A file has a name that none can have.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in {**wanted.files, _DOCKERFILE: wanted.dockerfile}.items():
            content = text.encode()
            entry = tarfile.TarInfo(_checked(name))
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def said(lines: bytes) -> str:
    """What lines of the builder's JSON say to people."""
    text = []
    for line in lines.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if not isinstance(message, dict):
            continue
        if isinstance(message.get("stream"), str):
            text.append(message["stream"])
        elif isinstance(message.get("error"), str):
            text.append(f"{message['error']}\n")
        elif isinstance(message.get("status"), str):
            text.append(f"{message['status']} {message.get('id', '')}".rstrip() + "\n")
    return "".join(text)


def _checked(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or not name.isprintable():
        raise InvalidRequest(
            f"{shown(name)} cannot name a file of a build.",
            "Use a path below the Dockerfile's folder, such as requirements.txt.",
        )
    return str(path)
