"""What containers say: the last lines of it, or as it comes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.composition import Platform
from ds01_spawner.domain.container import Container
from ds01_spawner.gateway.api.ask import Answer, Api, Ask, Stream, StreamEvent
from ds01_spawner.gateway.api.log_frames import LogFrames
from ds01_spawner.gateway.api.own_containers import container_named, proven
from ds01_spawner.gateway.api.requester import subject_of


class Logs:
    """Answers about the output of containers: its owner's, or for administrators."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"getLogs": self.last}

    def streams(self) -> Mapping[str, Stream]:
        """The same, of routes that answer with events."""
        return {"followLogs": self.follow}

    async def last(self, ask: Ask) -> m.Logs:
        """The last lines."""
        query = ask.asked(m.LogsQuery)
        user = subject_of(ask.requester, query.user, Role.ADMIN)

        def logs(platform: Platform) -> m.Logs:
            found = container_named(platform, user, ask.parts["name"])
            text = platform.engine.logs(proven(platform, found).id, query.lines)
            return m.Logs(name=found.name, lines=tuple(text.splitlines()[-query.lines :]))

        return await ask.run(self._api, logs)

    async def follow(self, ask: Ask) -> AsyncIterator[StreamEvent]:
        """The last lines, then what is said from now on, until the container ends."""
        query = ask.asked(m.LogsQuery)
        user = subject_of(ask.requester, query.user, Role.ADMIN)

        def find(platform: Platform) -> tuple[str, Container]:
            found = container_named(platform, user, ask.parts["name"])
            return found.name, proven(platform, found)

        name, container = await ask.run(self._api, find)
        path = f"/containers/{container.id}"
        inspected = await self._inspected(path)
        # At once: who listens knows that there is something to listen to.
        yield StreamEvent("log", m.LogText(text=""))
        frames = LogFrames(tty=bool((inspected.get("Config") or {}).get("Tty")))
        asked = {"stdout": ["1"], "stderr": ["1"], "follow": ["1"], "tail": [str(query.lines)]}
        async with aclosing(self._api.engine.parts("GET", f"{path}/logs", asked)) as parts:
            async for part in parts:
                if text := frames.text(part):
                    yield StreamEvent("log", m.LogText(text=text))
        state = (await self._inspected(path)).get("State") or {}
        code = None if state.get("Running") else state.get("ExitCode")
        yield StreamEvent("end", m.LogEnd(name=name, exit_code=code))

    async def _inspected(self, path: str) -> Mapping[str, Any]:
        answer = await self._api.engine.ask("GET", f"{path}/json")
        return answer.value if answer.ok and isinstance(answer.value, Mapping) else {}
