"""The lines that allocation and launching write into the audit log."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.domain import names
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.errors import NoCapacity, QuotaExceeded, Refused
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.queue import Standing
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.ports import Clock, EventLog


def wait_details(
    ticket: Ticket, waited_seconds: float, group: str | None, project: str | None = None
) -> dict[str, object]:
    """What an event tells of somebody who waited and was given nothing."""
    return {
        "request": str(ticket.gpu),
        "size": ticket.gpu.size,
        "count": ticket.gpu.count,
        "group": group or "",
        "project": project or "",
        "waited_seconds": waited_seconds,
    }


@dataclass(slots=True)
class Request:
    """A request from outside that events come from.

    Attributes:
        id: Names it.
        by: Who made it.
        refusal_told: Whether a refusal of it is in the log.
    """

    id: str
    by: str
    refusal_told: bool = False


_request: ContextVar[Request | None] = ContextVar("request", default=None)


@contextmanager
def in_request(request_id: str, by: str) -> Iterator[Request]:
    """Let events that are written within, in this context, name a request and who made it."""
    request = Request(request_id, by)
    token = _request.set(request)
    try:
        yield request
    finally:
        _request.reset(token)


class Audit:
    """Writes events in the name of one service."""

    def __init__(self, clock: Clock, log: EventLog, actor: str) -> None:
        self._clock = clock
        self._log = log
        self._actor = actor

    def granted(
        self,
        request: LaunchRequest,
        slots: Sequence[Slot],
        waited: timedelta,
        group: str | None = None,
        decided: timedelta | None = None,
    ) -> None:
        """Slots were given; a launch without a GPU writes nothing here."""
        if slots:
            self.record(
                request,
                "gpu.allocate",
                resource=",".join(slot.id for slot in slots),
                details={
                    "container": names.container_name(request.name, request.user),
                    "uuids": [slot.uuid for slot in slots],
                    "equivalents": round(sum(slot.equivalents for slot in slots), 4),
                    "profile": slots[0].profile,
                    "group": group or "",
                    "project": request.project or "",
                    "waited_seconds": round(waited.total_seconds(), 3),
                    **_took(decided),
                },
            )

    def queued(self, request: LaunchRequest, standing: Standing) -> None:
        """Somebody joined the queue."""
        self.record(
            request,
            "gpu.queue",
            resource=standing.ticket.container_name,
            details={
                "request": str(request.gpu),
                "place": standing.place,
                "length": standing.length,
            },
        )

    def left(
        self,
        request: LaunchRequest,
        ticket: Ticket,
        waited_seconds: float,
        reason: str,
        group: str | None = None,
    ) -> None:
        """Somebody left the queue."""
        self.record(
            request,
            "gpu.unqueue",
            resource=ticket.container_name,
            reason=reason,
            details=wait_details(ticket, waited_seconds, group, request.project),
        )

    def refusal(
        self, request: LaunchRequest, error: Refused, decided: timedelta | None = None
    ) -> None:
        """A request was refused."""
        if (current := _request.get()) is not None:
            current.refusal_told = True
        details: dict[str, object] = {"request": str(request.gpu), "image": request.image}
        details |= _took(decided)
        match error:
            case QuotaExceeded():
                action = "quota.reject"
                details |= {
                    "limit": error.limit,
                    "used": error.used,
                    "asked": error.asked,
                    "allowed": error.allowed,
                }
            case NoCapacity():
                action = "gpu.reject"
            case _:
                action = "request.reject"
        self.record(
            request,
            action,
            resource=request.name[:64],
            outcome="refused",
            reason=error.logged,
            details=details,
        )

    def record(  # noqa: PLR0913 - an event has that many parts
        self,
        request: LaunchRequest,
        action: str,
        *,
        resource: str,
        outcome: str = "ok",
        reason: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Write one event about a launch."""
        self.write(
            action,
            user=request.user,
            resource=resource,
            interface=request.interface.value,
            outcome=outcome,
            reason=reason,
            details=details,
        )

    def write(  # noqa: PLR0913 - an event has that many parts
        self,
        action: str,
        *,
        user: str | None,
        resource: str,
        interface: str,
        outcome: str = "ok",
        reason: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Write one event.

        Raises:
            Unavailable: It could not be written.
        """
        self._log.append(
            Event(
                ts=self._clock.now(),
                user=user,
                action=action,
                resource=resource,
                actor=self._actor,
                interface=interface,
                outcome=outcome,
                reason=reason,
                details={**_named(_request.get()), **(details or {})},
            )
        )


def _took(decided: timedelta | None) -> dict[str, object]:
    return {} if decided is None else {"decided_ms": round(decided.total_seconds() * 1000, 1)}


def _named(request: Request | None) -> dict[str, object]:
    return {} if request is None else {"request_id": request.id, "by": request.by}
