"""Finds and clears away what is left behind beside containers (`domain.leftover`)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation, Ticket
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.leftover import (
    Kind,
    Leftover,
    ServerKey,
    dead_tickets,
    empty_cgroups,
    lapsed_reservations,
    lost_servers,
    server_of,
    servers_in,
    slugs_of,
    waited_seconds,
)
from ds01_spawner.domain.names import cgroup_slug
from ds01_spawner.operations.audit.lines import Audit, wait_details
from ds01_spawner.operations.audit.troubles import SERVICE
from ds01_spawner.ports import Cgroups, Clock, HubClient, HubServer, Ledger, LedgerTransaction


class Leftovers:
    """Finds, and clears away. Remembers whom and which servers it has seen containers of."""

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        clock: Clock,
        cgroups: Cgroups,
        ledger: Ledger,
        hub: HubClient | None,
        audit: Audit,
        instance: str,
        group_of: Callable[[Ticket], str | None] = lambda _ticket: None,
    ) -> None:
        self._clock = clock
        self._cgroups = cgroups
        self._ledger = ledger
        self._hub = hub
        self._audit = audit
        self._instance = instance
        self._group_of = group_of
        self._recalled = False
        self._people: frozenset[str] = frozenset()
        self._had_containers: frozenset[ServerKey] = frozenset()

    def recall(self) -> None:
        """Remember what the process before saw: before a pass forgets what is gone meanwhile.

        Raises:
            Unavailable: The ledger cannot be read.
        """
        with self._ledger.transaction() as transaction:
            self._recall(transaction)

    def find(
        self,
        containers: tuple[Container, ...],
        servers: Mapping[ServerKey, HubServer] | None,
        now: datetime,
        notes: list[str],
    ) -> tuple[Leftover, ...]:
        """Everything left behind now; what cannot be read is said in `notes`.

        Args:
            containers: All of the engine's.
            servers: What the hub has; `None` when it could not be asked.
            now: The moment.
            notes: Sentences are added.
        """
        with self._ledger.transaction() as transaction:
            if not self._recalled:
                self._recall(transaction)
            reservations, tickets = transaction.reservations(), transaction.tickets()
        ours = [each for each in containers if each.labels.get(labels.INSTANCE) == self._instance]
        promised = _slugs(reservations)
        self._people |= slugs_of(ours) | promised
        return (
            *lapsed_reservations(reservations, containers, now),
            *dead_tickets(tickets, now),
            *empty_cgroups(
                self._cgroup_names(notes), slugs_of(containers) | promised, self._people
            ),
            *self._lost(servers_in(ours), servers),
        )

    def clear(
        self, leftovers: Iterable[Leftover], containers: tuple[Container, ...], notes: list[str]
    ) -> tuple[Leftover, ...]:
        """Clear these away, each unless it is of use again; those that are gone now.

        What does not work is said in `notes`.
        """
        left = tuple(leftovers)
        rows = [each for each in left if each.kind in {Kind.RESERVATION, Kind.TICKET}]
        gone = list(self._clear_rows(rows, containers)) if rows else []
        for each in left:
            try:
                if each not in rows and self._clear(each):
                    self._say(each)
                    gone.append(each)
            except DS01Error as exc:
                notes.append(str(exc))
        return tuple(gone)

    def _recall(self, transaction: LedgerTransaction) -> None:
        tracks = transaction.tracks()
        users = {
            *(each.user for each in tracks),
            *(each.user for each in transaction.rule_stops()),
            *(each.user for each in transaction.storage()),
        }
        self._people |= {cgroup_slug(user) for user in users if user}
        self._had_containers |= {server_of(each.user, each.container_name) for each in tracks}
        self._recalled = True

    def _cgroup_names(self, notes: list[str]) -> Iterable[tuple[str, str]]:
        try:
            return self._cgroups.people()
        except Unavailable as exc:
            notes.append(str(exc))
            return ()

    def _lost(
        self, present: frozenset[ServerKey], servers: Mapping[ServerKey, HubServer] | None
    ) -> tuple[Leftover, ...]:
        if servers is None:
            self._had_containers |= present
            return ()
        ready = [key for key, server in servers.items() if server.ready]
        found = lost_servers(ready, self._had_containers, present)
        self._had_containers = present | (self._had_containers & servers.keys())
        return found

    def _clear_rows(
        self, rows: Iterable[Leftover], containers: tuple[Container, ...]
    ) -> tuple[Leftover, ...]:
        """Rows of the ledger, if they are still dead: nobody changes them meanwhile."""
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            dead = {
                *lapsed_reservations(transaction.reservations(), containers, now),
                *dead_tickets(transaction.tickets(), now),
            }
            gone = tuple(each for each in rows if each in dead)
            transaction.remove_reservations(_ids(gone, Kind.RESERVATION))
            transaction.remove_tickets(_ids(gone, Kind.TICKET))
            for each in gone:  # what cannot be audited is not done
                self._say(each)
        return gone

    def _clear(self, leftover: Leftover) -> bool:
        first, second = leftover.key
        if leftover.kind is Kind.SERVER:
            if self._hub is None:
                return False
            self._hub.stop(first, second)
            return True
        # Nobody is granted anything meanwhile, and a launch under way has its reservation.
        with self._ledger.transaction() as transaction:
            promised = _slugs(transaction.reservations())
            return second not in promised and self._cgroups.remove(first, second)

    def _say(self, leftover: Leftover) -> None:
        ticket = leftover.ticket
        self._audit.write(
            leftover.action,
            user=leftover.user,
            resource=leftover.resource,
            interface=SERVICE,
            reason=leftover.reason,
            details={} if ticket is None else self._wait_details(ticket),
        )

    def _wait_details(self, ticket: Ticket) -> Mapping[str, object]:
        try:
            group = self._group_of(ticket)
        except DS01Error:  # it is told, whatever the policy says
            group = None
        return wait_details(ticket, waited_seconds(ticket), group)


def _slugs(reservations: Iterable[Reservation]) -> frozenset[str]:
    return frozenset(cgroup_slug(each.user) for each in reservations)


def _ids(leftovers: Iterable[Leftover], kind: Kind) -> list[str]:
    return [each.key[0] for each in leftovers if each.kind is kind]
