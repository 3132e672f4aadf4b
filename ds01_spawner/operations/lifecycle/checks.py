"""Looks at running containers and says what each signal tells."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import (
    ContainerSample,
    Finding,
    Look,
    Signal,
    SlotSample,
    Span,
    Verdict,
    is_idle,
    is_same_run,
    judge,
    machine_findings,
    without_echoes,
)
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.gpu import Inventory, SlotActivity
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.limits import LifecyclePolicy
from ds01_spawner.domain.occupancy import SlotIndex
from ds01_spawner.domain.work import PassMark
from ds01_spawner.ports import ActivityProbe, HubServer, JupyterServers

PoliciesOf = Callable[[Container], LifecyclePolicy]
EchoesOf = Callable[[str], tuple[Span, ...]]
"""When the platform wrote to the terminals of a container, by its id."""


def _no_echoes(_container_id: str) -> tuple[Span, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known of the world around the containers.

    Attributes:
        mark: The moment.
        inventory: The GPUs, or `None` when they cannot be read.
        activity: What each GPU slot does, by UUID.
        servers: What the hub has, or `None` when it does not answer.
    """

    mark: PassMark
    inventory: Inventory | None
    activity: Mapping[str, SlotActivity]
    servers: Mapping[tuple[str, str], HubServer] | None


@dataclass(frozen=True, slots=True)
class Check:
    """What one check of one container saw.

    Attributes:
        look: The figures.
        findings: What each signal says.
        ran_on: Whether it is the run that the check before saw, as far as its counters tell.
    """

    look: Look
    findings: tuple[Finding, ...]
    ran_on: bool


class Checks:
    """Remembers the last look at each container: rates need two."""

    def __init__(self, *, activity: ActivityProbe, jupyter: JupyterServers) -> None:
        self._activity = activity
        self._jupyter = jupyter
        self._before: dict[str, Look] = {}

    def known(self, container_id: str) -> bool:
        """Whether there is a look to compare with."""
        return container_id in self._before

    def forget(self, container_id: str) -> None:
        """Compare with nothing next time: another run began."""
        self._before.pop(container_id, None)

    def all(
        self,
        containers: Sequence[Container],
        sources: Sources,
        policies_of: PoliciesOf,
        echoes_of: EchoesOf = _no_echoes,
    ) -> dict[str, Check]:
        """A check of each running container, by id; the looks are remembered for the next."""
        found = self._checked(containers, sources, policies_of, echoes_of)
        self._before = {container_id: check.look for container_id, check in found.items()}
        return found

    def again(
        self,
        container: Container,
        sources: Sources,
        policies: LifecyclePolicy,
        echoes_of: EchoesOf = _no_echoes,
    ) -> Check | None:
        """One more check, against the last look, which stays; `None` if it cannot be made."""
        found = self._checked([container], sources, lambda _container: policies, echoes_of)
        return found.get(container.id)

    def _checked(
        self,
        containers: Sequence[Container],
        sources: Sources,
        policies_of: PoliciesOf,
        echoes_of: EchoesOf,
    ) -> dict[str, Check]:
        samples = self._activity.samples(containers)
        looks = {
            each.id: self._look(each, samples.get(each.id, ContainerSample()), sources)
            for each in containers
        }
        quiet = [
            each
            for each in containers
            if looks[each.id].is_server
            and is_idle(
                machine_findings(looks[each.id], self._before.get(each.id), policies_of(each))
            )
        ]
        said = self._jupyter.look(quiet) if quiet else {}
        for each in quiet:
            sample = said.get(each.id)
            if sample is not None:
                sample = without_echoes(sample, echoes_of(each.id), self._before.get(each.id))
            looks[each.id] = replace(looks[each.id], jupyter=sample, jupyter_asked=True)
        return {
            each.id: self._check(each, looks[each.id], policies_of(each)) for each in containers
        }

    def _check(self, container: Container, look: Look, policies: LifecyclePolicy) -> Check:
        before = self._before.get(container.id)
        return Check(look, judge(look, before, policies), ran_on=is_same_run(look, before))

    def _look(self, container: Container, sample: ContainerSample, sources: Sources) -> Look:
        is_server = container.labels.get(labels.INTERFACE) == Interface.HUB
        server = None
        if is_server and sources.servers is not None:
            server = sources.servers.get(labels.hub_server_of(container.labels))
        return Look(
            taken_at=sources.mark.wall,
            uptime_seconds=sources.mark.uptime_seconds,
            container=sample,
            slots=dict(self._slots(container, sources)),
            is_server=is_server,
            hub_answered=not is_server or sources.servers is not None,
            used_through_hub_at=server.last_activity if server else None,
        )

    def _slots(self, container: Container, sources: Sources) -> Iterable[tuple[str, SlotSample]]:
        """The slots that the container has by its labels, and those that the engine gave it."""
        uuids = labels.gpu_uuids_of(container.labels)
        ids = container.labels.get(labels.GPU_SLOTS, "").split(",")
        named = dict(zip(uuids, ids, strict=False))
        if sources.inventory is not None and container.demand:
            index = SlotIndex(sources.inventory)
            named |= {slot.uuid: slot.id for slot in index.demanded(container.demand)}
        elif container.demand:
            named |= {uuid: uuid for uuid in container.demand.uuids if uuid not in named}
            if not named:
                named["?"] = "?"
        for uuid, slot_id in named.items():
            activity = sources.activity.get(uuid)
            unrated = activity is not None and activity.utilisation is None and activity.pids
            seconds = None
            if activity is not None and unrated:
                seconds = self._activity.cpu_seconds_of(activity.pids)
            yield uuid, SlotSample(slot_id, activity, seconds)


EXPLAINS: Mapping[str, tuple[Signal, ...]] = MappingProxyType(
    {
        "gpus": (Signal.GPU,),
        "hub": (Signal.KERNELS, Signal.TERMINALS, Signal.CONNECTIONS),
        "kernel": (Signal.CPU, Signal.NETWORK, Signal.SESSIONS),
        "jupyter": (Signal.KERNELS, Signal.TERMINALS),
    }
)
"""The signals of single containers that a trouble of all of them explains, by its key."""

_SENTENCES = {
    "kernel": "The kernel's counters cannot be read for any container, so all count as active.",
    "jupyter": "No Jupyter server answers, so all count as active.",
}


def common_troubles(checks: Mapping[str, Check]) -> dict[str, str]:
    """What cannot be read for any container, where there is more than one to read."""
    read: dict[Signal, list[Verdict]] = {}
    for check in checks.values():
        for finding in check.findings:
            read.setdefault(finding.signal, []).append(finding.verdict)
    lost = {
        signal
        for signal, verdicts in read.items()
        if len(verdicts) > 1 and set(verdicts) == {Verdict.UNREADABLE}
    }
    return {key: sentence for key, sentence in _SENTENCES.items() if EXPLAINS[key][0] in lost}
