"""One's own containers: looked at, waited for, renamed, changed, removed."""

from collections.abc import Mapping

from ds01_spawner.adapters.docker_engine.inspection import binds_key_of
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import check_docker_name, shown
from ds01_spawner.gateway.docker.containers.deeds import ContainerDeeds, Deed, answer_with
from ds01_spawner.gateway.docker.containers.lookup import Owned, labels_of
from ds01_spawner.gateway.docker.containers.ps_arguments import check_ps_arguments
from ds01_spawner.gateway.docker.containers.views import inspected_view
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.options.process import check_restart_policy
from ds01_spawner.gateway.docker.options.update import update_payload
from ds01_spawner.gateway.docker.reading.names import engine_name, without_number
from ds01_spawner.gateway.docker.reading.parameters import flag, terminal_size
from ds01_spawner.gateway.wire.call import Call, Handler, Query, Reply

_MOST_UPDATE_BYTES = 64 * 1024
_REMOVAL_SECONDS = 600.0
_WAITS = frozenset({"", "not-running", "next-exit", "removed"})


class Containers:
    """Handles one's own containers, one at a time.

    Args:
        door: What handlers stand on.
        owned: Finds containers.
    """

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._engine = door.engine
        self._owned = owned
        self._deeds = ContainerDeeds(door)

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "GET /containers/{id}/json": self.inspect,
            "GET /containers/{id}/top": self.top,
            "GET /containers/{id}/changes": self.changes,
            "GET /containers/{id}/export": self.export,
            "POST /containers/{id}/wait": self.wait,
            "POST /containers/{id}/resize": self.resize,
            "POST /containers/{id}/rename": self.rename,
            "POST /containers/{id}/update": self.update,
            "DELETE /containers/{id}": self.remove,
        }

    async def inspect(self, call: Call, reply: Reply) -> None:
        """Everything about a container, in its owner's names."""
        caller = call.caller
        found = await self._owned.container(caller, call.parts["id"], version=call.version)
        if flag(call, "size"):
            path = f"/containers/{found['Id']}/json"
            sized = await self._engine.ask("GET", path, {"size": ["1"]}, version=call.version)
            found = sized.value if sized.ok else found
        await reply.json(inspected_view(found, caller.user))

    async def top(self, call: Call, reply: Reply) -> None:
        """Its processes; the engine runs `ps` as root on the host for it."""
        ref, arguments = call.parts["id"], " ".join(call.first("ps_args").split())
        check_ps_arguments(arguments)
        found = await self._owned.container(call.caller, ref)
        query = {"ps_args": [arguments]} if arguments else {}
        path = f"/containers/{found['Id']}/top"
        answer = await self._engine.ask("GET", path, query, version=call.version)
        if answer.ok:
            return await answer_with(answer, reply, call, found)
        # The engine's own words may be a line of somebody else's process.
        if not (found.get("State") or {}).get("Running"):
            raise Conflict(f"Container {ref} is not running")
        raise InvalidRequest(
            f"The processes of {ref} cannot be shown so.", "Leave the arguments of top out."
        )

    async def changes(self, call: Call, reply: Reply) -> None:
        """Files that differ from its image's."""
        await self._engine.relay(
            call, reply, "GET", await self._owned.path(call.caller, call.parts["id"], "changes")
        )

    async def export(self, call: Call, reply: Reply) -> None:
        """Its own files, without what is mounted, as an archive."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        await self._engine.relay(call, reply, "GET", f"/containers/{found['Id']}/export")

    async def wait(self, call: Call, reply: Reply) -> None:
        """Its end; the head of the answer comes at once, the rest then."""
        condition = call.first("condition")
        if condition not in _WAITS:
            raise InvalidRequest(f"invalid condition: {shown(condition)}")
        query = {"condition": [condition]} if condition else {}
        path = await self._owned.path(call.caller, call.parts["id"], "wait")
        await self._engine.relay(call, reply, "POST", path, query)

    async def resize(self, call: Call, reply: Reply) -> None:
        """The size of its terminal."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        path = f"/containers/{found['Id']}/resize"
        await self._engine.relay(call, reply, "POST", path, terminal_size(call))

    async def rename(self, call: Call, reply: Reply) -> None:
        """Another name, among its owner's own."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        name = check_docker_name(without_number(call.first("name"), call.caller.uid))
        if labels.origin_of(labels_of(found)) not in labels.DOCKER_DOORS:
            raise Forbidden(
                "JupyterHub and ds01 find this container by its name, so docker cannot rename it."
            )
        new = engine_name(name, call.caller.user)
        await self._deeds.do(
            call,
            reply,
            found,
            Deed(
                "container.rename",
                "/rename",
                query={"name": [new]},
                details={"name": new},
                afterwards=lambda admission, container: admission.renamed(container, new),
            ),
        )

    async def update(self, call: Call, reply: Reply) -> None:
        """Other limits, within its owner's."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        if labels.origin_of(labels_of(found)) is Interface.HUB:
            raise Forbidden(
                "JupyterHub manages this container: its limits are those it was started with.",
                "Stop it and start it anew from JupyterHub's home page.",
            )
        body = await call.body.read(_MOST_UPDATE_BYTES)
        user, platform = call.caller.user, self._door.platform
        limits = await self._door.threads.run(user, lambda: platform.admission.limits(user))
        payload, told = update_payload(body, limits)
        if binds_key_of(found.get("Mounts")):
            check_restart_policy(payload)
        deed = Deed("container.update", "/update", body=payload, details={"asked": payload})
        answer = await self._deeds.done(call, found, deed)
        if not answer.ok:
            return await answer_with(answer, reply, call, found)
        warnings = [*((answer.value or {}).get("Warnings") or ()), *told]
        return await reply.json({"Warnings": warnings or None})

    async def remove(self, call: Call, reply: Reply) -> None:
        """Gone for good; what it held is free at once."""
        if flag(call, "link"):
            raise InvalidRequest(
                "Links between containers are not offered here.", "Use a network: docker network."
            )
        found = await self._owned.container(call.caller, call.parts["id"])
        query = {name: ["1"] for name in ("v", "force") if flag(call, name)}
        await self._deeds.do(call, reply, found, removal(query))


def removal(query: Query, **details: object) -> Deed:
    """The removal of a container, after which nothing is promised for it."""
    return Deed(
        "container.remove",
        method="DELETE",
        query=query,
        seconds=_REMOVAL_SECONDS,
        details=details,
        afterwards=lambda admission, container: admission.forget(container),
    )
