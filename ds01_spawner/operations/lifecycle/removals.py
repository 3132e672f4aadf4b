"""Removes stopped containers whose hold has passed."""

import logging
from collections.abc import Callable, Iterable

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.lifecycle import Decision
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.audit.troubles import SERVICE
from ds01_spawner.ports import Clock, Engine, Ledger

LOG_LINES = 20
_log = logging.getLogger(__name__)
_LOG_LENGTH = 4000


class Removals:
    """Removes containers one after the other; an old engine deadlocks when many go at once."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, engine: Engine, admission: Admission, audit: Audit
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._engine = engine
        self._admission = admission
        self._audit = audit

    def carry_out(
        self, decisions: Iterable[Decision], goes_on: Callable[[], bool], notes: list[str]
    ) -> int:
        """Remove what is due for as long as the pass `goes_on`; how many went."""
        due = [each for each in decisions if each.removal is not None]
        promises = self._promises() if due else ()
        removed = 0
        for decision in due:
            container = decision.subject.container
            if decision.removal is None or _is_being_replaced(container, promises):
                continue
            if not goes_on():
                break
            try:
                self._remove(decision)
            except Unavailable as exc:
                notes.append(f"{container.name} could not be removed: {exc}")
            else:
                _log.info("%s removed: %s", container.name, decision.removal.reason)
                removed += 1
        return removed

    def _remove(self, decision: Decision) -> None:
        removal, container = decision.removal, decision.subject.container
        assert removal is not None  # noqa: S101 - narrows the type
        details = self._last_words(container)
        self._engine.remove(container.id)
        self._admission.forget(container)
        self._audit.write(
            removal.action,
            user=decision.subject.track.user,
            resource=container.name,
            interface=SERVICE,
            reason=removal.reason,
            details={
                "id": container.id,
                "slots": container.labels.get(labels.GPU_SLOTS, ""),
                **details,
            },
        )

    def _promises(self) -> tuple[Reservation, ...]:
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            return tuple(each for each in transaction.reservations() if each.expires_at > now)

    def _last_words(self, container: Container) -> dict[str, object]:
        """How a failed container ended, and the end of what it printed."""
        found = self._engine.container(container.id)
        if found is None or not found.exit_code:
            return {}
        log = self._engine.logs(container.id, LOG_LINES)[-_LOG_LENGTH:]
        return {"exit_code": found.exit_code, "log": log}


def _is_being_replaced(container: Container, promises: Iterable[Reservation]) -> bool:
    """Whether a launch under way is for another container of the same name, and removes it."""
    made = labels.parse_timestamp(container.labels.get(labels.CREATED_AT, ""))
    return any(
        each.container_name == container.name and each.created_at != made for each in promises
    )
