"""Containers that are held still for a while, and go on."""

from collections.abc import Mapping
from http import HTTPStatus

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.composition import Platform
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import Conflict, Forbidden, NotFound
from ds01_spawner.domain.labels import MANAGED
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.containers import INTERFACE, view
from ds01_spawner.gateway.api.own_containers import again_of, container_named, proven
from ds01_spawner.gateway.api.requester import subject_of
from ds01_spawner.gateway.wire.engine_answers import checked
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook

_SECONDS = 60.0


class Pausing:
    """Answers about both ways."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"pauseContainer": self.pause, "unpauseContainer": self.unpause}

    async def pause(self, ask: Ask) -> m.Container:
        """Hold it still; one that is so stays so."""
        return await self._become(ask, "pause", ContainerState.RUNNING, ContainerState.PAUSED)

    async def unpause(self, ask: Ask) -> m.Container:
        """Let it go on; one that runs does."""
        return await self._become(ask, "unpause", ContainerState.PAUSED, ContainerState.RUNNING)

    async def _become(
        self, ask: Ask, deed: str, before: ContainerState, after: ContainerState
    ) -> m.Container:
        user = subject_of(ask.requester, ask.asked(m.OwnerQuery).user, Role.ADMIN)

        def find(platform: Platform) -> tuple[ContainerOutlook, Container]:
            found = container_named(platform, user, ask.parts["name"])
            return found, proven(platform, found)

        def record(platform: Platform) -> None:
            platform.audit.write(
                f"container.{deed}",
                user=user,
                resource=container.name,
                interface=INTERFACE,
                details={"id": container.id},
            )

        found, container = await ask.run(self._api, find)
        if container.labels.get(MANAGED) != "true":
            raise Forbidden(
                f"{found.name} was made past the platform: it can be looked at and ended, no more."
            )
        if container.state is not after:
            if container.state is not before:
                raise Conflict(f"{found.name} is {container.state.value}.", _NEXT[deed])
            path = f"/containers/{container.id}/{deed}"
            answer = await self._api.engine.ask("POST", path, seconds=_SECONDS)
            if answer.status != HTTPStatus.CONFLICT:  # somebody else was faster
                gone = NotFound(f"{found.name} has just been removed.")
                checked(answer, lambda text: text.replace(container.id, found.name), gone)
                await ask.run(self._api, record)
        return await ask.run(
            self._api, lambda platform: view(platform, again_of(platform, container) or found)
        )


_NEXT = {"pause": "Only what runs can be paused.", "unpause": "Only what is paused goes on."}
