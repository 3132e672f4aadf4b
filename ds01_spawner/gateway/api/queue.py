"""Places in the GPU queue: seen, followed, given up."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.composition import Platform
from ds01_spawner.domain import names
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable
from ds01_spawner.domain.expected_wait import coarse
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.queue import Standing
from ds01_spawner.domain.quota import own_name
from ds01_spawner.gateway.api.ask import Answer, Api, Ask, Stream, StreamEvent
from ds01_spawner.gateway.api.hub_servers import HubServers
from ds01_spawner.gateway.api.requester import Requester, subject_of
from ds01_spawner.operations.allocation.gpu_queue import queue_entries
from ds01_spawner.operations.allocation.observe import AT_ONCE
from ds01_spawner.operations.allocation.situation import Situation
from ds01_spawner.operations.audit.lines import wait_details

LOOK_SECONDS = 2.0
"""Between two looks at the queue, however many follow it."""

_READER = "queue"


class Queue:
    """Answers about places in the queue."""

    def __init__(
        self,
        api: Api,
        *,
        look_seconds: float = LOOK_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._servers = HubServers(api.hub)
        self._look_seconds = look_seconds
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._last: tuple[float, m.Queue] | None = None

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"listQueue": self.every, "leaveQueue": self.leave}

    def streams(self) -> Mapping[str, Stream]:
        """The same, of routes that answer with events."""
        return {"followQueue": self.follow}

    async def every(self, ask: Ask) -> m.Queue:
        """One's own places; somebody's, or all of them, for managers."""
        query, requester = ask.asked(m.ContainersQuery), ask.requester
        user = subject_of(requester, query.user, Role.MANAGER)
        everybodys = query.user is None and requester.may(Role.MANAGER)
        return _of(
            await ask.run(self._api, lambda platform: read(platform, ask.max_age)),
            None if everybodys else user,
        )

    async def follow(self, ask: Ask) -> AsyncIterator[StreamEvent]:
        """One's own places, at once and whenever something of them changes."""
        told: tuple[m.Ticket, ...] | None = None
        while not ask.gone.is_set():
            seen = _of(await self._shared(), ask.requester.user)
            if seen.tickets != told:
                told = seen.tickets
                yield StreamEvent("queue", seen)
            await asyncio.sleep(self._look_seconds)

    async def leave(self, ask: Ask) -> m.Removed:
        """Give a place up: one's own, or for administrators anybody's."""

        def leave(platform: Platform) -> m.Removed:
            tickets = {each.id: each for each in platform.admission.current().tickets}
            ticket = tickets.get(ask.parts["ticket"])
            if ticket is None or not _may_leave(ask.requester, ticket):
                raise NotFound("There is no such place in the queue.", "It may have been served.")
            name = own_name(ticket.container_name)
            server = "" if name == names.DEFAULT_SERVER else name
            platform.admission.cancel(ticket)
            platform.audit.write(
                "gpu.unqueue",
                user=ticket.user,
                resource=ticket.container_name,
                interface=Interface.API.value,
                details=wait_details(
                    ticket,
                    platform.admission.waited_seconds(ticket),
                    platform.admission.group_of(ticket),
                ),
            )
            with suppress(Unavailable, Conflict):  # the spawner finds out when it next asks
                self._servers.abandon(ticket.user, server)
            return m.Removed(name=name)

        return await ask.run(self._api, leave)

    async def _shared(self) -> m.Queue:
        """The queue, read once for all who follow it."""
        async with self._lock:
            now = self._monotonic()
            if self._last is None or now - self._last[0] >= self._look_seconds / 2:
                queue = await self._api.threads.run(_READER, lambda: read(self._api.platform))
                self._last = now, queue
            return self._last[1]


def read(platform: Platform, max_age: timedelta = AT_ONCE) -> m.Queue:
    """Everybody's places, in the order in which they are served.

    Raises:
        Unavailable: Engine, driver, ledger or policy cannot be read.
    """
    return shown(platform, platform.admission.current(max_age))


def shown(platform: Platform, situation: Situation) -> m.Queue:
    """The queue of a moment."""
    strategy = platform.admission.rules.strategy
    standings = situation.standings(situation.tickets, strategy)
    return m.Queue(
        taken_at=situation.now,
        tickets=tuple(
            m.Ticket(
                id=standing.ticket.id,
                user=entry.user,
                name=own_name(entry.container),
                place=entry.place,
                length=entry.length,
                gpu=entry.gpu,
                priority=entry.priority,
                since=entry.since,
                reason=entry.reason,
                expected_seconds=coarse(_wait(standing, situation)),
            )
            for standing, entry in zip(standings, queue_entries(standings), strict=True)
        ),
    )


def _wait(standing: Standing, situation: Situation) -> timedelta | None:
    return situation.likely_wait(standing) if standing.place else None


def _of(queue: m.Queue, user: str | None) -> m.Queue:
    if user is None:
        return queue
    mine = tuple(each for each in queue.tickets if each.user == user)
    return m.Queue(taken_at=queue.taken_at, tickets=mine)


def _may_leave(requester: Requester, ticket: Ticket) -> bool:
    return ticket.user == requester.user or requester.may(Role.ADMIN)
