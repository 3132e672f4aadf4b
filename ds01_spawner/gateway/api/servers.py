"""JupyterHub's servers of whoever asks: seen, started with a wait for a GPU, stopped."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from datetime import timedelta
from urllib.parse import quote, urljoin

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain import names
from ds01_spawner.domain.errors import (
    DS01Error,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from ds01_spawner.domain.expected_wait import coarse
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.offer import Offer, SizeOffer
from ds01_spawner.domain.page_words import UNNAMED
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.gateway.api import queue
from ds01_spawner.gateway.api.ask import Answer, Api, Ask, Stream, StreamEvent
from ds01_spawner.gateway.api.create_words import in_own_words
from ds01_spawner.gateway.api.requester import problem_for
from ds01_spawner.gateway.api.server_starts import ServerStarts, gpu_in, text_in
from ds01_spawner.operations.allocation.observe import AT_ONCE
from ds01_spawner.operations.allocation.offers import offer_to
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook
from ds01_spawner.ports import HubSpawning, HubStep, ServerAtHub, ServerState

SHARED_SECONDS = 5.0
"""Pages that are looked at ask again and again; the hub is one process for everybody."""

_ANOTHER = "another"
"""The container of a server that there is not yet."""


class Servers:
    """Answers about the hub's servers."""

    def __init__(self, api: Api, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._starts = ServerStarts()
        self._monotonic = monotonic
        self._seen: dict[str, tuple[float, Mapping[str, ServerAtHub]]] = {}

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {
            "listServers": self.every,
            "getServerOptions": self.options,
            "stopServer": self.stop,
        }

    def streams(self) -> Mapping[str, Stream]:
        """The same, of routes that answer with events."""
        return {"startServer": self.start}

    async def every(self, ask: Ask) -> m.Servers:
        """One's own, running or not; the unnamed one also where it never ran."""
        known = await self._known(ask)
        shown = await self._shown(ask, sorted(known.values(), key=lambda each: each.name))
        return m.Servers(named_limit=self._api.named_servers, servers=shown)

    async def options(self, ask: Ask) -> m.ServerOptions:
        """What the spawn form would offer for one more server, whatever account its owner has."""
        user, groups = ask.requester.user, ask.requester.hub_groups

        def offered(platform: Platform) -> Offer:
            return offer_to(platform.admission, user, _ANOTHER, groups)

        offer = await ask.run(self._api, offered)
        sizes = (_size(each, ask) for each in offer.sizes if not isinstance(each.error, Forbidden))
        return m.ServerOptions(sizes=tuple(sizes))

    async def start(self, ask: Ask) -> AsyncIterator[StreamEvent]:
        """Where it stands, what is done, and last the server."""
        wanted = ask.sent(m.ServerRequest)
        gpu = _checked(wanted)
        hub, user = self._hub(), ask.requester.user
        found = (await hub.servers(user)).get(wanted.name)
        options = wanted.model_dump(exclude_none=True, exclude={"name"})
        began = self._api.platform.clock.now()
        if self._starts.is_new(user, wanted.name, found, options):
            await self._record(ask, "server.start", wanted.name, options)
            if self._starts.is_new(user, wanted.name, found, options):  # nobody was faster
                self._starts.begin(hub, user, wanted.name, options)
        elif found is not None and found.started_at is not None:
            began = min(began, found.started_at)
        try:
            async with aclosing(self._starts.follow(hub, user, wanted.name)) as steps:
                async for step in steps:
                    waited = self._api.platform.clock.now() - began
                    yield _event(step, str(gpu), waited.total_seconds())
        except DS01Error as exc:
            raise in_own_words(exc, ask) from exc
        yield StreamEvent("end", await self._one(ask, wanted.name))

    async def stop(self, ask: Ask) -> m.Server:
        """Stop it, or break off its start."""
        name = "" if ask.parts["name"] == names.DEFAULT_SERVER else ask.parts["name"]
        user = ask.requester.user
        if name not in await self._hub().servers(user):
            raise NotFound(
                f"You have no server called {names.shown(ask.parts['name'])}.",
                "See: GET /servers.",
            )
        if self._api.hub is None:
            raise _no_hub()
        client = self._api.hub
        await self._record(ask, "server.stop", name, {})
        await ask.run(self._api, lambda _platform: client.stop(user, name))
        return await self._one(ask, name)

    async def _known(self, ask: Ask) -> Mapping[str, ServerAtHub]:
        """What the hub has; who looks again and again is told what it said some seconds ago."""
        user = ask.requester.user
        kept, now = self._seen.get(user), self._monotonic()
        if kept is not None and ask.max_age > AT_ONCE and now - kept[0] < SHARED_SECONDS:
            return kept[1]
        try:
            known = {"": _never_ran(user), **await self._hub().servers(user)}
        except NotFound:  # who never logged in has none
            known = {}
        self._seen[user] = now, known
        return known

    async def _one(self, ask: Ask, name: str) -> m.Server:
        found = (await self._hub().servers(ask.requester.user)).get(name)
        if found is None:
            raise NotFound("The server has been deleted.", "Start another.")
        (shown,) = await self._shown(ask, [found])
        return shown

    async def _shown(self, ask: Ask, servers: list[ServerAtHub]) -> tuple[m.Server, ...]:
        user, url = ask.requester.user, self._api.hub_url

        def read(platform: Platform) -> tuple[m.Server, ...]:
            forecast = platform.outlook.read(ask.max_age).of(user)
            outlooks = {each.name: each for each in forecast.containers}
            situation = platform.admission.current(ask.max_age)
            places = {
                each.name: _place(each, situation.now.timestamp())
                for each in queue.shown(platform, situation).tickets
                if each.user == user
            }
            return tuple(
                _view(each, outlooks.get(_label(each.name)), places.get(_label(each.name)), url)
                for each in servers
            )

        return await ask.run(self._api, read)

    async def _record(
        self, ask: Ask, action: str, name: str, details: Mapping[str, object]
    ) -> None:
        user = ask.requester.user

        def record(platform: Platform) -> None:
            platform.audit.write(
                action,
                user=user,
                resource=names.container_name(_label(name), user),
                interface=Interface.API.value,
                details=dict(details),
            )

        await ask.run(self._api, record)

    def _hub(self) -> HubSpawning:
        if self._api.spawning is None:
            raise _no_hub()
        return self._api.spawning


def _event(step: HubStep, gpu: str, waited_seconds: float) -> StreamEvent:
    if not step.place:
        return StreamEvent("step", m.Step(name=step.name, text=step.text))
    place = m.Place(
        place=step.place,
        length=step.length,
        reason=step.reason,
        gpu=gpu,
        waited_seconds=round(max(waited_seconds, 0.0), 3),
        expected_seconds=step.wait_seconds,
    )
    return StreamEvent("place", place)


def _checked(wanted: m.ServerRequest) -> GpuRequest:
    """The GPU that is wanted, of a request that makes sense.

    Raises:
        InvalidRequest: It does not.
    """
    if wanted.name == names.DEFAULT_SERVER:
        raise InvalidRequest(
            f"A server cannot be called {names.DEFAULT_SERVER}: the unnamed one is.",
            "Choose another name, or none.",
        )
    if wanted.name:
        try:
            names.check_name(wanted.name)
        except InvalidRequest as exc:
            words = f"{names.shown(wanted.name)} cannot name a server."
            raise InvalidRequest(words, exc.next_step) from exc
    if wanted.project is not None:
        names.check_project(wanted.project)
    return GpuRequest.parse(wanted.gpu or "none", wanted.gpu_count)


def _no_hub() -> Unavailable:
    return Unavailable(
        "The gateway does not know where JupyterHub is.",
        "Start and stop servers on JupyterHub's home page.",
    )


def _never_ran(user: str) -> ServerAtHub:
    return ServerAtHub("", "", ServerState.STOPPED, f"/user/{quote(user)}/")


def _label(name: str) -> str:
    return name or names.DEFAULT_SERVER


def _size(offer: SizeOffer, ask: Ask) -> m.ServerSize:
    error = offer.error
    return m.ServerSize(
        size=offer.size,
        memory_bytes=offer.memory_bytes or None,
        equivalents=offer.equivalents,
        most=offer.max_count,
        place=offer.place,
        waits=tuple(map(_likely_seconds, offer.waits)),
        refused=(
            None if error is None else problem_for(ask.requester, in_own_words(error, ask), ask.id)
        ),
    )


def _likely_seconds(wait: timedelta | None) -> float | None:
    return 0.0 if wait == timedelta(0) else coarse(wait)


def _place(ticket: m.Ticket, now: float) -> m.Place:
    return m.Place(
        place=ticket.place,
        length=ticket.length,
        reason=ticket.reason,
        gpu=ticket.gpu,
        waited_seconds=round(max(now - ticket.since.timestamp(), 0.0), 3),
        expected_seconds=ticket.expected_seconds,
    )


def _view(
    server: ServerAtHub,
    outlook: ContainerOutlook | None,
    place: m.Place | None,
    hub_url: str | None,
) -> m.Server:
    runs = server.state is not ServerState.STOPPED
    gpu, count = gpu_in(server.options)
    return m.Server(
        name=server.name,
        title=server.title or server.name or UNNAMED,
        container=_label(server.name),
        state=server.state.value,
        url=urljoin(hub_url, server.url) if hub_url else server.url,
        image=text_in(server.options, "image"),
        gpu=gpu,
        gpu_count=count,
        gpu_slots=() if outlook is None else outlook.gpu_slots,
        started_at=server.started_at if runs else None,
        stops_at=outlook.ends[0].at if outlook is not None and outlook.ends else None,
        place=place if server.state is ServerState.STARTING else None,
        project=text_in(server.options, "project"),
    )
