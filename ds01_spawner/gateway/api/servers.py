"""JupyterHub's servers of whoever asks: seen, started with a wait for a GPU, stopped.

The hub starts them, so whoever closes the connection leaves a start under way.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any
from urllib.parse import quote, urljoin

from ds01_spawner.client import models as m
from ds01_spawner.client.problems import problem_of
from ds01_spawner.composition import Platform
from ds01_spawner.domain import names
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.offer import Offer, SizeOffer
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.gateway.api import queue
from ds01_spawner.gateway.api.ask import Answer, Api, Ask, Stream, StreamEvent
from ds01_spawner.gateway.api.create_words import in_own_words
from ds01_spawner.operations.offers import offer_to
from ds01_spawner.operations.outlook import ContainerOutlook
from ds01_spawner.ports import HubSpawning, HubStep, ServerAtHub, ServerState

LOOK_SECONDS = 0.2
"""Between two looks whether the hub has begun."""

REFUSED_SECONDS = 5.0
"""The answer to a start that failed comes soon after the word that it did."""

UNNAMED = "My server"
_ANOTHER = "another"
"""The container of a server that there is not yet."""

_log = logging.getLogger(__name__)


class Servers:
    """Answers about the hub's servers."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._starting: set[asyncio.Task[None]] = set()

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
        try:
            known = dict(await self._hub().servers(ask.requester.user))
        except NotFound:  # who never logged in has none
            known = {}
        else:
            known.setdefault("", _never_ran(ask.requester.user))
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
        _check_stopped((await hub.servers(user)).get(wanted.name))
        options = wanted.model_dump(exclude_none=True, exclude={"name"})
        await self._record(ask, "server.start", wanted.name, options)
        began = asyncio.get_running_loop().time()
        starting = self._keep(hub.start(user, wanted.name, options))
        async with aclosing(_told(hub, user, wanted.name, starting)) as steps:
            async for step in steps:
                waited = asyncio.get_running_loop().time() - began
                yield _event(step, str(gpu), waited)
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

    async def _one(self, ask: Ask, name: str) -> m.Server:
        found = (await self._hub().servers(ask.requester.user)).get(name)
        if found is None:
            raise NotFound("The server has been deleted.", "Start another.")
        (shown,) = await self._shown(ask, [found])
        return shown

    async def _shown(self, ask: Ask, servers: list[ServerAtHub]) -> tuple[m.Server, ...]:
        user, url = ask.requester.user, self._api.hub_url

        def read(platform: Platform) -> tuple[m.Server, ...]:
            outlooks = {each.name: each for each in platform.outlook.read().of(user).containers}
            situation = platform.admission.current()
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

    def _keep(self, start: Any) -> "asyncio.Task[None]":
        """A start that goes on, whoever listens; the event loop holds its tasks weakly."""
        task: asyncio.Task[None] = asyncio.ensure_future(start)
        self._starting.add(task)
        task.add_done_callback(self._started)
        return task

    def _started(self, task: "asyncio.Task[None]") -> None:
        self._starting.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.info("A server did not start: %s", failure)


async def _told(
    hub: HubSpawning, user: str, server: str, starting: "asyncio.Task[None]"
) -> AsyncGenerator[HubStep, None]:
    """The steps of a start, until the server is ready.

    Raises:
        DS01Error: It failed; the answer to the start says it with its kind, the steps say why.
    """
    # Before the hub has begun, it tells of the start before this one.
    while not starting.done() and not _has_begun((await hub.servers(user)).get(server)):
        await asyncio.wait({starting}, timeout=LOOK_SECONDS)
    if starting.done():
        starting.result()
        known = (await hub.servers(user)).get(server)
        if known is not None and known.state is ServerState.RUNNING:
            return
    try:
        async with aclosing(hub.steps(user, server)) as steps:
            async for step in steps:
                yield step
    except DS01Error:
        await asyncio.wait({starting}, timeout=REFUSED_SECONDS)
        if starting.done():
            starting.result()
        raise


def _has_begun(server: ServerAtHub | None) -> bool:
    return server is not None and server.state is not ServerState.STOPPED


def _event(step: HubStep, gpu: str, waited_seconds: float) -> StreamEvent:
    if not step.place:
        return StreamEvent("step", m.Step(name=step.name, text=step.text))
    place = m.Place(
        place=step.place,
        length=step.length,
        reason=step.reason,
        gpu=gpu,
        waited_seconds=round(waited_seconds, 3),
    )
    return StreamEvent("place", place)


def _checked(wanted: m.ServerRequest) -> GpuRequest:
    """The GPU that is wanted, of a request that makes sense.

    Raises:
        InvalidRequest: It does not.
    """
    if wanted.name == names.DEFAULT_SERVER:
        raise InvalidRequest(
            f"A server cannot be called {names.DEFAULT_SERVER}: the unnamed one's container is.",
            "Choose another name, or none.",
        )
    if wanted.name:
        names.check_name(wanted.name)
    if wanted.project is not None:
        names.check_project(wanted.project)
    return GpuRequest.parse(wanted.gpu or "none", wanted.gpu_count)


def _check_stopped(server: ServerAtHub | None) -> None:
    if server is None or server.state is ServerState.STOPPED:
        return
    called = f"Your server {server.name}" if server.name else "Your server"
    match server.state:
        case ServerState.RUNNING:
            raise Conflict(f"{called} runs already.", "Open it, or stop it first.")
        case ServerState.STARTING:
            raise Conflict(f"{called} is being started already.", "See: GET /servers.")
        case _:
            raise Conflict(f"{called} is being stopped.", "Try again in a moment.")


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
        refused=None if error is None else problem_of(in_own_words(error, ask), ask.id),
    )


def _place(ticket: m.Ticket, now: float) -> m.Place:
    return m.Place(
        place=ticket.place,
        length=ticket.length,
        reason=ticket.reason,
        gpu=ticket.gpu,
        waited_seconds=round(max(now - ticket.since.timestamp(), 0.0), 3),
    )


def _view(
    server: ServerAtHub,
    outlook: ContainerOutlook | None,
    place: m.Place | None,
    hub_url: str | None,
) -> m.Server:
    runs = server.state is not ServerState.STOPPED
    gpu, count = _gpu(server.options)
    return m.Server(
        name=server.name,
        title=server.title or server.name or UNNAMED,
        container=_label(server.name),
        state=server.state.value,
        url=urljoin(hub_url, server.url) if hub_url else server.url,
        image=_text(server.options, "image"),
        gpu=gpu,
        gpu_count=count,
        gpu_slots=() if outlook is None else outlook.gpu_slots,
        started_at=server.started_at if runs else None,
        stops_at=outlook.ends[0].at if outlook is not None and outlook.ends else None,
        place=place if server.state is ServerState.STARTING else None,
        project=_text(server.options, "project"),
    )


def _gpu(options: Mapping[str, object]) -> tuple[str | None, int]:
    """Size and count as they were last asked for; the hub keeps what anybody sent."""
    with suppress(InvalidRequest):
        count = options.get("gpu_count", 1)
        size = _text(options, "gpu") or "none"
        asked = GpuRequest.parse(size, count if isinstance(count, int) else 1)
        return (size.lower(), asked.count) if asked.count else (None, 0)
    return None, 0


def _text(options: Mapping[str, object], key: str) -> str | None:
    value = options.get(key)
    return value if isinstance(value, str) and value else None
