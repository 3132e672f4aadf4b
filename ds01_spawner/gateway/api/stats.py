"""What running containers use: the kernel's counters, the GPU driver's, at one moment and on.

`docker stats` takes one to two seconds for its two readings. Here, the one before is remembered.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.composition import Platform
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.errors import DS01Error, NotFound
from ds01_spawner.domain.gpu import SlotActivity
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.api.ask import Answer, Api, Ask, Stream, StreamEvent
from ds01_spawner.gateway.api.requester import subject_of
from ds01_spawner.gateway.api.usage_figures import Reading, figures
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook
from ds01_spawner.ports.usage import ContainerUsage

LOOK_SECONDS = 2.0
FIRST_GAP_SECONDS = 0.25
"""Between the two readings of a container that nobody has asked about."""

_FRESH_SECONDS = 30.0
"""How old the reading before may be."""

_SHORTEST_GAP = 0.1
_COUNTED = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})


_Pair = tuple[Reading, Reading | None]


class Stats:
    """Answers what containers use."""

    def __init__(
        self,
        api: Api,
        *,
        look_seconds: float = LOOK_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._look_seconds = look_seconds
        self._monotonic = monotonic
        self._known: dict[str, _Pair] = {}

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"getStats": self.now}

    def streams(self) -> Mapping[str, Stream]:
        """The same, of routes that answer with events."""
        return {"followStats": self.follow}

    async def now(self, ask: Ask) -> m.Stats:
        """One reading; where there was none before, two."""
        chosen, activity = await self._chosen(ask)
        live = [each for each in chosen if each.state in _COUNTED]
        if any(self._is_new(each.container_id) for each in live):
            await self._read(ask.requester.user, live)
            await asyncio.sleep(FIRST_GAP_SECONDS)
        return await self._shown(ask, chosen, activity)

    async def follow(self, ask: Ask) -> AsyncIterator[StreamEvent]:
        """One after the other."""
        yield StreamEvent("stats", await self.now(ask))
        while not ask.gone.is_set():
            await asyncio.sleep(self._look_seconds)
            yield StreamEvent("stats", await self._shown(ask, *await self._chosen(ask)))

    def _is_new(self, container_id: str) -> bool:
        """Whether nothing was read of it lately."""
        known = self._known.get(container_id)
        return known is None or self._monotonic() - known[0].at >= _FRESH_SECONDS

    async def _chosen(
        self, ask: Ask
    ) -> tuple[Sequence[ContainerOutlook], Mapping[str, SlotActivity]]:
        """The containers that are asked about, and what each slot does, by its id."""
        query, requester = ask.asked(m.StatsQuery), ask.requester
        user: str | None = subject_of(requester, query.user, Role.MANAGER)
        if query.all and query.user is None and requester.may(Role.MANAGER):
            user = None

        def look(
            platform: Platform,
        ) -> tuple[Sequence[ContainerOutlook], Mapping[str, SlotActivity]]:
            forecast = platform.outlook.read()
            mine = forecast.containers if user is None else forecast.of(user).containers
            wanted = query.name
            chosen = [
                each
                for each in mine
                if wanted is None or wanted in {each.name, each.container_name}
            ]
            if wanted is not None and not chosen:
                raise NotFound(
                    f"There is no container called {shown(wanted)}.", "See: ds01 container list."
                )
            return chosen, _activity(platform) if any(each.gpu_slots for each in chosen) else {}

        return await ask.run(self._api, look)

    async def _shown(
        self,
        ask: Ask,
        chosen: Sequence[ContainerOutlook],
        activity: Mapping[str, SlotActivity],
    ) -> m.Stats:
        live = [each for each in chosen if each.state in _COUNTED]
        read = await self._read(ask.requester.user, live)
        return m.Stats(
            taken_at=self._api.platform.clock.now(),
            containers=tuple(
                m.ContainerStats.model_validate(
                    {
                        "name": each.name,
                        "user": each.user,
                        "state": each.state.value,
                        "gpu_slots": each.gpu_slots,
                        **figures(*read.get(each.container_id, (None, None))),
                        **_of_gpus(each, activity),
                    }
                )
                for each in chosen
            ),
        )

    async def _read(self, user: str, live: Iterable[ContainerOutlook]) -> Mapping[str, _Pair]:
        """The newest reading of each, and the one before; nothing of what the kernel hides."""
        now = self._monotonic()
        wanted = {each.container_id for each in live}
        fresh = {key: pair for key, pair in self._known.items() if now - pair[0].at < _SHORTEST_GAP}
        if stale := wanted - fresh.keys():
            platform = self._api.platform
            used = await self._api.threads.run(user, lambda: _used(platform, stale))
            now = self._monotonic()
            for key, usage in used.items():
                before = self._known.get(key)
                self._known[key] = Reading(now, usage), before[0] if before else None
        self._known = {
            key: pair for key, pair in self._known.items() if now - pair[0].at < _FRESH_SECONDS
        }
        return {key: pair for key, pair in self._known.items() if key in wanted}


def _used(platform: Platform, wanted: AbstractSet[str]) -> Mapping[str, ContainerUsage]:
    """What the kernel counts for these; nothing where the engine does not say where they are."""
    try:
        containers = [each for each in platform.engine.containers() if each.id in wanted]
        return platform.usage.usage(containers)
    except DS01Error:
        return {}


def _activity(platform: Platform) -> Mapping[str, SlotActivity]:
    """What each slot does, by its id; nothing where the driver does not answer."""
    try:
        situation = platform.admission.current()
    except DS01Error:
        return {}
    known = situation.snapshot.activity
    return {
        use.slot.id: known[use.slot.uuid]
        for use in situation.occupancy.uses
        if use.slot.uuid in known
    }


def _of_gpus(
    found: ContainerOutlook, activity: Mapping[str, SlotActivity]
) -> dict[str, float | int | None]:
    if found.state not in _COUNTED:
        return {}
    seen = [activity[slot] for slot in found.gpu_slots if slot in activity]
    shares = [each.utilisation for each in seen if each.utilisation is not None]
    used = [each.memory_used_bytes for each in seen if each.memory_used_bytes is not None]
    return {
        "gpu_utilisation": sum(shares) / len(shares) if shares else None,
        "gpu_memory_bytes": sum(used) if used else None,
    }
