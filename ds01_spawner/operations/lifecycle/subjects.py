"""What the lifecycle decides about, put together from engine, ledger and policy. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import Finding
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.exemption import Exemption, exempted
from ds01_spawner.domain.lifecycle import Subject
from ds01_spawner.domain.occupancy import Occupancy, SlotState
from ds01_spawner.domain.timeouts import timeouts_of
from ds01_spawner.domain.work import KeepAlive, Rule, RuleStop, SentWarning, Track, work_began
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import LedgerTransaction

_IN_USE = frozenset({SlotState.ALLOCATED, SlotState.RESERVED, SlotState.HELD, SlotState.FOREIGN})


@dataclass(frozen=True, slots=True)
class Memory:
    """What the ledger keeps about containers.

    Attributes:
        tracks: One of each container that a pass has seen.
        warnings: Every warning given, oldest first.
        keep_alives: Every keep-alive asked for, past ones included.
        rule_stops: The newest stop by rule of each container, removed ones included.
    """

    tracks: Sequence[Track] = ()
    warnings: Sequence[SentWarning] = ()
    keep_alives: Sequence[KeepAlive] = ()
    rule_stops: Sequence[RuleStop] = ()

    @classmethod
    def read(cls, transaction: LedgerTransaction) -> "Memory":
        """Everything, as of one moment."""
        return cls(
            tracks=transaction.tracks(),
            warnings=transaction.warnings(),
            keep_alives=transaction.keep_alives(),
            rule_stops=transaction.rule_stops(),
        )


def is_subject(container: Container, instance: str, *, is_main: bool) -> bool:
    """Whether the lifecycle of this installation is responsible for a container.

    It has an owner, and this installation made it; what tells no maker is the main one's. What
    nobody owns is left alone.
    """
    marks = container.labels
    maker = marks.get(labels.INSTANCE)
    return labels.owner_of(marks) is not None and (is_main if maker is None else maker == instance)


def first_track(container: Container) -> Track:
    """What can be known of a container that no pass has seen yet."""
    return Track(
        container_id=container.id,
        container_name=container.name,
        user=labels.owner_of(container.labels) or "",
        started_at=work_began(container),
        run_started_at=container.started_at or container.created_at,
        ended_at=None if container.state.is_live else container.finished_at,
    )


def gpu_demand(occupancy: Occupancy) -> float:
    """Share of the capacity that somebody has, 0 to 1; a card that cannot be read is none."""
    open_to_all = {slot.uuid for slot in occupancy.slots}
    uses = [each for each in occupancy.uses if each.slot.uuid in open_to_all]
    in_use = sum(each.slot.equivalents for each in uses if each.state in _IN_USE)
    free = sum(each.slot.equivalents for each in uses if each.state is SlotState.FREE)
    return in_use / (in_use + free) if in_use else 0.0


def subjects(  # noqa: PLR0913 - the facts of one moment
    containers: Iterable[Container],
    memory: Memory,
    policy: Policy,
    *,
    exemptions: Sequence[Exemption],
    instance: str,
    is_main: bool,
    demand: float,
    now: datetime,
    findings: Mapping[str, tuple[Finding, ...]] = MappingProxyType({}),
) -> tuple[Subject, ...]:
    """Everything that decides about each container that this installation is responsible for.

    Args:
        containers: All of the engine's.
        memory: What the ledger keeps.
        policy: The policy in force.
        exemptions: All of them; those in force are chosen here.
        instance: Id of this installation.
        is_main: Whether what tells no maker is its own.
        demand: Share of the GPU capacity in use, see `gpu_demand`.
        now: The moment.
        findings: What a check found, by container id.
    """
    tracks = {each.container_id: each for each in memory.tracks}
    kept = _latest_keep_alives(memory.keep_alives)
    stopped = {
        each.container_id: each.decided_at
        for each in sorted(memory.rule_stops, key=lambda stop: stop.decided_at)
    }
    warnings: dict[str, list[SentWarning]] = defaultdict(list)
    for warning in memory.warnings:
        warnings[warning.container_id].append(warning)
    found = []
    for container in containers:
        if not is_subject(container, instance, is_main=is_main):
            continue
        marks = container.labels
        user = labels.owner_of(marks) or ""
        limits = policy.limits(user, labels.groups_of(marks))
        policies = limits.policies
        found.append(
            Subject(
                container=container,
                track=tracks.get(container.id) or first_track(container),
                timeouts=timeouts_of(limits, marks),
                policies=policies,
                findings=findings.get(container.id, ()),
                warnings=tuple(warnings.get(container.id, ())),
                kept=kept.get(container.id),
                exemptions=_in_force(exemptions, user, container, now),
                high_demand=demand >= policies.high_demand_threshold and _holds_gpu(container),
                stopped_by_rule_at=stopped.get(container.id),
                mine=is_made_here(container, instance),
            )
        )
    return tuple(found)


def is_made_here(container: Container, instance: str) -> bool:
    """Whether this installation made a container, so that it may remove it."""
    marks = container.labels
    return marks.get(labels.MANAGED) == "true" and marks.get(labels.INSTANCE) == instance


def _latest_keep_alives(keep_alives: Iterable[KeepAlive]) -> dict[str, KeepAlive]:
    latest: dict[str, KeepAlive] = {}
    for each in keep_alives:
        known = latest.get(each.container_id)
        if known is None or each.until > known.until:
            latest[each.container_id] = each
    return latest


def _in_force(
    exemptions: Sequence[Exemption], user: str, container: Container, now: datetime
) -> Mapping[Rule, Exemption]:
    if not exemptions:
        return {}
    name = labels.name_of(container.labels, container.name)
    found = ((rule, exempted(exemptions, user, name, rule, now)) for rule in Rule)
    return {rule: exemption for rule, exemption in found if exemption is not None}


def _holds_gpu(container: Container) -> bool:
    return bool(labels.gpu_uuids_of(container.labels)) or bool(container.demand)
