"""What makes containers for the API: admission and launcher of a lab, and moments to stop at."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any

from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.domain.labels import WISH_GPU, WISH_WAIT, Interface
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.domain.units import parse_duration
from ds01_spawner.gateway.docker.create.admission import Granting
from ds01_spawner.gateway.docker.create.asks import DOCKER, Asks, Looked, Made, NameTaken
from ds01_spawner.gateway.docker.create.spec import Found
from ds01_spawner.gateway.docker.options.container import AskedContainer
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Query
from ds01_spawner.gateway.wire.threads import Threads
from fakes.lab import Lab


@dataclass
class FakeCreator:
    """The API's `Creator`.

    Attributes:
        lab: Grants and makes.
        may_make: What was granted waits for it.
        granted: Set at the first grant.
        error: What is raised instead of making what was granted.
        asked: The body of each request.
    """

    lab: Lab
    threads: Threads
    may_make: asyncio.Event = field(default_factory=asyncio.Event)
    granted: asyncio.Event = field(default_factory=asyncio.Event)
    error: DS01Error | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def look(
        self, caller: Caller, content: bytes, query: Query, asks: Asks = DOCKER
    ) -> Looked:
        body = json.loads(content)
        name = (query.get("name") or ["run-0"])[0]
        if any(each.name == f"{name}._.{caller.user}" for each in self.lab.engine.containers()):
            raise NameTaken(f"{name} is already in use")
        request = LaunchRequest(
            caller.user, name, asks.interface or Interface.DOCKER, "image", project=None
        )
        limits = self.lab.admission.limits(caller.user)
        return Looked(request, AskedContainer(name, body["Image"]), limits, Found(()))

    async def make(self, caller: Caller, content: bytes, query: Query, asks: Asks = DOCKER) -> Made:
        body = json.loads(content)
        self.asked.append(body)
        looked = await self.look(caller, content, query, asks)
        wished = body["Labels"]
        devices = body["HostConfig"].get("DeviceRequests")
        gpu = GpuRequest()
        if devices:
            gpu = GpuRequest.parse(wished.get(WISH_GPU, "mig"), devices[0]["Count"])
        wait = parse_duration(wished[WISH_WAIT]) if WISH_WAIT in wished else None
        granting = Granting(lambda: self.lab.admission, self.threads, poll_seconds=0.01)
        grant = await granting.grant(
            looked.request,
            [gpu],
            wait=wait,
            container_name=f"{looked.request.name}._.{caller.user}",
            on_queued=asks.on_queued,
        )
        asks.on_granted(grant)
        self.granted.set()
        request = replace(looked.request, gpu=gpu)

        def made() -> str:
            if self.error is not None:
                self.lab.admission.release(grant)
                raise self.error
            return self.lab.launcher.create(request, grant, grant.spec)

        await self.may_make.wait()
        container_id = await self.threads.run(caller.user, made)
        return Made(container_id, request.name, ())
