"""The gateway's way to the engine, answering from what a test put there."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.gateway.wire.call import Answer, Call, Query, Reply, Rewrite
from ds01_spawner.gateway.wire.engine_answers import checked, message_of


@dataclass(frozen=True)
class Asked:
    """One question to the engine.

    Attributes:
        method: HTTP method.
        path: Path without version.
        query: Parameters.
        body: JSON body, or the bytes of a streamed one.
        version: API version.
    """

    method: str
    path: str
    query: Query
    body: Any = None
    version: str = ""


@dataclass
class FakeEngineLink:
    """Finds and lists `containers` (inspect JSON) as Docker does; other answers are scripted.

    Attributes:
        containers: What exists, as `GET /containers/{id}/json` shows it.
        answers: By `GET /path`, an error to be raised too; what is not here is answered 204 without
            a body, or for a container that does not exist 404.
        asked: Every question, in order.
    """

    containers: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Answer | DS01Error] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    async def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        version: str = "",
        seconds: float = 30.0,
    ) -> Answer:
        del seconds
        return self._answer(Asked(method, path, query or {}, body, version))

    async def relay(
        self,
        call: Call,
        reply: Reply,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: Any = None,
        stream: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        rewrite: Rewrite | None = None,
    ) -> int:
        del headers
        if stream is not None:
            body = b"".join([part async for part in stream])
        answer = self._answer(Asked(method, path, query or {}, body, call.version))
        value = answer.value
        if rewrite is not None and value is not None:
            value = rewrite(value if answer.ok else {"message": message_of(answer)})
        if value is None:
            await reply.empty(answer.status)
        else:
            await reply.json(value, answer.status)
        return answer.status

    async def hijack(
        self, call: Call, reply: Reply, path: str, query: Query | None = None, *, body: Any = None
    ) -> int:
        return await self.relay(call, reply, "POST", path, query, body=body)

    async def relay_all(self, call: Call, reply: Reply) -> int:
        path = "" if call.passage is None else call.passage.path
        return await self.relay(call, reply, call.method, path, call.query)

    async def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        version: str = "",
        begun: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Any]:
        answer = checked(self._answer(Asked(method, path, query or {}, None, version)))
        begun()
        for value in answer.value or ():
            yield value

    async def parts(
        self, method: str, path: str, query: Query | None = None
    ) -> AsyncGenerator[bytes, None]:
        answer = self._answer(Asked(method, path, query or {}))
        for value in checked(answer).value or ():
            yield value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"

    def deeds(self) -> list[str]:
        """What was asked that may change something, as `POST /path`."""
        return [f"{each.method} {each.path}" for each in self.asked if each.method != "GET"]

    def _answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        scripted = self.answers.get(f"{asked.method} {asked.path}")
        if isinstance(scripted, DS01Error):
            raise scripted
        if scripted is not None:
            return scripted
        parts = asked.path.strip("/").split("/")
        if asked.path == "/containers/json":
            return Answer(200, self._listed(asked.query))
        if parts[0] == "containers" and len(parts) > 1:
            return self._about(unquote(parts[1]), parts[2:])
        if parts[0] == "images" and parts[-1] == "json" and asked.method == "GET":
            return Answer(404, {"message": f"No such image: {'/'.join(parts[1:-1])}"})
        return Answer(204, None)

    def _about(self, name: str, rest: list[str]) -> Answer:
        whole = [each for each in self.containers if name in {each["Id"], each["Name"][1:]}]
        found = whole or [each for each in self.containers if each["Id"].startswith(name)]
        if not found:
            return Answer(404, {"message": f"No such container: {name}"})
        if len(found) > 1:
            return Answer(500, {"message": f"Multiple IDs found with provided prefix: {name}"})
        return Answer(200, found[0]) if rest == ["json"] else Answer(204, None)

    def _listed(self, query: Query) -> list[dict[str, Any]]:
        filters = json.loads(query.get("filters", ["{}"])[0])
        wanted = [text.partition("=") for text in filters.get("label", ())]
        states = filters.get("status")
        every = "all" in query or states
        return [
            _entry(each)
            for each in self.containers
            if (every or each["State"]["Status"] == "running")
            and (not states or each["State"]["Status"] in states)
            and all(
                key in marks and (not equals or marks[key] == value)
                for marks in [each["Config"]["Labels"]]
                for key, equals, value in wanted
            )
        ]


def _entry(inspected: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Id": inspected["Id"],
        "Names": [inspected["Name"]],
        "Image": inspected["Config"].get("Image", "image"),
        "Labels": inspected["Config"]["Labels"],
        "State": inspected["State"]["Status"],
        "Created": 1,
        "Mounts": inspected.get("Mounts", []),
    }
