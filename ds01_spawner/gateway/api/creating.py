"""Containers that are made through the API: waited for, made, started; or wholly undone.

Whoever closes the connection before `end` leaves nothing: the place in the queue is given up, and a
container for which there was a grant already is removed as soon as it is there.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import (
    DeviceDriverMissing,
    DS01Error,
    Forbidden,
    NotFound,
    Unavailable,
)
from ds01_spawner.domain.expected_wait import coarse
from ds01_spawner.gateway.api.ask import Answer, Api, Ask, Stream, StreamEvent
from ds01_spawner.gateway.api.builds import caller_of
from ds01_spawner.gateway.api.containers import view
from ds01_spawner.gateway.api.create_body import create_body
from ds01_spawner.gateway.api.create_words import in_own_words, interface_of
from ds01_spawner.gateway.api.planning import Planning
from ds01_spawner.gateway.api.wanted_image import WantedImage
from ds01_spawner.gateway.docker.create.asks import Asks, Made
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.rates import Rate, Rates
from ds01_spawner.operations.allocation.admission import Grant, Queued
from ds01_spawner.operations.audit.lines import in_request

REFUSALS = Rate(burst=60, per_second=1)
"""How many refusals of one person are in the log; the others are told to them alone."""

_UNDO_PAUSES = (0.0, 1.0, 5.0, 20.0)
"""Seconds before each try to undo what nobody waits for."""

_log = logging.getLogger(__name__)


@dataclass
class _Job:
    """One container on its way.

    Attributes:
        told: What is to be sent; `None` at the end.
        began: When it was asked for, in seconds.
        granted: Whether there is leave to make it.
        abandoned: Whether nobody waits for it any more.
        container_id: The engine's, once it is made.
        place: What was last told of the queue.
        is_simulated: Whether its GPU slots are.
    """

    told: "asyncio.Queue[StreamEvent | None]" = field(default_factory=asyncio.Queue)
    began: float = field(default_factory=time.monotonic)
    granted: bool = False
    abandoned: bool = False
    container_id: str = ""
    place: tuple[int, int, str, float | None] | None = None
    is_simulated: bool = False

    def tell(self, name: str, value: m.Place | m.Step) -> None:
        """Have something sent."""
        self.told.put_nowait(StreamEvent(name, value))

    def queued(self, queued: Queued) -> None:
        """Tell the place, when it is another."""
        expected = coarse(queued.wait)
        place = queued.place, queued.length, queued.reason, expected
        if place == self.place:
            return
        self.place = place
        self.tell(
            "place",
            m.Place(
                place=queued.place,
                length=queued.length,
                reason=queued.reason,
                gpu=str(queued.ticket.gpu),
                waited_seconds=round(time.monotonic() - self.began, 3),
                expected_seconds=expected,
            ),
        )

    def grant(self, grant: Grant) -> None:
        """From now on it is made, whoever waits."""
        self.granted, self.is_simulated = True, grant.simulated
        self.tell("step", m.Step(name="create", text="Making the container."))


class Creating:
    """Makes containers."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._planning = Planning(api)
        self._refusals = Rates(REFUSALS)
        self._undoing: set[asyncio.Task[None]] = set()

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"planContainer": self._planning.plan}

    def streams(self) -> Mapping[str, Stream]:
        """The same, of routes that answer with events."""
        return {"createContainer": self.create}

    async def create(self, ask: Ask) -> AsyncIterator[StreamEvent]:
        """Where it stands, what is done, and last the container."""
        job = _Job()
        task = asyncio.create_task(self._made(ask, job))
        task.add_done_callback(lambda _done: job.told.put_nowait(None))
        delivered = False
        try:
            while (event := await job.told.get()) is not None:
                yield event
            yield StreamEvent("end", await task)
            delivered = True
        finally:
            if not delivered:
                self._abandon(ask, job, task)

    async def _made(self, ask: Ask, job: _Job) -> m.Container:
        with in_request(ask.id, ask.requester.user) as request:
            try:
                return await self._make(ask, job)
            except DS01Error as exc:
                if isinstance(exc, Forbidden) and not request.refusal_told:
                    await self._tell(ask, exc)
                raise in_own_words(exc, ask) from exc

    async def _tell(self, ask: Ask, error: Forbidden) -> None:
        """Log what was tried and is nobody's to do; so often a minute that no log is filled."""

        def write(platform: Platform) -> None:
            platform.audit.write(
                "request.reject",
                user=ask.requester.user,
                resource=(ask.sent(m.CreateRequest).name or "")[:64],
                interface=interface_of(ask).value,
                outcome="refused",
                reason=error.logged,
            )

        with suppress(DS01Error):  # the refusal itself is what counts
            self._refusals.take(ask.requester.user)
            await ask.run(self._api, write)

    async def _make(self, ask: Ask, job: _Job) -> m.Container:
        if self._api.creating is None:
            raise Unavailable("No containers are made here.", "Use docker run.")
        wanted, requester = ask.sent(m.CreateRequest), ask.requester
        caller = await ask.run(self._api, lambda platform: caller_of(platform, requester))
        person = caller.person  # who has no account has no image fetched either
        door = Door(self._api.platform, self._api.engine, self._api.threads)
        await door.check_room(caller)
        image = await self._image(ask, caller, wanted, job)
        limits = await ask.run(
            self._api,
            lambda platform: platform.admission.limits(caller.user, requester.hub_groups),
        )
        content = create_body(wanted, image, person, as_image_user=limits.allow_image_user)
        asks = Asks(
            interface=interface_of(ask),
            hub_groups=requester.hub_groups,
            on_queued=job.queued,
            on_granted=job.grant,
        )
        query = {} if wanted.name is None else {"name": [wanted.name]}

        async def once() -> m.Container:
            assert self._api.creating is not None  # noqa: S101 - looked at above
            made = await self._api.creating.make(caller, content, query, asks)
            job.container_id = made.id
            try:
                return await self._started(ask, job, wanted, made)
            except BaseException:
                await self._undo(ask, made.id)
                raise

        try:
            return await once()
        except DeviceDriverMissing:
            if not job.is_simulated or job.abandoned:
                raise
        # Simulated slots need no driver: from now on, this process asks the engine for none.
        self._api.platform.launcher.expect_no_gpu_driver()
        job.granted = False
        return await once()

    async def _image(self, ask: Ask, caller: Caller, wanted: m.CreateRequest, job: _Job) -> str:
        """What the image is called; it is here, or it is fetched."""
        found = await WantedImage(self._api).find(ask, caller, wanted.image)
        if not found.present:
            text = f"Fetching the image {found.reference}, which takes a while."
            job.tell("step", m.Step(name="image", text=text))
            await ask.run(
                self._api, lambda platform: platform.launcher.ensure_image(found.reference)
            )
        return found.reference

    async def _started(
        self, ask: Ask, job: _Job, wanted: m.CreateRequest, made: Made
    ) -> m.Container:
        user = ask.requester.user

        def start(platform: Platform) -> m.Container:
            if wanted.start and not job.abandoned:
                platform.starts.start(made.id, user)
            for each in platform.outlook.read().containers:
                if each.container_id == made.id:
                    return view(platform, each)
            raise NotFound("The container has been removed just now.", "Try again.")

        if wanted.start:
            job.tell("step", m.Step(name="start", text="Starting it."))
        return await ask.run(self._api, start)

    def _abandon(self, ask: Ask, job: _Job, task: "asyncio.Task[m.Container]") -> None:
        """See to it that nothing is left; returns at once."""
        job.abandoned = True
        if not job.granted:
            task.cancel()
        self._keep(self._ended(ask, job, task))

    async def _ended(self, ask: Ask, job: _Job, task: "asyncio.Task[m.Container]") -> None:
        await asyncio.wait([task])
        if task.cancelled() or task.exception() is not None or not job.container_id:
            return  # it has seen to that itself
        _log.info("%s does not wait for %s any more", ask.requester.user, job.container_id[:12])
        await self._undo(ask, job.container_id)

    async def _undo(self, ask: Ask, container_id: str) -> None:
        for pause in _UNDO_PAUSES:
            await asyncio.sleep(pause)
            try:
                await ask.run(self._api, lambda platform: _remove(platform, container_id, ask))
            except DS01Error as exc:
                _log.warning("Nobody waits for %s, and it stays: %s", container_id[:12], exc)
            else:
                return

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """The event loop holds its tasks weakly."""
        task = asyncio.create_task(work)
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)


def _remove(platform: Platform, container_id: str, ask: Ask) -> None:
    container = platform.engine.container(container_id)
    if container is None:
        return
    platform.engine.remove(container_id)
    platform.admission.forget(container)
    with suppress(Unavailable):  # it is cleared with whatever belongs to no container
        platform.binds.clear(container.binds_key)
    platform.audit.write(
        "container.remove",
        user=ask.requester.user,
        resource=container.name,
        interface=interface_of(ask).value,
        reason="not wanted any more before it was there",
        details={"id": container_id},
    )
