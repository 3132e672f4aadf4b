"""Containers that begin, pause and end: start, stop, restart, kill, pause, unpause."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ds01_spawner.adapters.docker_engine.inspection import binds_key_of, inspected_container
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict, DS01Error, Forbidden, NotFound
from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.docker.containers.containers import removal
from ds01_spawner.gateway.docker.containers.deeds import (
    ContainerDeeds,
    Deed,
    answer_with,
    finished,
)
from ds01_spawner.gateway.docker.containers.lookup import Owned, labels_of, no_such_container
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.reading.parameters import number
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Call, Handler, Query, Reply
from ds01_spawner.operations.containers.readiness import check_image_user

_DEFAULT_GRACE = 10
_MARGIN = 60.0
_FOREVER = 7 * 24 * 3600.0


class ContainerRuns:
    """Starts and ends one's own containers.

    Args:
        door: What handlers stand on.
        owned: Finds containers.
    """

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._owned = owned
        self._deeds = ContainerDeeds(door)

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "POST /containers/{id}/start": self.start,
            "POST /containers/{id}/stop": self.stop,
            "POST /containers/{id}/restart": self.restart,
            "POST /containers/{id}/kill": self.kill,
            "POST /containers/{id}/pause": self.pause,
            "POST /containers/{id}/unpause": self.unpause,
        }

    async def start(self, call: Call, reply: Reply) -> None:
        """Start what exists, when its slot is still free and its owner's limits hold."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        if found["State"].get("Paused"):
            raise Conflict("cannot start a paused container, try unpause instead")
        if found["State"].get("Running"):
            return await reply.empty(304)
        started = await self._started(call, found)
        return await reply.empty(204 if started else 304)

    async def stop(self, call: Call, reply: Reply) -> None:
        """Stop; the slot is kept for the policy's hold."""
        found = await self._owned.container(call.caller, call.parts["id"])
        await self._deeds.do(call, reply, found, _stop(call, found))

    async def restart(self, call: Call, reply: Reply) -> None:
        """Stop, then start by the rules of a start."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        if labels.origin_of(labels_of(found)) is Interface.HUB:
            raise Forbidden(
                "JupyterHub manages this container.",
                "Stop and start it from JupyterHub's home page.",
            )
        if not found["State"].get("Running"):
            await self._started(call, found)
            return await reply.empty(204)
        if (found.get("HostConfig") or {}).get("AutoRemove"):
            return await self._restart_at_once(call, reply, found)
        stopped = await self._deeds.done(call, found, _stop(call, found))
        if not stopped.ok:
            return await answer_with(stopped, reply, call, found)
        await self._started(call, found)
        return await reply.empty(204)

    async def _restart_at_once(self, call: Call, reply: Reply, found: Mapping[str, Any]) -> None:
        """With `--rm` a stop is the end, so the engine does both, which nobody could come between.

        Somebody could with a GPU: while nothing runs, its slot may go to somebody else.
        """
        if labels.gpu_uuids_of(labels_of(found)):
            raise Forbidden(
                "A container with --rm is gone when it stops, and its GPU slot with it.",
                "Make it anew with docker run.",
            )
        await self._check_restart(call.caller, found)
        deed = Deed(
            "container.restart", "/restart", query=_grace(call), seconds=_patience(call, found)
        )
        user, stillness = call.caller.user, self._door.platform.stillness

        async def restart() -> None:
            container_id = str(found["Id"])
            await self._door.threads.run(user, lambda: stillness.begin_start(container_id))
            try:
                await self._deeds.do(call, reply, found, deed)
            finally:
                stillness.end_start(container_id)

        await finished(restart())

    async def _check_restart(self, caller: Caller, found: Mapping[str, Any]) -> None:
        """Return when the engine may start a container again that still runs.

        Folders of the host would be mounted where what runs says by then, and nobody would look.
        """
        container = inspected_container(found)
        if container.binds_key:
            raise Forbidden(
                "A container with --rm and folders of the server is not restarted.",
                "Make it anew with docker run.",
            )
        platform = self._door.platform
        limits = await self._door.threads.run(
            caller.user, lambda: platform.admission.limits(caller.user)
        )
        check_image_user(runs_as=container.uid, own=caller.person.uid, limits=limits)

    async def kill(self, call: Call, reply: Reply) -> None:
        """Send a signal."""
        found = await self._owned.container(call.caller, call.parts["id"])
        signal = call.first("signal")
        query = {"signal": [signal]} if signal else {}
        details = {"signal": signal[:20] or "KILL"}
        deed = Deed("container.kill", "/kill", query=query, details=details)
        await self._deeds.do(call, reply, found, deed)

    async def pause(self, call: Call, reply: Reply) -> None:
        """Freeze; it keeps everything that it holds."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        await self._deeds.do(call, reply, found, Deed("container.pause", "/pause"))

    async def unpause(self, call: Call, reply: Reply) -> None:
        """Let a paused container go on."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        await self._deeds.do(call, reply, found, Deed("container.unpause", "/unpause"))

    async def _started(self, call: Call, found: Mapping[str, Any]) -> bool:
        """Whether it had to be started; goes on to its end when the client goes."""
        return await finished(self._start(call, found))

    async def _start(self, call: Call, found: Mapping[str, Any]) -> bool:
        caller, container_id = call.caller, str(found["Id"])
        owner = labels.owner_of(labels_of(found)) or caller.user
        platform = self._door.platform
        try:
            return await self._door.threads.run(
                caller.user, lambda: platform.starts.start(container_id, owner)
            )
        except DS01Error as exc:
            await self._after_failure(call, found)
            if isinstance(exc, NotFound) and exc.message.startswith("No such container"):
                raise no_such_container(call.parts["id"]) from exc
            raise

    async def _after_failure(self, call: Call, found: Mapping[str, Any]) -> None:
        """Leave nothing of a container that was not started, where nobody would come back to it.

        One with `--rm` is gone, as in Docker: the client waits for that. And what was made ready
        for one that somebody has removed meanwhile is in nobody's way.
        """
        platform, key = self._door.platform, binds_key_of(found.get("Mounts"))
        with suppress(DS01Error):
            if (found.get("HostConfig") or {}).get("AutoRemove"):
                await self._deeds.done(call, found, removal({"v": ["1"]}, reason="not started"))
            elif key:
                answer = await self._door.engine.ask("GET", f"/containers/{found['Id']}/json")
                if answer.is_missing:
                    await self._door.threads.run(
                        call.caller.user, lambda: platform.binds.clear(key)
                    )


def _stop(call: Call, found: Mapping[str, Any]) -> Deed:
    query = dict(_grace(call))
    if call.first("signal"):
        query["signal"] = [call.first("signal")]
    return Deed("container.stop", "/stop", query=query, seconds=_patience(call, found))


def _grace(call: Call) -> Query:
    seconds = number(call, "t")
    return {} if seconds is None else {"t": [str(seconds)]}


def _patience(call: Call, found: Mapping[str, Any]) -> float:
    """How long the engine may take: its wait for the container's end, and a margin."""
    grace = number(call, "t")
    if grace is None:
        told = (found.get("Config") or {}).get("StopTimeout")
        grace = _DEFAULT_GRACE if told is None else int(told)
    return _FOREVER if grace < 0 else min(_FOREVER, grace + _MARGIN)
