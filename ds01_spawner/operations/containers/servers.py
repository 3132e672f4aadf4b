"""What happens to a container after its launch: stopped, given back, found again."""

from datetime import timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.timeouts import timeouts_of
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.ports import Engine, PolicySource


class Servers:
    """Stops containers that a door of this installation made."""

    def __init__(
        self, *, admission: Admission, engine: Engine, policy: PolicySource, audit: Audit
    ) -> None:
        self._admission = admission
        self._engine = engine
        self._policy = policy
        self._audit = audit

    def stop(self, name: str, *, interface: str) -> None:
        """Stop a person's container; it keeps its slot and its files for the policy's hold.

        A container that is gone, or has stopped already, is no error. Without a valid policy the
        built-in grace and hold apply: what must stop is stopped.

        Raises:
            Unavailable: The engine does not answer.
        """
        container = self._own(name)
        if container is None:
            return
        limits = self._limits(container)
        if container.state.is_live:
            self._engine.stop(container.id, limits.policies.sigterm_grace)
            self._record("container.stop", container, interface)
        if timeouts_of(limits, container.labels).container_hold_after_stop.value == timedelta(0):
            self._remove(container, interface)

    def discard(self, name: str, *, interface: str) -> None:
        """Remove a person's stopped container for good: its slot is free at once.

        A container that is gone is no error; a running one is left alone.

        Raises:
            Unavailable: The engine does not answer.
        """
        container = self._own(name)
        if container is None or container.state.is_live:
            return
        self._remove(container, interface)

    def _remove(self, container: Container, interface: str) -> None:
        self._engine.remove(container.id)
        self._admission.forget(container)
        self._record("container.remove", container, interface)

    def _own(self, name: str) -> Container | None:
        """The container, unless another installation on the same engine made it."""
        container = self._engine.container(name)
        instance = self._admission.rules.site.instance
        if container is None or container.labels.get(labels.INSTANCE) != instance:
            return None
        return container

    def _limits(self, container: Container) -> Limits:
        user = labels.owner_of(container.labels) or ""
        try:
            return self._policy.current().limits(user, labels.groups_of(container.labels))
        except Unavailable:
            return Limits()

    def _record(self, action: str, container: Container, interface: str) -> None:
        self._audit.write(
            action,
            user=labels.owner_of(container.labels),
            resource=container.name,
            interface=interface,
            details={"id": container.id, "slots": container.labels.get(labels.GPU_SLOTS, "")},
        )
