"""A tunnel to the SSH server of one's own container: a websocket through the hub, no open port.

The server is `sshd -i`, started in the container as the person for each tunnel (docs/ssh.md). What
the websocket carries as binary messages is what `ssh` says to it, and what it answers; SSH itself
decides who gets in, and nothing of it can be read here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, DS01Error, NotFound, Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.api.ask import Api
from ds01_spawner.gateway.api.raw_exec import STDERR, RawExec, raw_exec
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.api.ssh import SshDoor, ended_at_once
from ds01_spawner.gateway.docker.containers.execs import check_few
from ds01_spawner.gateway.docker.options.exec import exec_user
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.operations.audit.lines import in_request

_NO_PROGRAM = b"OCI runtime exec failed"
"""What the engine says in the program's place when there is no such program."""

_SETTLING_SECONDS = 0.5
"""The engine shows a container as running for a moment after it has ended."""

_MOST_WORDS = 2000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A server that is ready to be started.

    Attributes:
        caller: Whose container it is in.
        exec_id: The engine's id of it.
        container_id: The engine's id of the container.
        access: What the owner is told of the container.
    """

    caller: Caller
    exec_id: str
    container_id: str
    access: m.SshAccess


class Tunnels:
    """Prepares and opens tunnels.

    Args:
        api: What the API stands on.
        command: What is run in place of the SSH server.
    """

    def __init__(self, api: Api, command: tuple[str, ...] | None = None) -> None:
        self._api = api
        self._door = SshDoor(api)
        self._command = command

    async def prepare(self, requester: Requester, name: str, request_id: str) -> Prepared:
        """A server in the requester's own container; only there, whatever their role.

        Raises:
            NotFound: They have no such container.
            Conflict: It does not run, or no key of theirs opens it.
            Refused: It may not start, or the platform did not make it.
            Unavailable: Engine or accounts do not answer.
        """
        platform, threads = self._api.platform, self._api.threads
        entered = await self._door.enter(requester, name, request_id)
        found, caller, access = entered.inspected, entered.caller, entered.access
        check_few(found, access.name)
        body = {
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": False,
            "Privileged": False,
            "User": "" if caller.account is None else exec_user("", found, caller.account),
            "Cmd": list(self._command or access.command),
        }
        answer = await self._api.engine.ask("POST", f"/containers/{found['Id']}/exec", body=body)
        if answer.status == HTTPStatus.CONFLICT:  # it does not run: not any more
            raise _ended(access)
        if not answer.ok:
            raise _not_started(access)

        def record() -> None:
            with in_request(request_id, requester.user):
                platform.audit.write(
                    "container.tunnel",
                    user=requester.user,
                    resource=str(found.get("Name", "")).lstrip("/"),
                    interface=Interface.API.value,
                    details={"id": str(found["Id"])},
                )

        await threads.run(requester.user, record)
        return Prepared(caller, str(answer.value["Id"]), str(found["Id"]), access)

    @asynccontextmanager
    async def opened(self, prepared: Prepared) -> AsyncIterator["Tunnel"]:
        """The tunnel, while it lasts."""
        async with raw_exec(self._api.engine, prepared.caller, prepared.exec_id) as process:
            yield Tunnel(process, lambda: self._not_begun(prepared))

    async def _not_begun(self, prepared: Prepared) -> DS01Error:
        """Why the engine has not started a server."""
        place = f"/containers/{prepared.container_id}/json"
        for seconds in (0.0, _SETTLING_SECONDS):
            await asyncio.sleep(seconds)
            answer = await self._api.engine.ask("GET", place)
            if answer.status == HTTPStatus.NOT_FOUND:
                return _ended(prepared.access)
            if not answer.ok:
                return _not_started(prepared.access)
            if not (answer.value.get("State") or {}).get("Running"):
                return _ended(prepared.access)
        return NotFound(
            f"No SSH server can be started in {prepared.access.name}.",
            "Its image has no shell: use another.",
        )


def _ended(access: m.SshAccess) -> Conflict:
    if access.started:
        return ended_at_once(access.name)
    return Conflict(
        f"{access.name} has just ended.", f"Its output: ds01 container logs {access.name}"
    )


def _not_started(access: m.SshAccess) -> Unavailable:
    return Unavailable(f"No SSH server can be started in {access.name}.", "Try again.")


class Tunnel:
    """Bytes to and from a server.

    Args:
        process: The server's.
        not_begun: Finds out why the engine has not started it.
    """

    def __init__(self, process: RawExec, not_begun: Callable[[], Awaitable[DS01Error]]) -> None:
        self._process = process
        self._not_begun = not_begun
        self._words = ""

    async def begin(self) -> None:
        """Return when the server has been started.

        Raises:
            NotFound: The image has no SSH server.
            Conflict: The container has just ended.
            Unavailable: The engine does not answer.
        """
        if await self._process.begin() is not None:
            raise await self._not_begun()

    async def send(self, data: bytes) -> None:
        """Say something to the server; returns when more may be said."""
        await self._process.send(data)

    async def parts(self) -> AsyncIterator[bytes]:
        """What the server says, until it ends.

        Raises:
            NotFound: The image has no SSH server.
            Conflict: The container has just ended.
        """
        said = False
        async for stream, part in self._process.parts():
            if stream == STDERR:
                self._words = (self._words + part.decode(errors="replace"))[:_MOST_WORDS]
            elif not said and part.startswith(_NO_PROGRAM):
                raise await self._not_begun()
            else:
                said = True
                yield part

    @property
    def words(self) -> str:
        """What the server wrote to its log, the begin of it."""
        return self._words.strip()


def problem_words(error: Any) -> str:
    """A sentence short enough for the reason of a websocket's close (RFC 6455: 123 bytes)."""
    return str(error).encode()[:120].decode(errors="ignore")
