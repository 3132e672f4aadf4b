"""Commands in one's own containers, for those who come through the hub."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import shown
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.api.ask import Api
from ds01_spawner.gateway.api.builds import caller_of
from ds01_spawner.gateway.api.raw_exec import RawExec, raw_exec
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.docker.containers.enterable import check_enterable
from ds01_spawner.gateway.docker.containers.execs import check_few, program
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.options.exec import exec_payload
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.operations.audit.lines import in_request

_END_SECONDS = 10.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Entered:
    """A container that its owner may run something in.

    Attributes:
        caller: Its owner.
        name: What they call it.
        inspected: The engine's inspect JSON of it.
        request_id: Names the request in the log.
    """

    caller: Caller
    name: str
    inspected: Mapping[str, Any]
    request_id: str


class ApiExecs:
    """Finds containers, and runs commands in them."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def enter(self, requester: Requester, name: str, request_id: str) -> Entered:
        """The requester's own container; only theirs, whatever their role.

        Raises:
            NotFound: They have no such container.
            Conflict: It does not run.
            QuotaExceeded: Very many commands run in it.
            Forbidden: The platform did not make it, or they may not enter it any more.
            Unavailable: Engine, policy or accounts do not answer.
        """
        platform, threads = self._api.platform, self._api.threads
        user = requester.user
        caller = await threads.run(user, lambda: caller_of(platform, requester))
        try:
            found = await Owned(self._api.engine, platform.instance).made_here(caller, name)
        except NotFound as exc:
            raise NotFound(
                f"There is no container called {shown(name)}.", "See: ds01 container list."
            ) from exc
        state = found.get("State") or {}
        if not state.get("Running"):
            raise Conflict(f"{name} does not run.", f"Start it first: ds01 container start {name}.")
        if state.get("Paused"):
            raise Conflict(f"{name} is paused.", f"Let it go on: ds01 container unpause {name}.")
        account = caller.account
        if account is not None:
            await threads.run(user, lambda: check_enterable(platform, user, account, found))
        check_few(found, name)
        return Entered(caller, name, found, request_id)

    async def prepare(self, entered: Entered, wanted: m.ExecRequest) -> str:
        """The engine's id of the command, made ready; the log has the program's name.

        Raises:
            Refused: It cannot be run.
            Unavailable: Engine or log do not answer.
        """
        caller, found = entered.caller, entered.inspected
        # Who has no account here is the image's user, whom no number names.
        account = caller.account or UnixAccount(caller.user, caller.uid, caller.uid, "/")
        body = exec_payload(_asked(wanted), found, account)
        path = f"/containers/{found['Id']}/exec"
        answer = checked(
            await self._api.engine.ask("POST", path, body=body),
            lambda text: text.replace(str(found["Id"]), entered.name),
        )

        def record() -> None:
            with in_request(entered.request_id, caller.user):
                self._api.platform.audit.write(
                    "container.exec",
                    user=caller.user,
                    resource=str(found.get("Name", "")).lstrip("/"),
                    interface=Interface.API.value,
                    details={"id": str(found["Id"]), "command": program(wanted.command)},
                )

        await self._api.threads.run(caller.user, record)
        return str(answer.value["Id"])

    def opened(
        self, entered: Entered, exec_id: str, *, tty: bool
    ) -> AbstractAsyncContextManager[RawExec]:
        """The command, started."""
        return raw_exec(self._api.engine, entered.caller, exec_id, tty=tty)

    async def resize(self, exec_id: str, rows: int, columns: int) -> None:
        """Set the size of its terminal; nothing happens where there is none any more."""
        query = {"h": [str(rows)], "w": [str(columns)]}
        await self._api.engine.ask("POST", f"/exec/{exec_id}/resize", query)

    async def exit_code(self, exec_id: str) -> int:
        """How it ended; to be asked after the end of its output.

        Raises:
            Unavailable: It still runs, or the engine does not answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _END_SECONDS
        while True:
            told = checked(await self._api.engine.ask("GET", f"/exec/{exec_id}/json")).value or {}
            if not told.get("Running") and isinstance(told.get("ExitCode"), int):
                return int(told["ExitCode"])
            if loop.time() >= deadline:
                raise Unavailable("The command has closed its output, and still runs.")
            await asyncio.sleep(_LOOK_SECONDS)


def _asked(wanted: m.ExecRequest) -> bytes:
    """In Docker's words."""
    body: dict[str, Any] = {
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": wanted.tty,
        "Cmd": list(wanted.command),
        "Env": [f"{name}={value}" for name, value in wanted.environment.items()],
    }
    if wanted.workdir:
        body["WorkingDir"] = wanted.workdir
    return json.dumps(body).encode()
