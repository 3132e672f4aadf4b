"""The engine as a whole: whether it answers, what it is, and logging in to registries."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ds01_spawner.adapters.docker_engine.connection import NEWEST_API
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, Unavailable
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.system.machine_info import info_for, older_version, version_for
from ds01_spawner.gateway.wire.call import Call, Handler, Reply
from ds01_spawner.gateway.wire.request import OLDEST_MINOR

NEWEST = ".".join(str(part) for part in NEWEST_API)
"""The newest API version that is offered, whatever the engine speaks."""

OLDEST = f"1.{OLDEST_MINOR}"

_PING_SECONDS = 5.0
_REMEMBERED_SECONDS = 60.0
_BODY_BYTES = 64 * 1024
_HUB = "docker.io"
_HUB_ADDRESS = "https://index.docker.io/v1/"
_HUB_SPELLINGS = frozenset({"", _HUB, "index.docker.io", "registry-1.docker.io"})
_HOST = re.compile(r"^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?\Z")

CountImages = Callable[[Call], Awaitable[int]]
"""How many images the caller sees."""

MayLogin = Callable[[str], bool]
"""Whether people may fetch from this registry, `docker.io` or `registry.example.edu:5000`."""


class System:
    """What concerns the engine and no container."""

    def __init__(
        self, door: Door, owned: Owned, *, count_images: CountImages, may_login: MayLogin
    ) -> None:
        self._engine = door.engine
        self._threads = door.threads
        self._owned = owned
        self._count_images = count_images
        self._may_login = may_login
        self._version: Mapping[str, Any] = {}
        self._version_until = 0.0

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "GET /_ping": self.ping,
            "HEAD /_ping": self.ping,
            "GET /version": self.version,
            "GET /info": self.info,
            "POST /auth": self.auth,
        }

    async def ping(self, call: Call, reply: Reply) -> None:
        """Whether the engine answers, and which API version and builder a client is to use."""
        answer = await self._engine.ask("HEAD", "/_ping", seconds=_PING_SECONDS)
        if not answer.ok:
            raise Unavailable(f"The container engine answers {answer.status}.", "Try again.")
        version = await self._engine_version()
        headers = {
            "Api-Version": older_version(str(version.get("ApiVersion") or NEWEST), NEWEST),
            "Builder-Version": "1",  # the classic builder: BuildKit is not offered
            "Docker-Experimental": "false",
            "Ostype": str(version.get("Os") or "linux"),
            "Cache-Control": "no-cache, no-store, must-revalidate",
            "Pragma": "no-cache",
        }
        if call.method == "HEAD":
            await reply.empty(200, headers)
            return
        content = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": "2"}
        await reply.begin(200, {**headers, **content})
        await reply.write(b"OK")
        await reply.finish()

    async def version(self, call: Call, reply: Reply) -> None:
        """`docker version`."""
        await self._engine.relay(call, reply, "GET", "/version", rewrite=_version_shown)

    async def info(self, call: Call, reply: Reply) -> None:
        """`docker info`."""
        answer, containers, images = await asyncio.gather(
            self._engine.ask("GET", "/info", version=call.version),
            self._owned.listed(call.caller, query={"all": "1"}, version=call.version),
            self._count_images(call),
        )
        if not answer.ok or not isinstance(answer.value, Mapping):
            raise Unavailable("The container engine does not say what it is.", "Try again.")
        states = [str(each.get("State") or "") for each in containers]
        await reply.json(info_for(answer.value, states, images))

    async def auth(self, call: Call, reply: Reply) -> None:
        """`docker login`: checked by the registry; nothing of it is kept here."""
        fields = Fields.of(await call.body.read(_BODY_BYTES))
        credentials = {
            name: fields.text(name) for name in ("username", "password", "identitytoken")
        }
        host = registry_host(fields.text("serveraddress"))
        fields.drop("email", "auth", "registrytoken")
        fields.finish()
        if not await self._threads.run(call.caller.user, lambda: self._may_login(host)):
            raise Forbidden(
                f"Nothing may be fetched from the registry {shown(host)} here, so there is no "
                "logging in to it.",
                "Ask an administrator to add it to `pull_allowed` in images.yaml.",
            )
        address = _HUB_ADDRESS if host == _HUB else host
        body = {**credentials, "serveraddress": address}
        await self._engine.relay(call, reply, "POST", "/auth", body=body, rewrite=_login_shown)

    async def _engine_version(self) -> Mapping[str, Any]:
        """What the engine said of itself within the last minute: it runs two programs for it."""
        now = asyncio.get_running_loop().time()
        if now >= self._version_until:
            answer = await self._engine.ask("GET", "/version")
            if not answer.ok or not isinstance(answer.value, Mapping):
                raise Unavailable("The container engine does not say its version.", "Try again.")
            self._version = answer.value
            self._version_until = now + _REMEMBERED_SECONDS
        return self._version


def registry_host(address: str) -> str:
    """The registry that a client's `serveraddress` names: `docker.io`, `registry.lab:5000`.

    Raises:
        InvalidRequest: It names none.
    """
    bare = address.strip().lower().removeprefix("https://").removeprefix("http://")
    host = bare.partition("/")[0]
    if host in _HUB_SPELLINGS:
        return _HUB
    if not _HOST.match(host):
        raise InvalidRequest(
            f"{shown(address)} is not a registry.",
            "Name its host: docker login registry.example.edu.",
        )
    return host


def _version_shown(value: Any) -> Any:
    if not isinstance(value, Mapping) or "ApiVersion" not in value:
        return value
    return version_for(value, OLDEST, NEWEST)


def _login_shown(value: Any) -> Any:
    if not isinstance(value, Mapping) or "message" in value:
        return value
    return {key: value[key] for key in ("Status", "IdentityToken") if key in value}
