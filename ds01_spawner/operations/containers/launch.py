"""From a grant to a running container, or to nothing at all: no half-made launch is left."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container, ContainerSpec
from ds01_spawner.domain.errors import (
    Conflict,
    DeviceDriverMissing,
    DS01Error,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from ds01_spawner.domain.grant import without_device_requests
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.domain.usage_begun import start_details
from ds01_spawner.operations.allocation.admission import Admission, Grant
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.operations.allocation.succession import Heritage, Succession
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.containers.mount_places import check_places, places_of
from ds01_spawner.policy.image_references import without_namespace
from ds01_spawner.ports import ContainerRoots, Engine

SETTLE_TIME = timedelta(seconds=30)
"""A reservation outlives the start by this, longer than any snapshot that misses the container."""

DOUBT_TIME = timedelta(minutes=10)
"""A slot stays reserved this long after a failed launch that could not be undone."""


class Step(StrEnum):
    """What a launch is doing, for whoever watches."""

    REPLACING = "replacing"
    CREATING = "creating"
    STARTING = "starting"


class Abandoned(DS01Error):
    """The door no longer wants the container; everything was undone."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a launch tells its door, and what the door tells it.

    Attributes:
        say: Called at each step.
        abandoned: Set by the door when nobody waits for the container any more.
    """

    say: Callable[[Step], None]
    abandoned: threading.Event


class Launcher:
    """Makes containers. Safe to use from many threads and processes.

    Args:
        admission: What grants.
        engine: Where containers are made.
        aggregates: Bounds of each person.
        succession: What an older container leaves.
        audit: The log.
        roots: Where paths in a container lead; without it, all are taken for plain.
    """

    def __init__(  # noqa: PLR0913 - the parts it stands on
        self,
        *,
        admission: Admission,
        engine: Engine,
        aggregates: Aggregates,
        succession: Succession,
        audit: Audit,
        roots: ContainerRoots | None = None,
    ) -> None:
        self._admission = admission
        self._engine = engine
        self._aggregates = aggregates
        self._succession = succession
        self._audit = audit
        self._roots = roots
        self._engine_has_gpu_driver = True

    def expect_no_gpu_driver(self) -> None:
        """Ask the engine for no GPU devices any more: it has said that it hands none out."""
        self._engine_has_gpu_driver = False

    def ensure_image(self, reference: str) -> None:
        """Fetch an image that is not here yet. Before admission, so that no slot waits for it.

        Raises:
            InvalidRequest: It is not here and no registry has it, or it may not be fetched.
            Unavailable: The engine or the registry does not answer.
        """
        if self._engine.has_image(reference):
            return
        if not self._admission.rules.may_pull(reference):
            raise _missing(reference)
        try:
            self._engine.pull(reference)
        except NotFound as exc:
            raise _missing(reference) from exc

    def launch(
        self, request: LaunchRequest, grant: Grant, spec: ContainerSpec, progress: Progress
    ) -> str:
        """Make and start the container; its engine id.

        Args:
            request: What was granted.
            grant: The grant; used up by this call, whatever the outcome.
            spec: `grant.spec` with what the door added.
            progress: Progress and cancellation.

        Raises:
            Abandoned: The door gave up.
            Conflict: The person runs a container of that name through another door.
            Forbidden: Its image would have something made in a folder of the server.
            NoCapacity: It took so long that the reservation lapsed.
            Unavailable: A part does not answer, or did not do what it was told.
        """
        try:
            container_id = self._make(request, grant, spec, progress)
        except DS01Error as exc:
            exc.message = without_namespace(exc.message, request.user)
            self.undo(request, grant, spec.name)
            if not isinstance(exc, Abandoned):
                self._tell(request, "container.start", spec.name, str(exc.told))
            raise
        except BaseException:
            self.undo(request, grant, spec.name)
            raise
        return container_id

    def create(self, request: LaunchRequest, grant: Grant, spec: ContainerSpec) -> str:
        """Make the container and leave it to be started by `Starts`; its engine id.

        An older container of that name is in the way. The promise of its slots goes on for
        `RESERVATION_LIFETIME`: one that is not started by then has lost them.

        Args:
            request: What was granted.
            grant: The grant; used up by this call, whatever the outcome.
            spec: `grant.spec` with what the door added.

        Raises:
            Conflict: A container of that name exists.
            NoCapacity: It took so long that the reservation lapsed.
            Unavailable: A part does not answer, or did not do what it was told.
        """
        try:
            self._aggregates.apply(grant.limits, request.user)
            self._ensure_network(request, grant)
            if not self._engine_has_gpu_driver:
                spec = without_device_requests(spec)
            return self._created(request, grant, spec)
        except DS01Error as exc:
            exc.message = without_namespace(exc.message, request.user)
            self.undo(request, grant, spec.name)
            self._tell(request, "container.create", spec.name, str(exc.told))
            raise
        except BaseException:
            self.undo(request, grant, spec.name)
            raise

    def _make(
        self, request: LaunchRequest, grant: Grant, spec: ContainerSpec, progress: Progress
    ) -> str:
        _check(progress)
        heritage = self._replace(request, spec, progress)
        if heritage is not None:
            spec = heritage.on(spec)
        limits = grant.limits
        self._aggregates.apply(limits, request.user)
        self._ensure_network(request, grant)
        progress.say(Step.CREATING)
        if not self._engine_has_gpu_driver:
            spec = without_device_requests(spec)
        container_id = self._create(request, grant, spec, progress)
        progress.say(Step.STARTING)
        try:
            self._start(grant, container_id, progress)
        except DeviceDriverMissing:
            if not grant.simulated:
                raise
            self.expect_no_gpu_driver()
            self._engine.remove(container_id)
            spec = without_device_requests(spec)
            container_id = self._create(request, grant, spec, progress)
            self._start(grant, container_id, progress)
        if heritage is not None:
            with suppress(Unavailable):  # then its owner is warned once more
                self._succession.hand_on(heritage, container_id)
        self._aggregates.verify(limits, request.user)
        self._audit.record(
            request,
            "container.start",
            resource=spec.name,
            details={
                "id": container_id,
                "image": spec.image,
                "slots": _slots(grant),
                **start_details(spec.labels),
            },
        )
        # A promise that ran out while the machine slept may be somebody else's by now. A locked
        # ledger matters less: the promise was renewed for longer than this before the start.
        with suppress(Unavailable):
            self._admission.settle(grant, SETTLE_TIME)
        return container_id

    def _replace(
        self, request: LaunchRequest, spec: ContainerSpec, progress: Progress
    ) -> Heritage | None:
        """Remove the person's earlier container of this name; containers are throw-away.

        The work goes on: what it leaves to the new one.
        """
        existing = self._engine.container(spec.name)
        if existing is None:
            return None
        if not self._is_replaceable(request, existing):
            raise Conflict(
                f"A container named {spec.name} exists and was not started here.",
                "Stop it where it was started, or choose another name.",
            )
        heritage = self._succession.of(existing)
        progress.say(Step.REPLACING)
        self._engine.remove(existing.id)
        self._audit.record(
            request,
            "container.remove",
            resource=spec.name,
            reason="replaced by a new launch",
            details={"id": existing.id},
        )
        return heritage

    def _is_replaceable(self, request: LaunchRequest, existing: Container) -> bool:
        """A stopped one of the same person and door, or what a crashed hub left running."""
        marks = existing.labels
        mine = (
            marks.get(labels.MANAGED) == "true"
            and marks.get(labels.INSTANCE) == self._admission.rules.site.instance
            and marks.get(labels.USER) == request.user
            and marks.get(labels.INTERFACE) == request.interface
        )
        return mine and (not existing.state.is_live or request.interface is Interface.HUB)

    def _ensure_network(self, request: LaunchRequest, grant: Grant) -> None:
        """Make the person's own network, whichever the container joins in the end."""
        marks = labels.own_marks(request.user, self._admission.rules.site.instance)
        self._engine.ensure_network(grant.spec.network, marks)

    def _create(
        self, request: LaunchRequest, grant: Grant, spec: ContainerSpec, progress: Progress
    ) -> str:
        _check(progress)
        container_id = self._created(request, grant, spec)
        container = self._engine.container(container_id) if self._roots is not None else None
        if self._roots is not None and container is not None:
            led = self._roots.leads_to(container_id, places_of(container))
            check_places(container, spec, led)
        return container_id

    def _created(self, request: LaunchRequest, grant: Grant, spec: ContainerSpec) -> str:
        self._admission.renew(grant)
        try:
            container_id = self._engine.create(spec)
        except NotFound as exc:
            raise _missing(spec.image) from exc
        self._audit.record(
            request, "container.create", resource=spec.name, details={"id": container_id}
        )
        return container_id

    def _start(self, grant: Grant, container_id: str, progress: Progress) -> None:
        _check(progress)
        self._admission.renew(grant)
        self._engine.start(container_id)
        _check(progress)

    def undo(self, request: LaunchRequest, grant: Grant, name: str) -> None:
        """Leave no container and no reservation; in doubt, keep the slot reserved.

        Raises nothing of the platform's own: the caller has something to say already.
        """
        # First, because asking and removing may take longer than what is left of the promise, and
        # the engine may still carry out a start that it did not answer.
        with suppress(Unavailable):
            self._admission.keep_until(grant, DOUBT_TIME)
        try:
            existing = self._engine.container(name)
            if existing is not None and _made_for(existing, grant):
                self._engine.remove(existing.id)
            self._admission.release(grant)
        except Unavailable as exc:
            self._tell(
                request, "container.remove", name, f"A failed launch could not be undone: {exc}"
            )

    def _tell(self, request: LaunchRequest, action: str, name: str, reason: str) -> None:
        """Log a failure; where the log fails too, the caller's own error is what is told."""
        with suppress(Unavailable):
            self._audit.record(request, action, resource=name, outcome="failed", reason=reason)


def _check(progress: Progress) -> None:
    if progress.abandoned.is_set():
        raise Abandoned("The launch was cancelled.")


def _missing(reference: str) -> InvalidRequest:
    return InvalidRequest(f"The image {reference} is not on this server.", "Choose another image.")


def _made_for(container: Container, grant: Grant) -> bool:
    made = labels.parse_timestamp(container.labels.get(labels.CREATED_AT, ""))
    return made == grant.reservation.created_at


def _slots(grant: Grant) -> list[str]:
    return [slot.id for slot in grant.slots]
