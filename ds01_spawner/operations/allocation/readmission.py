"""Whether a container that exists may start: its slots are free, and its owner's limits hold.

What a container was given at its creation is in the engine and cannot be given anew, so a slot that
went to somebody else is lost to it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation
from ds01_spawner.domain.allocator import Granted
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import NoCapacity, Refused
from ds01_spawner.domain.gpu import Slot
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.occupancy import SlotState, SlotUse
from ds01_spawner.domain.queue import MAX_OVERTAKEN
from ds01_spawner.domain.quota import Asker, acceptable, first_broken_limit, own_name
from ds01_spawner.domain.request import GpuKind, GpuRequest
from ds01_spawner.operations.allocation.admission import RESERVATION_LIFETIME, Admission
from ds01_spawner.operations.allocation.observe import AT_ONCE, Observer
from ds01_spawner.operations.allocation.situation import Situation
from ds01_spawner.ports import Clock, Ledger, LedgerTransaction

_OWN = frozenset({SlotState.HELD, SlotState.RESERVED})


class Readmission:
    """Decides about starting what exists. Safe to use from many threads and processes."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, observer: Observer, admission: Admission
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._observer = observer
        self._admission = admission

    def promise(self, container: Container, user: str, limits: Limits) -> Reservation:
        """A promise of the container's own slots, and of a place among its owner's containers.

        Raises:
            NoCapacity: A slot of it is somebody else's now, or is not there any more.
            QuotaExceeded: With it, the owner would have more than their limits allow.
            Forbidden: Its kind of slot is not theirs to hold any more.
            Unavailable: Something needed cannot be read; nothing was decided.
        """
        self._admission.rules.check_storage(user, limits)
        snapshot = self._observer.snapshot(AT_ONCE)
        with self._ledger.transaction() as transaction:
            situation = self._admission.situation(transaction, snapshot)
            situation.limits[user] = limits
            slots = _slots(container, situation)
            error = _broken_limit(container, user, limits, slots, situation)
            if error is not None:
                raise error
            self._check_queue(container, user, slots, situation)
            return _promised(transaction, container, user, slots, situation)

    def settle(self, promise: Reservation, lifetime: timedelta) -> None:
        """Let the promise end `lifetime` from now."""
        with self._ledger.transaction() as transaction:
            transaction.set_expiry(promise.id, self._clock.now() + lifetime)

    def release(self, promise: Reservation) -> None:
        """Give the slots back: the container does not run."""
        with self._ledger.transaction() as transaction:
            transaction.remove_reservations([promise.id])

    def _check_queue(
        self, container: Container, user: str, slots: Sequence[Slot], situation: Situation
    ) -> None:
        """Nobody takes a free slot past those who wait for it."""
        kept = {
            use.slot.uuid
            for use in situation.occupancy.of(user)
            if use.container == container.name and use.state in _OWN
        }
        contended = [slot for slot in slots if slot.uuid not in kept]
        if not contended or not situation.tickets:
            return
        others = [
            each
            for each in situation.tickets
            if (each.user, each.container_name) != (user, container.name)
        ]
        for standing in situation.standings(others, self._admission.rules.strategy):
            verdict, ticket = standing.verdict, standing.ticket
            theirs = verdict.slots if isinstance(verdict, Granted) else ()
            if ticket.overtaken >= MAX_OVERTAKEN:
                theirs = acceptable(ticket.gpu, situation.limits_of(ticket.user), contended)
            if set(theirs) & set(contended):
                raise NoCapacity(
                    f"The GPU slot of this container ({_listed(contended)}) goes to somebody who "
                    "waits for one.",
                    _ANEW,
                )


_ANEW = (
    "Its files are still there: copy them out with docker cp, and make the container anew with "
    "docker run to get another slot."
)


def _slots(container: Container, situation: Situation) -> tuple[Slot, ...]:
    """The container's slots, all of which can be its own again.

    Raises:
        NoCapacity: One cannot.
    """
    wanted = labels.gpu_uuids_of(container.labels)
    uses = {use.slot.uuid: use for use in situation.occupancy.uses}
    ids = container.labels.get(labels.GPU_SLOTS, "")
    if any(uuid not in uses for uuid in wanted):
        raise NoCapacity(f"The GPU slot of this container ({ids}) does not exist any more.", _ANEW)
    offered = {slot.uuid for slot in situation.occupancy.slots}
    lost = [
        uses[uuid] for uuid in wanted if uuid not in offered or not _may_have(uses[uuid], container)
    ]
    if lost:
        raise NoCapacity(
            f"The GPU slot of this container ({_listed([use.slot for use in lost])}) is "
            f"{_doing(lost[0], container)} now.",
            _ANEW,
        )
    return tuple(uses[uuid].slot for uuid in wanted)


def _may_have(use: SlotUse, container: Container) -> bool:
    if use.state is SlotState.FREE:
        return True
    return use.state in _OWN and use.container == container.name


def _doing(use: SlotUse, container: Container) -> str:
    if use.state is SlotState.UNAVAILABLE:
        return "unavailable"
    if use.user is not None and use.user == labels.owner_of(container.labels):
        return f"in use by your container {own_name(use.container or '?')}"
    return "somebody else's"


def _broken_limit(
    container: Container,
    user: str,
    limits: Limits,
    slots: Sequence[Slot],
    situation: Situation,
) -> Refused | None:
    asker = Asker(user, container.name, limits)
    return first_broken_limit(_request(slots), asker, situation.occupancy, slots)


def _request(slots: Sequence[Slot]) -> GpuRequest:
    """What asking for exactly these slots is."""
    if not slots:
        return GpuRequest()
    if all(slot.is_full for slot in slots):
        return GpuRequest(GpuKind.FULL, len(slots))
    mixed = any(slot.is_full for slot in slots)
    return GpuRequest(GpuKind.AT_LEAST if mixed else GpuKind.MIG, len(slots))


def _promised(
    transaction: LedgerTransaction,
    container: Container,
    user: str,
    slots: Sequence[Slot],
    situation: Situation,
) -> Reservation:
    """The promise of its creation, prolonged, or a new one."""
    made = labels.parse_timestamp(container.labels.get(labels.CREATED_AT, ""))
    end = situation.now + RESERVATION_LIFETIME
    for known in transaction.reservations():
        alive = known.expires_at > situation.now
        if alive and known.container_name == container.name and known.created_at == made:
            transaction.set_expiry(known.id, max(end, known.expires_at))
            return replace(known, expires_at=max(end, known.expires_at))
    transaction.remove_reservations([container.id])
    promise = Reservation(
        id=container.id,  # by which `Admission.forget` finds it
        user=user,
        container_name=container.name,
        gpu_uuids=tuple(slot.uuid for slot in slots),
        gpu_equivalents=sum(slot.equivalents for slot in slots),
        # Not the moment of its creation: the engine shows that container already, and a promise
        # for what is shown counts for nothing.
        created_at=situation.now,
        expires_at=end,
    )
    transaction.add_reservation(promise)
    return promise


def _listed(slots: Sequence[Slot]) -> str:
    return ", ".join(slot.id for slot in slots)
