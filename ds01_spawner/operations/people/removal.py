"""Takes somebody out of the platform: what runs ends, what opens doors goes, data stays.

With their data only where it is asked for. Each step looks at what is there, so whoever was
interrupted does it again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Conflict, DS01Error, Forbidden, NotFound, Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.people import NOT_ASKED, AccountEntry, HubEntry, Thing
from ds01_spawner.domain.ssh_key import SshKey
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.containers.servers import Servers
from ds01_spawner.operations.people.people import INTERFACE
from ds01_spawner.ports import Engine, HubClient, Ledger
from ds01_spawner.ports.people import (
    AccountKeeper,
    Addresses,
    HubPeople,
    LeavingMark,
    Memberships,
    Things,
)
from ds01_spawner.ports.ssh import SshFolder

_ROUNDS = 5
"""A launch under way may make one more container while others are removed."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Everything that the platform has of somebody.

    Attributes:
        user: Who.
        account: Their Unix account, if there is one.
        delete_data: Whether files, volumes and images go too.
        containers: Of theirs.
        tickets: Their places in the queue.
        keys: Their SSH keys.
        groups: Members files that name them, by group, with `file:line`.
        addresses: Their own addresses for notices, by channel.
        things: Volumes, images and networks of theirs.
        storage: What their files took when last measured.
        hub: What the hub has.
    """

    user: str
    account: AccountEntry | None
    delete_data: bool
    containers: tuple[Container, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    keys: tuple[SshKey, ...] = ()
    groups: Mapping[str, str] | None = None
    addresses: Mapping[str, str] | None = None
    things: tuple[Thing, ...] = ()
    storage: StorageUse | None = None
    hub: HubEntry = NOT_ASKED

    @property
    def closes(self) -> bool:
        """Whether an account of this machine is to be closed or removed."""
        account = self.account
        return (
            account is not None and account.is_local and (self.delete_data or not account.is_closed)
        )

    @property
    def going(self) -> tuple[Thing, ...]:
        """Those volumes, images and networks that go."""
        return tuple(each for each in self.things if self.delete_data or not each.kind.is_data)

    @property
    def unix_groups(self) -> tuple[str, ...]:
        """The groups of this machine that name them."""
        return () if self.account is None else self.account.listed_in

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to do."""
        return not (
            self.closes
            or self.going
            or self.containers
            or self.tickets
            or self.keys
            or self.groups
            or self.addresses
            or self.unix_groups
            or self.hub.goes
        )


class Departures:
    """Removes people."""

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        accounts: AccountKeeper,
        memberships: Memberships,
        addresses: Addresses,
        things: Things,
        ssh_folder: SshFolder,
        engine: Engine,
        ledger: Ledger,
        servers: Servers,
        hub: HubClient | None,
        hub_people: HubPeople | None,
        mark: LeavingMark,
        audit: Audit,
        instance: str,
    ) -> None:
        self._accounts = accounts
        self._memberships = memberships
        self._addresses = addresses
        self._things = things
        self._ssh_folder = ssh_folder
        self._engine = engine
        self._ledger = ledger
        self._servers = servers
        self._hub = hub
        self._hub_people = hub_people
        self._mark = mark
        self._audit = audit
        self._instance = instance

    def look(self, user: str, *, delete_data: bool) -> Departure:
        """What there is of somebody. Nothing is done.

        Raises:
            NotFound: Nothing is.
            Forbidden: It is a system account.
            Unavailable: Something cannot be read.
        """
        account = self._accounts.find(user)
        if account is not None and not account.is_person:
            raise Forbidden(f"{user} is a system account (uid {account.uid}).")
        with self._ledger.transaction() as transaction:
            tickets = tuple(each for each in transaction.tickets() if each.user == user)
            keys = tuple(transaction.ssh_keys(user))
            storage = next(iter(transaction.storage(user)), None)
        found = Departure(
            user=user,
            account=account,
            delete_data=delete_data,
            containers=self._containers(user),
            tickets=tickets,
            keys=keys,
            groups=self._memberships.of(user),
            addresses=self._addresses.of(user),
            things=tuple(self._things.things_of(user)),
            storage=storage,
            hub=self._hub_entry(user),
        )
        is_known = bool(found.things) or bool(found.hub.is_known)
        if account is None and found.is_nothing and not is_known:
            raise NotFound(f"Nobody here is called {user}.", self._left_home(user))
        return found

    def carry_out(self, found: Departure, by: str, say: Callable[[str], None]) -> None:
        """Do it; what cannot be audited is not done.

        Args:
            found: What `look` said.
            by: Who asks, for the audit log.
            say: Told what is under way.

        Raises:
            DS01Error: A step failed; doing it again does the rest.
        """
        self._record(found, by)
        try:
            for words, deed in self._deeds(found):
                say(words)
                deed()
        except DS01Error as exc:
            self._record(found, by, outcome="failed", reason=str(exc))
            raise

    def _hub_entry(self, user: str) -> HubEntry:
        if self._hub_people is None:
            return NOT_ASKED
        try:
            return self._hub_people.entry(user)
        except Unavailable as exc:
            return HubEntry(trouble=str(exc))

    def _left_home(self, user: str) -> str:
        home, is_there = self._accounts.home_of_new(user)
        if is_there:
            return f"{home} is there, though: see whose it is, and remove it by hand."
        return "ds01 admin user list shows everybody."

    def _deeds(self, found: Departure) -> Iterator[tuple[str, Callable[[], None]]]:
        """In this order: first nobody comes in any more, data at last."""
        user, account = found.user, found.account
        if account is not None and account.is_local and not account.is_closed:
            yield "closing the account", lambda: self._accounts.close(user)
        if found.groups:
            yield (
                "taking them out of the policy's groups",
                lambda: self._memberships.move(user, None),
            )
        if found.addresses:
            yield "forgetting their addresses", lambda: self._addresses.remove(user)
        yield "removing keys and places in the queue", lambda: self._forget(user)
        if found.containers:
            yield "stopping and removing containers", lambda: self._remove_containers(user)
        if found.hub.goes:
            yield from self._leaving_hub(user)
        if found.unix_groups:
            yield "taking them out of Unix groups", lambda: self._leave(user, found.unix_groups)
        if found.delete_data and account is not None and account.is_local:
            yield "removing the account and its home", lambda: self._accounts.remove(user)
        if found.going:
            yield "removing what they had in Docker", lambda: self._remove_things(found.going)
        if found.delete_data:
            yield "removing their containers' SSH host key", lambda: self._ssh_folder.forget(user)
            yield "forgetting how large their files were", lambda: self._forget_storage(user)

    def _forget(self, user: str) -> None:
        with self._ledger.transaction() as transaction:
            tickets = [each for each in transaction.tickets() if each.user == user]
            promised = [each.id for each in transaction.reservations() if each.user == user]
            transaction.remove_tickets([each.id for each in tickets])
            # A launch under way finds its promise gone, and undoes what it made.
            transaction.remove_reservations(promised)
            for ticket in tickets:
                self._write("gpu.unqueue", user, ticket.container_name)
            for key in transaction.ssh_keys(user):
                transaction.remove_ssh_key(user, key.id)
                self._write("ssh_key.remove", user, key.fingerprint)

    def _forget_storage(self, user: str) -> None:
        with self._ledger.transaction() as transaction:
            transaction.remove_storage([user])

    def _remove_containers(self, user: str) -> None:
        for _ in range(_ROUNDS):
            left = self._containers(user)
            if not left:
                return
            for container in left:
                self._remove_container(container)
        names = ", ".join(each.name for each in self._containers(user))
        if names:
            raise Conflict(f"New containers keep coming: {names}.", "Do this again in a moment.")

    def _remove_container(self, container: Container) -> None:
        if container.state.is_live and labels.origin_of(container.labels) is Interface.HUB:
            self._stop_in_hub(container)
        if labels.INSTANCE in container.labels:
            self._servers.stop(container.name, interface=INTERFACE)
            self._servers.discard(container.name, interface=INTERFACE)
            return
        self._engine.stop(container.id, Limits().policies.sigterm_grace)
        self._engine.remove(container.id)
        self._write("container.remove", labels.owner_of(container.labels) or "", container.name)

    def _stop_in_hub(self, container: Container) -> None:
        """Have the hub know that it is stopped; it finds out by itself where that fails."""
        if self._hub is None:
            return
        try:
            self._hub.stop(*labels.hub_server_of(container.labels))
        except DS01Error:
            return

    def _leaving_hub(self, user: str) -> Iterator[tuple[str, Callable[[], None]]]:
        """After their containers: the hub would stop servers itself, and not wait for the end."""
        yield "taking them out of the hub, with their tokens", lambda: self._leave_hub(user)
        if self._containers(user):  # by a token, until that moment
            yield "removing what began meanwhile", lambda: self._remove_late(user)

    def _leave_hub(self, user: str) -> None:
        if self._hub_people is not None:
            self._hub_people.remove_entry(user)
        self._mark.renew()

    def _remove_late(self, user: str) -> None:
        self._forget(user)
        self._remove_containers(user)

    def _leave(self, user: str, groups: Sequence[str]) -> None:
        for group in groups:
            self._accounts.leave(user, group)

    def _remove_things(self, things: Sequence[Thing]) -> None:
        in_use = []
        for thing in things:
            try:
                self._things.remove_thing(thing)
            except Conflict as exc:
                in_use.append(f"{thing.kind} {thing.name}: {exc.message}")
        if in_use:
            raise Conflict(f"Still in use: {'; '.join(in_use)}", "Do this again when it is not.")

    def _containers(self, user: str) -> tuple[Container, ...]:
        """Those of this installation, and older ones that none made."""
        return tuple(
            each
            for each in self._engine.containers()
            if labels.owner_of(each.labels) == user
            and each.labels.get(labels.INSTANCE, self._instance) == self._instance
        )

    def _record(self, found: Departure, by: str, *, outcome: str = "ok", reason: str = "") -> None:
        details: dict[str, object] = {
            "by": by,
            "delete_data": found.delete_data,
            "containers": [each.name for each in found.containers],
            "groups": sorted(found.groups or ()),
            "unix_groups": list(found.unix_groups),
            "hub": found.hub.goes,
            "removed": [f"{each.kind} {each.name}" for each in found.going],
        }
        if found.account is not None:
            details["uid"] = found.account.uid
        self._audit.write(
            "user.remove",
            user=found.user,
            resource=found.user,
            interface=INTERFACE,
            outcome=outcome,
            reason=reason,
            details=details,
        )

    def _write(self, action: str, user: str, resource: str) -> None:
        self._audit.write(
            action, user=user, resource=resource, interface=INTERFACE, reason="user.remove"
        )
