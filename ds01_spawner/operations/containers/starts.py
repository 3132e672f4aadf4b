"""Starting a container that exists already, as `docker start` does."""

from contextlib import suppress

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import (
    DS01Error,
    Forbidden,
    NotFound,
    Refused,
    Unavailable,
)
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.usage_begun import start_details
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.operations.allocation.readmission import Readmission
from ds01_spawner.operations.allocation.succession import Succession
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.containers.launch import DOUBT_TIME, SETTLE_TIME
from ds01_spawner.operations.containers.readiness import Readiness
from ds01_spawner.operations.containers.stillness import Stillness
from ds01_spawner.operations.lifecycle.outlook import Outlook
from ds01_spawner.ports import Engine


class Starts:
    """Starts what exists, within its owner's limits. Safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - the parts it stands on
        self,
        *,
        admission: Admission,
        readmission: Readmission,
        engine: Engine,
        aggregates: Aggregates,
        succession: Succession,
        outlook: Outlook,
        audit: Audit,
        readiness: Readiness,
        stillness: Stillness | None = None,
    ) -> None:
        self._stillness = stillness or Stillness()
        self._admission = admission
        self._readmission = readmission
        self._engine = engine
        self._aggregates = aggregates
        self._succession = succession
        self._outlook = outlook
        self._audit = audit
        self._readiness = readiness

    def start(self, container_id: str, user: str) -> bool:
        """Start the person's container; whether it had to be (else it runs already).

        Args:
            container_id: Full engine id.
            user: Its owner, as the door knows them; a container of anybody else is not found.

        Raises:
            NotFound: It is gone, or not theirs.
            Refused: It may not start now; the refusal is in the log.
            Unavailable: A part does not answer.
        """
        container = self._engine.container(container_id)
        if container is None or labels.owner_of(container.labels) != user:
            raise NotFound(f"No such container: {container_id[:12]}")
        if container.state.is_live:
            return False
        try:
            self._check(container)
            limits = self._admission.limits(user)
            self._readiness.make(container, user, limits)
            promise = self._readmission.promise(container, user, limits)
        except Refused as exc:
            self._tell(container, "refused", str(exc))
            raise
        try:
            with self._stillness.starting(container.id):
                self._started(container, user, limits, promise)
        except DS01Error as exc:
            self._undo(container, promise)
            self._tell(container, "failed", str(exc.told))
            raise
        except BaseException:
            self._undo(container, promise)
            raise
        return True

    def _check(self, container: Container) -> None:
        _check_origin(container, self._admission.rules.site.instance)
        if self._succession.is_over(container):
            raise Forbidden(
                "The time of this container is up (max_runtime).",
                "Its files are still there: copy them out with docker cp, and make the "
                "container anew with docker run.",
            )

    def _started(
        self, container: Container, user: str, limits: Limits, promise: Reservation
    ) -> None:
        self._aggregates.apply(limits, user)
        self._engine.start(container.id)
        self._aggregates.verify(limits, user)
        self._record(container, "ok", "")
        with suppress(Unavailable):  # it runs: its labels hold the slots from now on
            self._readmission.settle(promise, SETTLE_TIME)
            self._outlook.runs_again(user, container.name)

    def _undo(self, container: Container, promise: Reservation) -> None:
        """Leave no promise of a container that does not run; in doubt, keep it a while."""
        with suppress(Unavailable):
            self._readmission.settle(promise, DOUBT_TIME)
            current = self._engine.container(container.id)
            if current is None or not current.state.is_live:
                self._readmission.release(promise)

    def _record(self, container: Container, outcome: str, reason: str) -> None:
        self._audit.write(
            "container.start",
            user=labels.owner_of(container.labels),
            resource=container.name,
            interface=labels.origin_of(container.labels).value,
            outcome=outcome,
            reason=reason,
            details={
                "id": container.id,
                "slots": container.labels.get(labels.GPU_SLOTS, ""),
                "again": True,
                **start_details(container.labels),
            },
        )

    def _tell(self, container: Container, outcome: str, reason: str) -> None:
        """Log what did not happen; where the log fails too, the caller's own error is told."""
        with suppress(Unavailable):
            self._record(container, outcome, reason)


def _check_origin(container: Container, instance: str) -> None:
    marks = container.labels
    if marks.get(labels.MANAGED) != "true" or marks.get(labels.INSTANCE) != instance:
        raise Forbidden(
            "This container was made past the platform, so nobody knows what it was given.",
            "Make it anew with docker run, or ask an administrator to start it.",
        )
    if labels.origin_of(marks) is Interface.HUB:
        raise Forbidden(
            "JupyterHub manages this container.",
            "Start it from JupyterHub's home page.",
        )
