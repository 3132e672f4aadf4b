"""What a container says and uses: attach, logs, stats."""

from collections.abc import Mapping
from typing import Any

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.containers.watching import watch
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.reading.names import own_name
from ds01_spawner.gateway.docker.reading.parameters import flag
from ds01_spawner.gateway.wire.call import Call, Handler, Reply

_FIRST_READING_SECONDS = 5.0


class Streams:
    """Streams of one's own containers."""

    def __init__(self, door: Door, owned: Owned) -> None:
        self._engine = door.engine
        self._owned = owned

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {
            "POST /containers/{id}/attach": self.attach,
            "GET /containers/{id}/logs": self.logs,
            "GET /containers/{id}/stats": self.stats,
        }

    async def attach(self, call: Call, reply: Reply) -> None:
        """`docker attach`, and what `docker run` without `-d` holds on to."""
        found = await self._owned.made_here(call.caller, call.parts["id"])
        await self._engine.hijack(call, reply, f"/containers/{found['Id']}/attach", call.query)

    async def logs(self, call: Call, reply: Reply) -> None:
        """`docker logs`, followed or not."""
        path = await self._owned.path(call.caller, call.parts["id"], "logs")
        await self._engine.relay(call, reply, "GET", path, call.query)

    async def stats(self, call: Call, reply: Reply) -> None:
        """`docker stats`, once or again and again."""
        streams = "stream" not in call.query or flag(call, "stream")
        if streams and flag(call, "one-shot"):
            raise InvalidRequest("cannot have stream=true and one-shot=true")
        path = await self._owned.path(call.caller, call.parts["id"], "stats")

        def shown(value: Any) -> Any:
            return stats_for(value, call.caller.user)

        if streams:
            query = {"stream": ["1"]}
            values = self._engine.stream("GET", path, query, version=call.version)
            await watch(call, reply, values, shown, head_within=_FIRST_READING_SECONDS)
        else:
            query = {"stream": ["0"]}
            if flag(call, "one-shot"):
                query["one-shot"] = ["1"]
            await self._engine.relay(call, reply, "GET", path, query, rewrite=shown)


def stats_for(value: Any, user: str) -> Any:
    """One reading as its owner sees it: under the name that they gave the container."""
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        return value
    return {**value, "name": own_name(value["name"], user)}
