"""Work that goes on in another container: a restart resets neither its time nor its warnings."""

from dataclasses import dataclass, replace
from datetime import datetime

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, ContainerSpec, ContainerState
from ds01_spawner.domain.work import Rule, SentWarning, work_began
from ds01_spawner.operations.allocation.work_time import runtime_left
from ds01_spawner.ports import Clock, Ledger, LedgerTransaction, PolicySource


@dataclass(frozen=True, slots=True)
class Heritage:
    """What a container leaves to the one that replaces it.

    Attributes:
        began: First start of its work.
        warnings: Those it was given of the end of its time.
    """

    began: datetime
    warnings: tuple[SentWarning, ...] = ()

    def on(self, spec: ContainerSpec) -> ContainerSpec:
        """The description of the container that goes on with the work."""
        return replace(spec, labels=labels.going_on(spec.labels, self.began))


class Succession:
    """Hands work on from one container to the next of the same name."""

    def __init__(self, *, clock: Clock, policy: PolicySource, ledger: Ledger) -> None:
        self._clock = clock
        self._policy = policy
        self._ledger = ledger

    def of(self, container: Container) -> Heritage | None:
        """What a container leaves, before it is removed; `None` when what follows is new work.

        It is when the container never ran, or when its time was up: then its GPU went back.

        Raises:
            Unavailable: The ledger or the policy cannot be read.
        """
        if container.state is ContainerState.CREATED:
            return None
        with self._ledger.transaction() as transaction:
            stops = transaction.rule_stops()
            began = _began(container, transaction)
            warnings = transaction.warnings()
        if any(each.container_id == container.id and each.rule is Rule.RUNTIME for each in stops):
            return None
        if self._is_over(container, began):
            return None
        given = [each for each in warnings if each.container_id == container.id]
        return Heritage(began, tuple(each for each in given if each.rule is Rule.RUNTIME))

    def hand_on(self, heritage: Heritage, container_id: str) -> None:
        """Let what was said of the old container count for the one that goes on.

        Raises:
            Unavailable: The ledger cannot be used.
        """
        with self._ledger.transaction() as transaction:
            transaction.put_warnings(
                [replace(each, container_id=container_id) for each in heritage.warnings]
            )

    def is_over(self, container: Container) -> bool:
        """Whether the time of a container's work is up, so that it may not go on.

        Raises:
            Unavailable: The ledger or the policy cannot be read.
        """
        if container.state is ContainerState.CREATED:
            return False
        with self._ledger.transaction() as transaction:
            began = _began(container, transaction)
        return self._is_over(container, began)

    def _is_over(self, container: Container, began: datetime) -> bool:
        now = self._clock.now()
        left = runtime_left(self._policy.current(), container, began, now, now)
        return left is not None and left.total_seconds() <= 0


def _began(container: Container, transaction: LedgerTransaction) -> datetime:
    """First start of the container's work."""
    tracks = transaction.tracks()
    known = next((each for each in tracks if each.container_id == container.id), None)
    return work_began(container) if known is None else known.started_at
