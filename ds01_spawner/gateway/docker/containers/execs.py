"""`docker exec`: more processes in one's own containers."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ds01_spawner.domain.errors import Forbidden, NotFound, QuotaExceeded, Refused
from ds01_spawner.gateway.docker.containers.deeds import ContainerDeeds, Deed, answer_with
from ds01_spawner.gateway.docker.containers.enterable import check_enterable
from ds01_spawner.gateway.docker.containers.lookup import Owned, check_made_here
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.options.exec import exec_payload, exec_start_payload, exec_user
from ds01_spawner.gateway.docker.reading.parameters import terminal_size
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.rates import Rate, Rates
from ds01_spawner.gateway.wire.call import Call, Handler, Reply

_ID = re.compile(r"^[0-9a-f]{64}\Z")
_BODY_BYTES = 128 * 1024
"""As much as the kernel takes in one argument."""

MOST_EXECS = 200
"""Of one container. The engine keeps each 5 minutes after its end, and one that never ran until the
container's end."""

_RATE = Rate(burst=100, per_second=5)
_REMEMBERED = 4096
_SHOWN_COMMAND = 64


class Execs:
    """Starts processes in containers, and talks with them.

    An exec belongs to whose container it runs in, and is started only if it could have been asked
    for here: what an administrator prepares in somebody's container is not theirs to start.

    Args:
        door: What handlers stand on.
        owned: Finds containers.
    """

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._engine = door.engine
        self._owned = owned
        self._deeds = ContainerDeeds(door)
        # Saves asking the engine; who owns the container is asked each time.
        self._made: OrderedDict[str, str] = OrderedDict()
        self._rates = Rates(_RATE)

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "POST /containers/{id}/exec": self.create,
            "POST /exec/{id}/start": self.start,
            "POST /exec/{id}/resize": self.resize,
            "GET /exec/{id}/json": self.inspect,
        }

    async def create(self, call: Call, reply: Reply) -> None:
        """What is to be run; the log has the program's name, its arguments may be secret."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        await self._check(call.caller, found)
        check_few(found, call.parts["id"])
        self._rates.take(call.caller.user)
        content = await call.body.read(_BODY_BYTES)
        body = exec_payload(content, found, call.caller.person)
        details = {"command": program(body.get("Cmd") or ())}
        deed = Deed("container.exec", "/exec", body=body, details=details)
        answer = await self._deeds.done(call, found, deed)
        if answer.ok:
            self._made[str(answer.value["Id"])] = str(found["Id"])
            while len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
        await answer_with(answer, reply, call, found)

    async def start(self, call: Call, reply: Reply) -> None:
        """Run it, with the client at its standard streams unless it is detached."""
        path = await self._checked_path(call, "start")
        body = exec_start_payload(await call.body.read(_BODY_BYTES))
        if body["Detach"]:
            await self._engine.relay(call, reply, "POST", path, body=body)
        else:
            await self._engine.hijack(call, reply, path, body=body)

    async def resize(self, call: Call, reply: Reply) -> None:
        """The size of its terminal."""
        path = await self._checked_path(call, "resize")
        await self._engine.relay(call, reply, "POST", path, terminal_size(call))

    async def inspect(self, call: Call, reply: Reply) -> None:
        """Whether it runs, and how it ended."""
        shown = await self._shown(call)
        await self._container(call, str(shown.get("ContainerID")))
        await reply.json(shown)

    async def _checked_path(self, call: Call, ending: str) -> str:
        """The engine's path of an exec that the caller may do things with."""
        exec_id = call.parts["id"]
        container_id = self._made.get(exec_id)
        if container_id is not None:
            container = await self._container(call, container_id)
            check_made_here(container)
            await self._check(call.caller, container)
            return f"/exec/{exec_id}/{ending}"
        shown = await self._shown(call)
        container = await self._container(call, str(shown.get("ContainerID")))
        check_made_here(container)
        await self._check(call.caller, container)
        if not could_be_asked(shown.get("ProcessConfig") or {}, container, call.caller):
            raise Forbidden(
                "An administrator created this exec for another user.",
                "Run a command of your own: docker exec.",
            )
        return f"/exec/{exec_id}/{ending}"

    async def _check(self, caller: Caller, container: Mapping[str, Any]) -> None:
        user, person, platform = caller.user, caller.person, self._door.platform
        await self._door.threads.run(
            user, lambda: check_enterable(platform, user, person, container)
        )

    async def _shown(self, call: Call) -> dict[str, Any]:
        exec_id = call.parts["id"]
        if not _ID.match(exec_id):
            raise _no_such_exec(exec_id)
        answer = await self._engine.ask("GET", f"/exec/{exec_id}/json", version=call.version)
        if not answer.ok or not isinstance(answer.value, Mapping):
            raise _no_such_exec(exec_id)
        return dict(answer.value)

    async def _container(self, call: Call, container_id: str) -> dict[str, Any]:
        try:
            return await self._owned.container(call.caller, container_id)
        except NotFound as exc:
            raise _no_such_exec(call.parts["id"]) from exc


def check_few(container: Mapping[str, Any], ref: str) -> None:
    """Return when one more command may be run in an inspected container.

    Raises:
        QuotaExceeded: Too many were, lately.
    """
    if (count := len(container.get("ExecIDs") or ())) >= MOST_EXECS:
        raise QuotaExceeded(
            f"{ref} has {count} of {MOST_EXECS} commands of docker exec.",
            f"They end with it: docker restart {ref}. What has ended is forgotten after a while.",
            limit="execs",
            used=count,
            asked=1,
            allowed=MOST_EXECS,
        )


def program(command: Sequence[str]) -> str:
    """The name of the program that a command runs, fit for the log; empty for what is not one."""
    words = command[0].split() if command else []
    name = PurePosixPath(words[0]).name if words else ""
    return "" if "=" in name else name[:_SHOWN_COMMAND]


def could_be_asked(
    process: Mapping[str, Any], container: Mapping[str, Any], caller: Caller
) -> bool:
    """Whether a person could have asked for this process in this container of theirs."""
    if process.get("privileged"):
        return False
    try:
        exec_user(str(process.get("user") or ""), container, caller.person)
    except Refused:
        return False
    return True


def _no_such_exec(exec_id: str) -> NotFound:
    return NotFound(f"No such exec instance: {exec_id}")
