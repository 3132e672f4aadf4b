"""What is known of everybody's containers at one moment. Whatever people are told begins here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.gpu import UNKNOWN_PROFILE
from ds01_spawner.domain.lifecycle import Subject
from ds01_spawner.domain.occupancy import Occupancy, SlotState
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.lifecycle.subjects import Memory, gpu_demand, subjects
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import Engine, PolicySource


@dataclass(frozen=True, slots=True)
class View:
    """The machine and the policy at one moment.

    Attributes:
        policy: The policy in force.
        containers: Every container of the engine.
        instance: Id of this installation.
        is_main: Whether what tells no maker is its own.
        demand: Share of the GPU capacity in use; none where the driver does not answer.
        held: Slots that are kept for a stopped container, by its engine name.
        profiles: What each slot is, by its id: `full`, or a MIG profile.
        notes: Sentences on what could not be read.
    """

    policy: Policy
    containers: Sequence[Container]
    instance: str
    is_main: bool
    demand: float = 0.0
    held: Mapping[str, frozenset[str]] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def subjects(
        self, memory: Memory, now: datetime, containers: Sequence[Container] | None = None
    ) -> tuple[Subject, ...]:
        """Everything that decides about each container, or about some alone.

        Args:
            memory: What the ledger keeps.
            now: The moment.
            containers: Some of them; by default all.
        """
        return subjects(
            self.containers if containers is None else containers,
            memory,
            self.policy,
            exemptions=self.policy.exemptions,
            instance=self.instance,
            is_main=self.is_main,
            demand=self.demand,
            now=now,
        )


class Survey:
    """Looks at engine, GPUs and policy."""

    def __init__(self, *, policy: PolicySource, engine: Engine, admission: Admission) -> None:
        self._policy = policy
        self._engine = engine
        self._admission = admission

    def look(self) -> View:
        """How things are now; not to be called within a transaction of the ledger.

        Raises:
            Unavailable: Engine, ledger or policy cannot be read.
        """
        policy, site = self._policy.current(), self._admission.rules.site
        try:
            situation = self._admission.current()
        except Unavailable as exc:
            containers = tuple(self._engine.containers())
            return View(policy, containers, site.instance, site.is_main, notes=(str(exc),))
        return View(
            policy=policy,
            containers=tuple(situation.snapshot.containers),
            instance=site.instance,
            is_main=site.is_main,
            demand=gpu_demand(situation.occupancy),
            held=held_slots(situation.occupancy),
            profiles={
                use.slot.id: use.slot.profile
                for use in situation.occupancy.uses
                if use.slot.profile != UNKNOWN_PROFILE
            },
        )


def held_slots(occupancy: Occupancy) -> Mapping[str, frozenset[str]]:
    """Slots that are kept for a stopped container, by its engine name."""
    held: dict[str, frozenset[str]] = {}
    for use in occupancy.uses:
        if use.state is SlotState.HELD and use.container is not None:
            held[use.container] = held.get(use.container, frozenset()) | {use.slot.id}
    return held
