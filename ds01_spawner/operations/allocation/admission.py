"""Request + limits + what is running + what is free: a grant, a place in the queue, or a refusal.

Every door comes through here. Every process may decide: the decision is made inside one ledger
transaction, on a snapshot that is never older than the reservations that cover what it misses
(docs/decisions/001-labels-are-the-database.md).
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ds01_spawner.domain import labels, names
from ds01_spawner.domain.allocation import Reservation, Ticket
from ds01_spawner.domain.allocator import NothingFree, Rejected
from ds01_spawner.domain.container import Container, ContainerSpec
from ds01_spawner.domain.container_owner import is_made_elsewhere
from ds01_spawner.domain.errors import InvalidRequest, NoCapacity, Refused, Unavailable
from ds01_spawner.domain.expected_wait import typical_hold
from ds01_spawner.domain.gpu import Inventory, Slot
from ds01_spawner.domain.grant import Placement, Site, container_spec
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.monitors import counted
from ds01_spawner.domain.occupancy import SlotState, Snapshot, occupancy
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.queue import (
    TICKET_LIFETIME,
    USAGE_HORIZON,
    Standing,
    alive,
    overtaken_by,
    recent_usage,
)
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.domain.strategies import Strategy
from ds01_spawner.operations.allocation.observe import AT_ONCE, MAX_AGE, Observer
from ds01_spawner.operations.allocation.situation import Situation, check_waiting
from ds01_spawner.operations.allocation.work_time import holds
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.ports import (
    Accounts,
    Cgroups,
    Clock,
    Ledger,
    LedgerTransaction,
    NoticeBoard,
    PolicySource,
)

RESERVATION_LIFETIME = timedelta(seconds=90)
"""The longest deadline of an engine call (60 s) and `launch.SETTLE_TIME`: no start outlives it."""

POLL_SHARING = timedelta(milliseconds=500)
SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to make one container, with everything the engine must be told about it.

    Attributes:
        reservation: What holds the slots until the container runs.
        spec: The container; a door adds its command, environment and ports.
        limits: The person's limits at this moment.
        slots: Slots granted.
        simulated: Whether they are simulated.
    """

    reservation: Reservation
    spec: ContainerSpec
    limits: Limits
    slots: tuple[Slot, ...]
    simulated: bool


@dataclass(frozen=True, slots=True)
class Queued:
    """A place in the queue; ask again with `ticket` within seconds, or it is given up.

    Attributes:
        ticket: The place.
        place: 1-based, among those who compete for the same slots.
        length: How many compete for them.
        reason: What is in use, as a sentence.
        states: How many of the slots that would do are doing what.
        wait: How long it is likely to take; `None` where nothing tells.
    """

    ticket: Ticket
    place: int
    length: int
    reason: str
    states: Mapping[SlotState, int] = field(default_factory=dict)
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the installation decides about allocation.

    Attributes:
        strategy: Orders slots of the same size.
        resolve_image: The engine's reference for what somebody asked to start (empty: the
            default), called with user, their policy group and the text; raises `Forbidden` or
            `InvalidRequest` unless they may start it.
        may_pull: Whether an image that is not here may be fetched from its registry. Not a person's
            own: anybody could register that name in public.
        site: What containers' descriptions take from the installation.
        excluded_gpus: Cards (UUID) of an inventory that doors never give, such as those for
            batch work.
        check_storage: Raises `QuotaExceeded` when the person's home is full.
    """

    strategy: Strategy
    resolve_image: Callable[[str, str | None, str], str]
    may_pull: Callable[[str], bool]
    site: Site
    excluded_gpus: Callable[[Inventory], frozenset[str]] = lambda _inventory: frozenset()
    check_storage: Callable[[str, Limits], None] = lambda _user, _limits: None


class Admission:
    """Decides about launches. Safe to use from many threads and processes."""

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        clock: Clock,
        policy: PolicySource,
        accounts: Accounts,
        cgroups: Cgroups,
        ledger: Ledger,
        board: NoticeBoard,
        observer: Observer,
        audit: Audit,
        rules: Rules,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._policy = policy
        self._accounts = accounts
        self._cgroups = cgroups
        self._ledger = ledger
        self._board = board
        self._observer = observer
        self._audit = audit
        self.rules = rules

    def limits(self, user: str, hub_groups: Sequence[str] = ()) -> Limits:
        """The person's limits now.

        Raises:
            InvalidRequest: The name cannot be a person's.
            Forbidden: It is a system account's.
            Unavailable: There is no valid policy, or accounts cannot be looked up.
        """
        account = self._accounts.lookup(names.check_user(user))
        groups = account.groups if account else ()
        return self._policy.current().limits(user, hub_groups, groups)

    def prepare(self, request: LaunchRequest) -> LaunchRequest:
        """The request with its image resolved, checked as far as it can be without deciding.

        Raises:
            Refused: A name is impossible, or the image is not for this person. It is in the log.
            Unavailable: There is no valid policy, or accounts cannot be looked up.
        """
        try:
            return self._checked(request)[0]
        except Refused as exc:
            self._audit.refusal(request, exc)
            raise

    def admit(
        self, request: LaunchRequest, *, wait: bool = False, ticket: Ticket | None = None
    ) -> Grant | Queued:
        """A grant, or with `wait` a place in the queue.

        Args:
            request: What a door gathered; nothing in it is trusted.
            wait: Whether to queue when nothing that fits is free.
            ticket: The place got from an earlier call, when asking again.

        Raises:
            Refused: Not allowed, or (without `wait`) nothing free. The refusal is in the log.
            Unavailable: Something needed cannot be read; nothing was decided.
        """
        began = self._monotonic()
        try:
            return self._admit(request, began, wait=wait, ticket=ticket)
        except Refused as exc:
            if ticket is not None:
                self.leave(request, ticket, str(exc))
            self._audit.refusal(request, exc, self._took(began))
            raise

    def cancel(self, ticket: Ticket) -> None:
        """Give a place in the queue back."""
        with self._ledger.transaction() as transaction:
            transaction.remove_tickets([ticket.id])

    def waited_seconds(self, ticket: Ticket) -> float:
        """How long somebody has waited with a place in the queue."""
        return round(max((self._clock.now() - ticket.created_at).total_seconds(), 0.0), 3)

    def group_of(self, ticket: Ticket) -> str | None:
        """The policy group of somebody who waits."""
        return self._policy.current().limits(ticket.user, ticket.groups).group

    def leave(self, request: LaunchRequest, ticket: Ticket, reason: str) -> None:
        """Give a place in the queue back that nobody waits with any more, and write it down.

        A place that is gone already was written down by who took it.
        """
        with self._ledger.transaction() as transaction:
            was_there = any(each.id == ticket.id for each in transaction.tickets())
            transaction.remove_tickets([ticket.id])
        if was_there:
            with suppress(Unavailable):  # the place is given back, whatever the log says
                waited, group = self.waited_seconds(ticket), self.group_of(ticket)
                self._audit.left(request, ticket, waited, reason, group)

    def renew(self, grant: Grant) -> None:
        """Promise the slots for `RESERVATION_LIFETIME` from now, or as long as they are already.

        Raises:
            NoCapacity: The promise had lapsed, so that somebody else may have a slot of it now.
            Unavailable: Something needed cannot be read.
        """
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            current = _living(transaction, grant, now)
            end = max(current.expires_at, now + RESERVATION_LIFETIME)
            transaction.set_expiry(grant.reservation.id, end)

    def settle(self, grant: Grant, lifetime: timedelta) -> None:
        """Let the promise of a container that runs now end `lifetime` from now.

        Raises:
            NoCapacity: The promise had lapsed, so that somebody else may have a slot of it now.
            Unavailable: Something needed cannot be read.
        """
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            _living(transaction, grant, now)
            transaction.set_expiry(grant.reservation.id, now + lifetime)

    def keep_until(self, grant: Grant, lifetime: timedelta) -> None:
        """Let the promise end `lifetime` from now, whatever its end was."""
        with self._ledger.transaction() as transaction:
            transaction.set_expiry(grant.reservation.id, self._clock.now() + lifetime)

    def release(self, grant: Grant) -> None:
        """Give the slots back at once; their container does not exist."""
        with self._ledger.transaction() as transaction:
            transaction.remove_reservations([grant.reservation.id])

    def forget(self, container: Container) -> None:
        """Give back at once what is still promised for a container that has been removed."""
        with self._ledger.transaction() as transaction:
            entries = transaction.reservations()
            transaction.remove_reservations(
                [entry.id for entry in entries if _is_for(entry, container)]
            )

    def renamed(self, container: Container, name: str) -> None:
        """Let what is promised for a container be promised for the name that it has now."""
        with self._ledger.transaction() as transaction:
            for entry in transaction.reservations():
                if _is_for(entry, container):
                    transaction.remove_reservations([entry.id])
                    transaction.add_reservation(replace(entry, container_name=name))

    def current(self, max_age: timedelta = AT_ONCE) -> Situation:
        """Everything the next decision would look at.

        Raises:
            Unavailable: Something needed cannot be read.
        """
        snapshot = self._observer.snapshot(max_age)
        with self._ledger.transaction() as transaction:
            return self.situation(transaction, snapshot)

    def _took(self, began: float) -> timedelta:
        return timedelta(seconds=self._monotonic() - began)

    def _admit(
        self, request: LaunchRequest, began: float, *, wait: bool, ticket: Ticket | None
    ) -> Grant | Queued:
        request, account, limits = self._checked(request)
        self.rules.check_storage(request.user, limits)
        # Polls of the queue share readings: staleness within MAX_AGE is covered by reservations.
        snapshot = self._observer.snapshot(POLL_SHARING if ticket is not None else AT_ONCE)
        with self._ledger.transaction() as transaction:
            situation = self.situation(transaction, snapshot)
            situation.limits[request.user] = limits
            if ticket is not None:
                _check_still_wanted(transaction, ticket, situation.now)
            mine = self._ticket(request, account, limits, situation.now, ticket)
            standings = situation.standings_with(mine, self.rules.strategy)
            standing = next(entry for entry in standings if entry.ticket.id == mine.id)
            if isinstance(standing.verdict, Rejected):
                raise standing.verdict.error
            if isinstance(standing.verdict, NothingFree):
                if wait and ticket is None:
                    check_waiting(situation, mine)
                queued = self._queue(transaction, request, standing, wait=wait, known=ticket)
                return replace(queued, wait=situation.likely_wait(standing))
            slots = standing.verdict.slots
            free = {slot.uuid for slot in situation.occupancy.free()}
            taken = [slot for slot in slots if slot.uuid in free]
            for passed in overtaken_by(standing.ticket, taken, standings, situation.limits_of):
                transaction.put_ticket(passed)
            return self._grant(transaction, request, situation, account, slots, mine, began)

    def _checked(self, request: LaunchRequest) -> tuple[LaunchRequest, UnixAccount | None, Limits]:
        request.check_names()
        account = self._accounts.lookup(names.check_user(request.user))
        limits = self._policy.current().limits(
            request.user, request.hub_groups, account.groups if account else ()
        )
        image = self.rules.resolve_image(request.user, limits.group, request.image)
        return replace(request, image=image), account, limits

    def situation(self, transaction: LedgerTransaction, snapshot: Snapshot) -> Situation:
        """What a decision within `transaction` is made on.

        Raises:
            Unavailable: The snapshot is too old, or there is no valid policy.
        """
        now = self._clock.now()
        if not timedelta(0) <= now - snapshot.taken_at <= MAX_AGE:
            raise Unavailable(
                "Reading the engine and the GPUs took too long to decide on.", "Try again."
            )
        policy = self._policy.current()
        instance = self.rules.site.instance
        elsewhere = {each.id for each in snapshot.containers if is_made_elsewhere(each, instance)}
        snapshot = replace(counted(snapshot, policy.unmanaged.spare), elsewhere=elsewhere)
        tickets = alive(transaction.tickets(), now)
        groups = {entry.user: entry.groups for entry in tickets}
        known: dict[str, Limits] = {}

        def limits_of(user: str) -> Limits:
            if user not in known:
                known[user] = policy.limits(user, groups.get(user, ()))
            return known[user]

        intervals = transaction.usage_since(now - USAGE_HORIZON)
        return Situation(
            now=now,
            occupancy=occupancy(
                snapshot,
                transaction.reservations(),
                holds(policy, transaction.rule_stops(), now),
                now,
                self.rules.excluded_gpus(snapshot.inventory),
            ),
            snapshot=snapshot,
            tickets=tickets,
            usage=dict(recent_usage(intervals, now)),
            limits=known,
            limits_of=limits_of,
            hold=typical_hold(intervals, now),
        )

    def _ticket(
        self,
        request: LaunchRequest,
        account: UnixAccount | None,
        limits: Limits,
        now: datetime,
        known: Ticket | None,
    ) -> Ticket:
        if known is not None:
            return replace(known, seen_at=now, priority=limits.priority)
        return Ticket(
            id=uuid.uuid4().hex,
            user=request.user,
            container_name=names.container_name(request.name, request.user),
            gpu=request.gpu,
            priority=limits.priority,
            created_at=now,
            seen_at=now,
            groups=(*request.hub_groups, *(account.groups if account else ())),
        )

    def _queue(
        self,
        transaction: LedgerTransaction,
        request: LaunchRequest,
        standing: Standing,
        *,
        wait: bool,
        known: Ticket | None,
    ) -> Queued:
        assert isinstance(standing.verdict, NothingFree)  # noqa: S101 - narrows the type
        reason = standing.verdict.reason
        if not wait:
            raise NoCapacity(
                f"{request.gpu.shortage} now. {reason}",
                f"You would be number {standing.place} in the queue: start again and choose to "
                "wait, or choose another size.",
                place=standing.place,
            )
        transaction.put_ticket(standing.ticket)
        if known is None:
            self._audit.queued(request, standing)
        return Queued(
            standing.ticket, standing.place, standing.length, reason, standing.verdict.states
        )

    def _grant(  # noqa: PLR0913, PLR0917 - the parts of one grant
        self,
        transaction: LedgerTransaction,
        request: LaunchRequest,
        situation: Situation,
        account: UnixAccount | None,
        slots: tuple[Slot, ...],
        ticket: Ticket,
        began: float,
    ) -> Grant:
        now = self._clock.now()
        limits = situation.limits_of(request.user)
        simulated = situation.snapshot.inventory.source == SIMULATED
        reservation = Reservation(
            id=uuid.uuid4().hex,
            user=request.user,
            container_name=ticket.container_name,
            gpu_uuids=tuple(slot.uuid for slot in slots),
            gpu_equivalents=sum(slot.equivalents for slot in slots),
            created_at=now,
            expires_at=now + RESERVATION_LIFETIME,
        )
        placement = Placement(
            account=account,
            cgroup_parent=self._cgroups.parent(limits.group, request.user),
            slots=slots,
            simulated=simulated,
            notices=self._board.folder(request.user),
            granted_at=now,
        )
        spec = container_spec(request, limits, placement, self.rules.site)
        transaction.remove_tickets([ticket.id])
        transaction.add_reservation(reservation)
        # Inside the transaction: an allocation that cannot be audited is not made.
        waited, decided = now - ticket.created_at, self._took(began)
        self._audit.granted(request, slots, waited, limits.group, decided)
        return Grant(reservation, spec, limits, slots, simulated)


def _is_for(entry: Reservation, container: Container) -> bool:
    """Whether a promise was made for this very container: at its creation, or at a later start."""
    if entry.id == container.id:
        return True
    made = labels.parse_timestamp(container.labels.get(labels.CREATED_AT, ""))
    return entry.container_name == container.name and entry.created_at == made


def _check_still_wanted(transaction: LedgerTransaction, ticket: Ticket, now: datetime) -> None:
    """Return unless somebody gave this place up since its holder last asked.

    One that is missing although it was seen just now did not run out: it was cancelled.
    """
    missing = all(entry.id != ticket.id for entry in transaction.tickets())
    if missing and abs(now - ticket.seen_at) < TICKET_LIFETIME:
        raise InvalidRequest("The place in the GPU queue was given up.", "Start again to queue.")


def _living(transaction: LedgerTransaction, grant: Grant, now: datetime) -> Reservation:
    found = {entry.id: entry for entry in transaction.reservations()}
    current = found.get(grant.reservation.id)
    if current is None or current.expires_at <= now:
        raise NoCapacity("Starting took so long that the GPU slot was given back.", "Start again.")
    return current
