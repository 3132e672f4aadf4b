"""Whose everything is that runs on the GPUs: one's own for everybody, the rest for managers."""

from collections.abc import Mapping
from typing import Any

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.domain.attribution import Attributed, Owner, WorkloadClass
from ds01_spawner.domain.quota import own_name
from ds01_spawner.domain.workload import Workload
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.operations.attribution.scan import Picture


class AttributionRows:
    """Answers about processes and what they belong to."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"listGpuProcesses": self.processes, "listWorkloads": self.workloads}

    async def processes(self, ask: Ask) -> m.GpuProcesses:
        """Processes on every slot."""
        picture = await ask.run(self._api, lambda platform: platform.attribution.picture())
        who = ask.requester
        shown = (each for each in picture.processes if _may_see(who, each.owner))
        return m.GpuProcesses(
            **_head(who, picture), processes=tuple(_process(who, each) for each in shown)
        )

    async def workloads(self, ask: Ask) -> m.Workloads:
        """What runs, but for what another installation made."""
        unmanaged = ask.asked(m.WorkloadsQuery).unmanaged
        picture = await ask.run(self._api, lambda platform: platform.attribution.picture())
        who = ask.requester
        every = picture.unmanaged if unmanaged else picture.workloads
        here = {None, self._api.platform.instance}
        shown = (
            each for each in every if each.owner.instance in here and _may_see(who, each.owner)
        )
        return m.Workloads(
            **_head(who, picture), workloads=tuple(_workload(who, each) for each in shown)
        )


def _may_see(requester: Requester, owner: Owner) -> bool:
    return requester.may(Role.MANAGER) or owner.user == requester.user


def _head(requester: Requester, picture: Picture) -> dict[str, Any]:
    return {
        "taken_at": picture.taken_at,
        "fresh": picture.fresh,
        "problem": picture.problem,
        "notes": picture.notes if requester.may(Role.MANAGER) else (),
    }


def _process(requester: Requester, each: Attributed) -> m.GpuProcess:
    return m.GpuProcess(
        **_owned(requester, each.owner),
        slot=each.slot,
        pid=each.process.pid,
        name=each.name,
        uid=each.uid,
        memory_bytes=each.process.memory_bytes,
        sm_share=each.process.sm_share,
        computes=each.process.computes,
        started_at=each.started_at,
    )


def _workload(requester: Requester, each: Workload) -> m.Workload:
    return m.Workload(
        **_owned(requester, each.owner),
        id=each.id,
        since=each.since,
        slots=each.slots,
        processes=each.processes,
        memory_bytes=each.memory_bytes,
    )


def _owned(requester: Requester, owner: Owner) -> dict[str, Any]:
    managed = owner.kind is WorkloadClass.MANAGED
    name = own_name(owner.container) if owner.container and managed else owner.container
    return {
        "kind": owner.kind.value,
        "user": owner.user,
        "mine": owner.user is not None and owner.user == requester.user,
        "proof": owner.proof.value,
        "container": name,
        "container_id": owner.container_id,
        "group": owner.group,
        "project": owner.project,
        "interface": owner.interface.value if owner.interface else None,
        "why": owner.why,
    }
