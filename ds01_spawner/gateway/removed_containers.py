"""What the engine tells of containers: their ends go into the log, and what they had goes back.

An end is an event once, whether somebody stopped the container or it came by itself, as with
`docker run --rm`. Promises and stages of what is gone are given back, however it went.
A promise outlives a container's start by half a minute, longer than any reading of the engine that
misses it. With `--rm` the engine itself removes the container, perhaps a second after its start.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.bind import binds_of
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.event_cursor import EventCursor

_END, _REMOVAL = "die", "destroy"
_OWN = "gateway"
"""Whose turn in the threads this takes."""

PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
"""Before a next try, when the engine has not answered for a while."""

BACK_SECONDS = 120
"""What happened while nobody looked is asked for; a promise older than this has ended by itself."""

_LOG = logging.getLogger(__name__)


class RemovedContainers:
    """Follows the engine's events.

    Args:
        door: The platform, and the way to the engine.
        instance: Id of this installation.
        cursor: Up to when ends are in the log.
        pause_seconds: From a lost connection to the next try; more when that is lost at once.
        now: The time, in seconds since 1970.
    """

    def __init__(
        self,
        door: Door,
        instance: str,
        cursor: EventCursor | None = None,
        *,
        pause_seconds: float = PAUSE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._door = door
        self._now = now
        self._cursor = cursor or EventCursor()
        self._filters = {
            "type": ["container"],
            "event": [_END, _REMOVAL],
            "label": [f"{labels.INSTANCE}={instance}"],
        }
        self._pause_seconds = pause_seconds
        self._in_vain = False

    async def watch(self) -> None:
        """Go on until cancelled. That there is no connection is said once, and when there is."""
        pause = self._pause_seconds
        while True:
            begin = time.monotonic()
            try:
                await self.follow()
            except DS01Error as exc:
                if not self._in_vain:
                    _LOG.warning("The engine's events cannot be followed: %s", exc)
                self._in_vain = True
            except Exception:  # noqa: BLE001 - the loop's top: the next turn is another try
                _LOG.exception("following the engine's events failed")
            if time.monotonic() - begin > LONGEST_PAUSE_SECONDS:
                pause = self._pause_seconds
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def follow(self) -> None:
        """Do what is to do for each container that ends or goes, until the engine ends this."""
        since = self._cursor.since(self._now(), BACK_SECONDS)
        query = {"filters": [json.dumps(self._filters)], "since": [since]}
        events = self._door.engine.stream("GET", "/events", query, begun=self._begun)
        async for event in events:
            container = told_container(event)
            if container is None:
                continue
            if event.get("Action") == _END:
                await self._record_end(container, event)
            else:
                await self._forget(container)

    def _begun(self) -> None:
        if self._in_vain:
            self._in_vain = False
            _LOG.info("The engine's events are followed again.")

    async def _record_end(self, container: Container, event: Mapping[str, Any]) -> None:
        moment = int(event.get("timeNano") or 0)
        if not self._cursor.is_new(moment):
            return
        code = str(event["Actor"]["Attributes"].get("exitCode") or "")
        details: dict[str, object] = {
            "id": container.id,
            "ended_at": datetime.fromtimestamp(moment / 10**9, UTC).isoformat(),
            **({"exit_code": int(code)} if code.isdecimal() else {}),
        }
        audit = self._door.platform.audit

        def write() -> None:
            audit.write(
                "container.exit",
                user=labels.owner_of(container.labels),
                resource=container.name,
                interface=labels.origin_of(container.labels).value,
                details=details,
            )
            self._cursor.move(moment)

        try:
            await self._door.threads.run(_OWN, write)
        except DS01Error as exc:
            _LOG.error("The end of %s is not in the log: %s", container.name, exc)

    async def _forget(self, container: Container) -> None:
        platform = self._door.platform
        # The label is the platform's word here: what an image says in its name is emptied.
        staged = binds_of(container.labels)

        def give_back() -> None:
            platform.admission.forget(container)
            if staged is not None:
                platform.binds.clear(staged.key)

        try:
            await self._door.threads.run(_OWN, give_back)
        except DS01Error as exc:
            _LOG.warning("What %s had is given back later: %s", container.name, exc)


def told_container(event: Any) -> Container | None:
    """The container that an event of the engine's is about, as far as it tells; else `None`."""
    actor = event.get("Actor") if isinstance(event, Mapping) else None
    if not isinstance(actor, Mapping) or not isinstance(actor.get("Attributes"), Mapping):
        return None
    told = {str(key): str(value) for key, value in actor["Attributes"].items()}
    name = told.pop("name", "")
    if not name or told.get(labels.MANAGED) != "true":
        return None
    return Container(
        id=str(actor.get("ID") or ""),
        name=name,
        state=ContainerState.DEAD,
        labels=told,
        created_at=labels.parse_timestamp(told.get(labels.CREATED_AT, ""))
        or datetime.fromtimestamp(0, UTC),
    )
