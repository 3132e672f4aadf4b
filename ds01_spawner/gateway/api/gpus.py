"""The GPU slots: what everybody may know of them, and what only managers may."""

from collections.abc import Mapping

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.composition import Platform
from ds01_spawner.domain.gpu import UNKNOWN_PROFILE
from ds01_spawner.domain.quota import own_name
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.operations.allocation.gpu_status import GpuStatus, SlotStatus, read_gpu_status
from ds01_spawner.operations.attribution.on_slots import with_others


class Gpus:
    """Answers about slots."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"listGpus": self.every}

    async def every(self, ask: Ask) -> m.Gpus:
        """Every slot; whose the others are only for managers."""

        def read(platform: Platform) -> m.Gpus:
            status = read_gpu_status(platform.admission, platform.gpu_config, ask.max_age)
            if ask.requester.may(Role.MANAGER):
                status = with_others(status, platform.attribution.picture)
            return shown_to(ask.requester, status)

        return await ask.run(self._api, read)


def shown_to(requester: Requester, status: GpuStatus) -> m.Gpus:
    """What somebody may know of all slots."""
    knows = requester.may(Role.MANAGER)
    return m.Gpus(
        taken_at=status.taken_at,
        source=status.source,
        slots=tuple(_slot(requester, each, knows=knows) for each in status.slots),
        # They name containers, and so people.
        problems=status.problems if knows else (),
    )


def _slot(requester: Requester, status: SlotStatus, *, knows: bool) -> m.GpuSlot:
    use, slot, activity = status.use, status.use.slot, status.activity
    mine = use.user == requester.user
    is_known = slot.profile != UNKNOWN_PROFILE
    tell = mine or knows
    return m.GpuSlot(
        slot=slot.id,
        profile=slot.profile if is_known else None,
        memory_bytes=slot.memory_bytes if is_known else None,
        equivalents=slot.equivalents if is_known else None,
        state=use.state.value,
        mine=mine,
        user=use.user if tell else None,
        container=own_name(use.container) if tell and use.container else None,
        since=status.since if tell else None,
        until=use.until,
        use="batch" if status.is_batch else "interactive",
        others=status.others if knows else (),
        elsewhere=status.elsewhere,
        utilisation=activity.utilisation if activity else None,
        memory_used_bytes=activity.memory_used_bytes if activity else None,
        processes=len(activity.pids) if activity and tell else None,
    )
