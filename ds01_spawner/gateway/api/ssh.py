"""SSH into one's own containers: what is made ready before each connection, and what it finds."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable
from ds01_spawner.domain.grant import NOTICES
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import SEPARATOR, shown
from ds01_spawner.domain.ssh_identity import server_command
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.builds import caller_of
from ds01_spawner.gateway.api.hub_servers import HubServers
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.docker.containers.enterable import check_enterable
from ds01_spawner.gateway.docker.containers.lookup import Owned, labels_of
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.operations.audit.lines import in_request

T = TypeVar("T")

HUB_START_SECONDS = 60.0
_LOOK_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Entered:
    """A container that is ready for a connection.

    Attributes:
        caller: Whose it is.
        inspected: The engine's inspect JSON of it, while it runs.
        access: What its owner is told.
    """

    caller: Caller
    inspected: Mapping[str, Any]
    access: m.SshAccess


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who wants to connect."""

    requester: Requester
    caller: Caller
    request_id: str


class SshDoor:
    """Makes containers ready to be connected to: their owner's, whatever the owner's role.

    Args:
        api: What the API stands on.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._servers = HubServers(api.hub)
        # Of twenty connections at once to a stopped container, one starts it.
        self._starting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"getSsh": self.identity, "getSshAccess": self.access}

    async def identity(self, ask: Ask) -> m.SshIdentity:
        """Who one is in one's containers, whichever."""
        user = ask.requester.user

        def read(platform: Platform) -> m.SshIdentity:
            ready = platform.ssh_access.refresh(user)
            return m.SshIdentity(
                user=ready.identity.login,
                home=ready.identity.home,
                host_keys=(ready.host_key,),
                keys=ready.keys,
            )

        return await ask.run(self._api, read)

    async def access(self, ask: Ask) -> m.SshAccess:
        """Make one container ready."""
        return (await self.enter(ask.requester, ask.parts["name"], ask.id)).access

    async def enter(self, requester: Requester, name: str, request_id: str) -> Entered:
        """The requester's own container, running and ready for a connection.

        Raises:
            NotFound: They have no such container.
            Conflict: It does not run and may not be started so, is paused, is from before SSH was
                offered, or no key of theirs is known.
            Refused: It may not start now, or the platform did not make it.
            Unavailable: Engine, hub, ledger or accounts do not answer.
        """
        platform, user = self._api.platform, requester.user
        caller = await self._api.threads.run(user, lambda: caller_of(platform, requester))
        asking = _Asking(requester, caller, request_id)
        owned = Owned(self._api.engine, platform.instance)
        found = await _called(owned, caller, name)
        _check_shown(found)
        ready = await self._within(asking, lambda: platform.ssh_access.prepare(user))
        started = not _runs(found)
        if started:
            found = await self._started(asking, owned, found)
        if (found.get("State") or {}).get("Paused"):
            raise Conflict(
                f"{_name(found)} is paused.",
                f"Let it go on first: ds01 container unpause {_name(found)}",
            )
        account = caller.account
        if account is not None:
            await self._within(asking, lambda: check_enterable(platform, user, account, found))
        access = m.SshAccess(
            name=_name(found),
            user=ready.identity.login,
            host_keys=(ready.host_key,),
            command=server_command(ready.identity),
            started=started,
        )
        return Entered(caller, found, access)

    async def _started(
        self, asking: _Asking, owned: Owned, found: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The container after its start, within its owner's limits."""
        platform, name, container_id = self._api.platform, _name(found), str(found["Id"])
        user, hub_groups = asking.requester.user, asking.requester.hub_groups
        limits = await self._within(asking, lambda: platform.admission.limits(user, hub_groups))
        if not limits.policies.start_on_connect:
            raise Conflict(f"{name} does not run.", f"Start it first: ds01 container start {name}")
        async with self._starting.setdefault(container_id, asyncio.Lock()):
            if labels.origin_of(labels_of(found)) is Interface.HUB:
                return await self._served(asking, owned, found)
            await self._within(asking, lambda: platform.starts.start(container_id, user))
        again = await owned.made_here(asking.caller, container_id)
        if not _runs(again):
            raise ended_at_once(name)
        return again

    async def _served(
        self, asking: _Asking, owned: Owned, found: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The container of a server that the hub starts, which may be made anew for that."""
        platform, name = self._api.platform, _name(found)

        def start() -> None:
            container = platform.engine.container(str(found["Id"]))
            if container is not None and not container.state.is_live:
                self._servers.start(container)

        with suppress(Conflict):  # it is being started already
            await self._within(asking, start)
        deadline = asyncio.get_running_loop().time() + HUB_START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            with suppress(NotFound):
                again = await owned.made_here(asking.caller, name)
                if _runs(again):
                    return again
            await asyncio.sleep(_LOOK_SECONDS)
        raise Unavailable(
            f"{name} is a server of JupyterHub, and takes long to start.",
            "Look on JupyterHub's home page.",
        )

    async def _within(self, asking: _Asking, deed: Callable[[], T]) -> T:
        def within() -> T:
            with in_request(asking.request_id, asking.requester.user):
                return deed()

        return await self._api.threads.run(asking.requester.user, within)


async def _called(owned: Owned, caller: Caller, name: str) -> dict[str, Any]:
    """The caller's container of that name; `ssh` makes capitals small before anybody sees them."""
    try:
        return await owned.made_here(caller, name)
    except NotFound:
        every = await owned.listed(caller, query={"all": "1"})
    named = {str(each["Id"]): _short((each.get("Names") or [""])[0]) for each in every}
    same = [each for each, called in named.items() if called.lower() == name]
    if len(same) == 1:
        return await owned.made_here(caller, same[0])
    known = ", ".join(sorted(named.values()))
    raise NotFound(
        f"There is no container called {shown(name)}.",
        f"There are: {known}." if known else "Make one: ds01 container deploy.",
    )


def _check_shown(inspected: Mapping[str, Any]) -> None:
    """Return when a container has the folder that its SSH server reads, and cannot write to it."""
    for mount in inspected.get("Mounts") or ():
        at = mount.get("Type"), mount.get("Destination")
        if at == ("bind", NOTICES) and not mount.get("RW"):
            return
    name = _name(inspected)
    raise Conflict(
        f"{name} was made before SSH was offered here.",
        f"Make it anew: ds01 container retire {name}, then ds01 container deploy {name}.",
    )


def _runs(inspected: Mapping[str, Any]) -> bool:
    return bool((inspected.get("State") or {}).get("Running"))


def _name(inspected: Mapping[str, Any]) -> str:
    return _short(str(inspected.get("Name", "")))


def _short(engine_name: str) -> str:
    """What its owner calls a container."""
    return engine_name.removeprefix("/").partition(SEPARATOR)[0]


def ended_at_once(name: str) -> Conflict:
    """What is said of a container that was started for a connection, and runs no more."""
    return Conflict(
        f"{name} was started, and ended at once.",
        f"Its output says why: ds01 container logs {name}",
    )
