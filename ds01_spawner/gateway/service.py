"""The gateway: its sockets, and what it looks after now and then."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ds01_spawner.adapters.hub_spawning import hub_spawning_from
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import DS01Error, InvalidRequest
from ds01_spawner.gateway.api.application import http_server
from ds01_spawner.gateway.api.ask import Api
from ds01_spawner.gateway.api.bridge import Bridge
from ds01_spawner.gateway.api.handler import Served
from ds01_spawner.gateway.api.serving import served_by, socket_application
from ds01_spawner.gateway.attendance import Standing, standing
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.handlers import docker_door
from ds01_spawner.gateway.event_cursor import EventCursor
from ds01_spawner.gateway.identity import ADMIN_GROUP, Caller, Identification
from ds01_spawner.gateway.removed_containers import RemovedContainers
from ds01_spawner.gateway.wire.engine_link import UnixEngineLink
from ds01_spawner.gateway.wire.server import Server
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.ports import HubClient

_LOG = logging.getLogger(__name__)
_OWN = "gateway"
"""Whose turn in the threads the service's own work takes."""

_IDENTIFYING = 16
_CARING = 4
_ATTENDING = 8

HUB_URL_VARIABLE = "DS01_HUB_URL"
NAMED_SERVERS_VARIABLE = "DS01_NAMED_SERVERS"
CARE_SECONDS = 60.0
CLOSING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How one gateway differs from another.

    Attributes:
        admin_group: The Unix group whose members may do everything.
        care_seconds: How often it looks after rules and folders.
        hub_environment: What JupyterHub gives its service `ds01`; empty where it is none.
    """

    admin_group: str = ADMIN_GROUP
    care_seconds: float = CARE_SECONDS
    hub_environment: Mapping[str, str] | None = None


class Gateway:
    """Serves the Docker door and the API. Decides, and keeps nothing: it may end at any moment.

    Args:
        platform: The platform.
        settings: What is particular to this one.
        hub: Starts and stops the hub's servers; `None` where no hub is known.
    """

    def __init__(self, platform: Platform, settings: Settings, hub: HubClient | None) -> None:
        self._platform = platform
        self._settings = settings
        self._threads = Threads()
        # Of their own: who keeps the others busy stops no new connection, and no care.
        self._identifying = Threads(_IDENTIFYING, each=2)
        self._caring = Threads(_CARING)
        self._attending = Threads(_ATTENDING, each=1)
        self._engine = UnixEngineLink(platform.directories.engine_socket)
        self._identification = Identification(
            platform.accounts, lambda: platform.engine, admin_group=settings.admin_group
        )
        self._door = Door(platform, self._engine, self._threads)
        self._docker = docker_door(self._door, platform.instance)
        api = Api(
            platform,
            self._threads,
            self._engine,
            hub,
            self._docker.builds,
            self._docker.creating,
            hub_url_from(settings.hub_environment or {}),
            hub_spawning_from(settings.hub_environment or {}),
            named_servers_from(settings.hub_environment or {}),
        )
        self._spawning = api.spawning
        self._served = served_by(api)

    async def serve(
        self, docker: socket.socket, api: socket.socket | None, ready: Callable[[], None]
    ) -> None:
        """Serve until cancelled.

        Args:
            docker: The Unix socket, listening.
            api: Where JupyterHub's proxy comes to, listening; `None` without a hub.
            ready: Called when connections are taken.
        """
        own = replace(self._door, threads=self._caring)
        server = Server(
            docker,
            self._identify,
            self._docker.dispatch,
            api=Bridge(socket_application(self._served)),
            attendance=self._served.attendance,
        )
        beside = None if api is None else self._hub_server(api)
        caring = asyncio.ensure_future(self._care())
        cursor = EventCursor(self._platform.directories.state / "engine-events")
        removed = asyncio.ensure_future(
            RemovedContainers(own, self._platform.instance, cursor).watch()
        )
        attending = asyncio.ensure_future(self._served.attendance.watch(self._standing))
        serving = asyncio.ensure_future(server.serve())
        ready()
        try:
            await serving
        finally:
            caring.cancel()
            removed.cancel()
            attending.cancel()
            if beside is not None:
                beside.http.stop()
            await server.close(CLOSING_SECONDS)
            if beside is not None:
                await beside.close()
            if self._spawning is not None:
                await self._spawning.close()
            for threads in (self._threads, self._identifying, self._caring, self._attending):
                threads.close()

    async def _identify(self, pid: int, uid: int, _gid: int) -> Caller:
        # In the name of the caller: a slow name service holds up nobody else.
        return await self._identifying.run(
            f"uid {uid}", lambda: self._identification.identify(pid, uid)
        )

    async def _standing(self, caller: Caller) -> Standing:
        accounts, group = self._platform.accounts, self._settings.admin_group
        # Beside new connections: of everybody who is there, while a directory hangs.
        return await self._attending.run(
            f"uid {caller.uid}", lambda: standing(caller, accounts, group)
        )

    def _hub_server(self, listener: socket.socket) -> "_HubServer":
        server = _HubServer(
            self._served, self._settings.hub_environment or {}, self._platform.cookie_secret
        )
        server.http.add_socket(listener)
        return server

    async def _care(self) -> None:
        """Keep rules in force and clear what belongs to no container, again and again."""
        again: list[Callable[[], None]] = [self._keep_isolation, self._clear_binds]
        tasks = [self._tell_withheld, *again]
        while True:
            for task in tasks:
                try:
                    await self._caring.run(_OWN, task)
                except DS01Error as exc:
                    _LOG.warning("%s: %s", task.__name__.strip("_"), exc)
                except Exception:  # noqa: BLE001 - the loop's top: the next turn is another try
                    _LOG.exception("%s failed", task.__name__.strip("_"))
            await asyncio.sleep(self._settings.care_seconds)
            tasks = again

    def _tell_withheld(self) -> None:
        """Once: the administrator learns why an index may refuse builds."""
        for name in self._platform.build_settings.withheld:
            _LOG.warning(
                "pip's setting %s has a password, or is no plain address: builds are given it "
                "without, or not at all. Name an index without a password: build.pip in "
                "images.yaml (docs/images.md)",
                name,
            )

    def _keep_isolation(self) -> None:
        self._platform.isolation.keep()

    def _clear_binds(self) -> None:
        cleared = self._platform.binds.clear_unclaimed(self._platform.engine.containers())
        if cleared:
            _LOG.info("%d stages that belong to no container were cleared", len(cleared))


def hub_url_from(environment: Mapping[str, str]) -> str | None:
    """Where people reach the hub in a browser, ending in `/`; `None` where nothing says so."""
    url = environment.get(HUB_URL_VARIABLE)
    if not url:  # the hub's own word, for services that it manages
        url = environment.get("JUPYTERHUB_PUBLIC_HUB_URL", "").rstrip("/").removesuffix("/hub")
    return f"{url.rstrip('/')}/" if url else None


def named_servers_from(environment: Mapping[str, str]) -> int | None:
    """The hub's `named_server_limit_per_user`, which it tells nobody; `None` where it is not set.

    Raises:
        InvalidRequest: It is no number.
    """
    text = environment.get(NAMED_SERVERS_VARIABLE, "").strip()
    if not text:
        return None
    if not text.isdecimal():
        raise InvalidRequest(
            f"{NAMED_SERVERS_VARIABLE} is {text!r}.",
            "Set it to the hub's named_server_limit_per_user.",
        )
    return int(text)


class _HubServer:
    """What JupyterHub's proxy comes to: the API and the pages, and what the pages look after."""

    def __init__(self, served: Served, environment: Mapping[str, str], secret: bytes) -> None:
        # Here, because the hub's packages are there only where a hub is.
        from ds01_spawner.gateway.web.application import lab_application, site_of  # noqa: PLC0415

        site = site_of(served, environment)
        self.http = http_server(lab_application(site, environment, secret))
        self._looking_after = asyncio.ensure_future(site.look_after())

    async def close(self) -> None:
        """Answer nobody any more."""
        self._looking_after.cancel()
        self.http.stop()
        await self.http.close_all_connections()
