"""`POST /containers/create`: what was asked for, found, granted, and made."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import ContainerSpec
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    NoCapacity,
    QuotaExceeded,
    Refused,
    Unavailable,
)
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.gateway.docker.create.admission import Granting, refused_now, told_of_wait
from ds01_spawner.gateway.docker.create.asks import DOCKER, Asks, Looked, Made, NameTaken
from ds01_spawner.gateway.docker.create.finding import Finding
from ds01_spawner.gateway.docker.create.spec import Found, dressed
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.new_images import NewImages
from ds01_spawner.gateway.docker.images.rights import ImageRights
from ds01_spawner.gateway.docker.lookups import Lookups
from ds01_spawner.gateway.docker.options.container import AskedContainer, asked_container
from ds01_spawner.gateway.docker.options.gpu import ALL, candidates
from ds01_spawner.gateway.docker.options.network import endpoint_settings
from ds01_spawner.gateway.docker.reading.names import engine_name
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Handler, Query, Reply
from ds01_spawner.gateway.wire.engine_answers import message_of
from ds01_spawner.operations.allocation.admission import Grant, Queued
from ds01_spawner.operations.containers.binds import StagedBinds

MOST_BYTES = 4 * 1024 * 1024
MOST_CONTAINERS = 200
"""How many a person has, running or not: each takes room on the server's disk."""

_T = TypeVar("_T")


class Creating:
    """Makes containers.

    Args:
        door: What handlers stand on.
        lookups: Finds what is referred to.
        granting: Asks admission.
    """

    def __init__(self, door: Door, lookups: Lookups, granting: Granting) -> None:
        self._door = door
        self._lookups = lookups
        self._granting = granting
        self._finding = Finding(lookups)
        self._new = NewImages(door, lookups.images)

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {"POST /containers/create": self.create}

    async def create(self, call: Call, reply: Reply) -> None:
        """Make a container and leave it to be started.

        When the client goes while it waits for a GPU, nothing is left; once there is a grant, the
        container is made all the same, as Docker does.
        """
        await self._door.check_room(call.caller)
        content = await call.body.read(MOST_BYTES)
        try:
            made = await self.make(call.caller, content, call.query)
        except NoCapacity as exc:
            raise refused_now(exc) from exc
        await reply.json({"Id": made.id, "Warnings": list(made.warnings)}, 201)

    async def make(self, caller: Caller, content: bytes, query: Query, asks: Asks = DOCKER) -> Made:
        """Make a container and leave it to be started.

        Cancelling gives the place in the queue back; from `asks.on_granted` on, the container is
        made all the same.

        Args:
            caller: Whose.
            content: The body of `POST /containers/create`.
            query: Its parameters.
            asks: How other doors than Docker's ask.

        Raises:
            DS01Error: It was not made, and nothing of it is left.
        """
        try:
            looked = await self.look(caller, content, query, asks)
        except (Forbidden, QuotaExceeded) as exc:
            await self._told(caller, query, asks, exc)
            raise
        request, asked = looked.request, looked.asked
        grant, waited = await self._granted(request, asked, looked.limits, asks.on_queued)
        asks.on_granted(grant)
        request = replace(request, image=grant.spec.image)
        container_id = await self._made(request, grant, asked, caller.person, looked.found)
        warnings = (
            *asked.warnings,
            *waited,
            *await self._joined(caller, asked, container_id),
        )
        return Made(container_id, request.name, warnings)

    async def _told(self, caller: Caller, query: Query, asks: Asks, error: Refused) -> None:
        """Write down what was refused before admission was asked, which writes down the rest."""
        names = query.get("name") or ("",)
        interface = asks.interface or Interface.DOCKER
        request = LaunchRequest(user=caller.user, name=names[0], interface=interface, image="")
        with suppress(DS01Error):  # the refusal itself is what counts
            await self._run(caller, lambda each: each.audit.refusal(request, error))

    async def look(
        self, caller: Caller, content: bytes, query: Query, asks: Asks = DOCKER
    ) -> Looked:
        """Everything about a container that can be found out before there is a grant.

        Args:
            caller: Whose.
            content: The body of `POST /containers/create`.
            query: Its parameters.
            asks: How other doors than Docker's ask.

        Raises:
            DS01Error: It cannot be made so.
        """
        account = caller.person
        limits, catalogue = await self._run(
            caller, lambda each: (each.admission.limits(caller.user, asks.hub_groups), each.images)
        )
        asked = asked_container(content, query, account, limits)
        rights = ImageRights(caller.user, limits, catalogue)
        name, (image, inspected) = await asyncio.gather(
            self._name(caller, asked), self._lookups.images.image(caller, asked.image, rights)
        )
        if rights.is_unchecked(inspected):
            await self._new.check(caller, inspected)
        asked = replace(asked, name=name)
        request = LaunchRequest(
            user=caller.user,
            name=name,
            interface=asks.interface or asked.interface,
            image=image,
            project=asked.project,
            hub_groups=asks.hub_groups,
        )
        found = await self._finding.find(caller, asked, inspected)
        return Looked(request, asked, limits, found)

    async def _name(self, caller: Caller, asked: AskedContainer) -> str:
        """What it is called: a free name.

        Raises:
            Conflict: A container of the caller's has the name that was asked for.
            QuotaExceeded: The caller has very many containers.
        """
        existing = await self._lookups.containers.listed(caller, query={"all": "1"})
        if len(existing) >= MOST_CONTAINERS:
            raise QuotaExceeded(
                f"You have {len(existing)} of {MOST_CONTAINERS} containers, most of which do not "
                "run.",
                "Remove those that you do not need: docker container prune.",
                limit="containers",
                used=len(existing),
                asked=1,
                allowed=MOST_CONTAINERS,
            )
        name = asked.name or f"run-{secrets.token_hex(4)}"
        wanted = f"/{engine_name(name, caller.user)}"
        holder = next((each for each in existing if wanted in (each.get("Names") or ())), None)
        if holder is not None:
            raise _taken(name, str(holder["Id"]))
        return name

    async def _granted(
        self,
        request: LaunchRequest,
        asked: AskedContainer,
        limits: Limits,
        on_queued: Callable[[Queued], None],
    ) -> tuple[Grant, tuple[str, ...]]:
        """The grant, and what the client is told of the wait for it."""
        sizes = await self._sizes(request.user, asked, limits)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        grant = await self._granting.grant(
            request,
            sizes,
            wait=asked.wait,
            container_name=engine_name(request.name, request.user),
            on_queued=on_queued,
        )
        waits = asked.wait is not None and bool(grant.slots)
        return grant, told_of_wait(timedelta(seconds=loop.time() - begun)) if waits else ()

    async def _sizes(
        self, user: str, asked: AskedContainer, limits: Limits
    ) -> tuple[GpuRequest, ...]:
        if asked.gpu.count != ALL:
            return candidates(asked.gpu, limits, ())

        def every() -> tuple[GpuRequest, ...]:
            occupancy = self._door.platform.admission.current().occupancy
            held = [use.slot for use in occupancy.of(user)]
            return candidates(asked.gpu, limits, occupancy.slots, held)

        return await self._door.threads.run(user, every)

    async def _made(
        self,
        request: LaunchRequest,
        grant: Grant,
        asked: AskedContainer,
        account: UnixAccount,
        found: Found,
    ) -> str:
        """The container's id; the grant is used up, whatever comes of it."""
        platform = self._door.platform

        def make() -> str:
            staged: StagedBinds | None = None
            try:
                staged, spec = _described(platform, grant, asked, account, found)
            except BaseException:
                _give_back(platform, grant)
                raise
            try:
                return platform.launcher.create(request, grant, spec)
            except BaseException:
                _clear(platform, staged)
                raise

        try:
            return await self._door.threads.run(request.user, make)
        except Conflict as exc:
            raise _taken(request.name, "") from exc

    async def _joined(
        self, caller: Caller, asked: AskedContainer, container_id: str
    ) -> tuple[str, ...]:
        """Join the other networks; what could not be joined, as warnings."""
        told = []
        for other in asked.network.others:
            try:
                found = await self._lookups.networks.network(caller, other.network)
                settings = endpoint_settings(
                    other, asked.name, await self._lookups.networks.linked(caller, other)
                )
                answer = await self._door.engine.ask(
                    "POST",
                    f"/networks/{found['Id']}/connect",
                    body={"Container": container_id, "EndpointConfig": settings},
                )
                problem = "" if answer.ok else message_of(answer)
            except DS01Error as exc:
                problem = str(exc.told_to(administrator=caller.is_admin))
            if problem:
                told.append(f"The network {other.network} was not joined: {problem}")
        return tuple(told)

    async def _run(self, caller: Caller, deed: Callable[[Platform], _T]) -> _T:
        return await self._door.threads.run(caller.user, lambda: deed(self._door.platform))


def _described(
    platform: Platform, grant: Grant, asked: AskedContainer, account: UnixAccount, found: Found
) -> tuple[StagedBinds | None, ContainerSpec]:
    """The container, with its owner's folders staged for the engine."""
    staged: StagedBinds | None = None
    if asked.mounts.binds:
        others = [mount.target for mount in found.mounts]
        others += [each.target for each in asked.mounts.tmpfs]
        # The engine's runtime makes the working folder, as root, where it is missing.
        staged = platform.binds.stage(account, asked.mounts.binds, others, found.working_dir)
        found = replace(
            found,
            mounts=(*staged.mounts, *found.mounts),
            marks={**found.marks, labels.BINDS: staged.label},
        )
    try:
        return staged, dressed(grant.spec, asked, grant.limits, account, found)
    except BaseException:
        _clear(platform, staged)
        raise


def _give_back(platform: Platform, grant: Grant) -> None:
    with suppress(Unavailable):  # it ends by itself
        platform.admission.release(grant)


def _clear(platform: Platform, staged: StagedBinds | None) -> None:
    if staged is not None:
        with suppress(Unavailable):  # it is cleared with whatever belongs to no container
            platform.binds.clear(staged.key)


def _taken(name: str, holder: str) -> NameTaken:
    by = f' by container "{holder}"' if holder else ""
    return NameTaken(
        f'Conflict. The container name "/{name}" is already in use{by}. You have to '
        "remove (or rename) that container to be able to reuse that name."
    )
