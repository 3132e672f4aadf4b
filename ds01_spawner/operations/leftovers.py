"""What containers leave behind outside the engine: empty cgroups, and servers in the hub's mind."""

from collections.abc import Mapping

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import cgroup_slugs
from ds01_spawner.operations.audit import Audit
from ds01_spawner.ports import Cgroups, HubClient, HubServer, Ledger

SERVICE = "culler"


class Leftovers:
    """Clears away what two passes in a row found left; remembers what the last pass saw."""

    def __init__(
        self,
        *,
        cgroups: Cgroups,
        ledger: Ledger,
        hub: HubClient | None,
        audit: Audit,
        instance: str,
    ) -> None:
        self._cgroups = cgroups
        self._ledger = ledger
        self._hub = hub
        self._audit = audit
        self._instance = instance
        self._empty: frozenset[tuple[str, str]] = frozenset()
        self._had_containers: set[tuple[str, str]] = set()
        self._gone: frozenset[tuple[str, str]] = frozenset()

    def tidy(
        self,
        containers: tuple[Container, ...],
        servers: Mapping[tuple[str, str], HubServer],
        notes: list[str],
    ) -> None:
        """One pass. What does not work is said in `notes` and tried again in the next."""
        try:
            self._tidy_cgroups(containers)
            self._tidy_hub(containers, servers)
        except DS01Error as exc:
            notes.append(str(exc))

    def _tidy_cgroups(self, containers: tuple[Container, ...]) -> None:
        """Remove cgroups of people who have no container and are about to have none."""
        owners = {
            owner for each in containers if (owner := labels.owner_of(each.labels)) is not None
        }
        used = {cgroup_slugs(None, owner)[1] for owner in owners}
        empty = frozenset(each for each in self._cgroups.people() if each[1] not in used)
        for group, person in sorted(empty & self._empty):
            # Nobody is granted anything meanwhile, and a launch under way has its reservation.
            with self._ledger.transaction() as transaction:
                promised = {
                    cgroup_slugs(None, entry.user)[1] for entry in transaction.reservations()
                }
                if person in promised or not self._cgroups.remove(group, person):
                    continue
            self._audit.write(
                "cleanup.cgroup",
                user=None,
                resource=f"{group}/{person}",
                interface=SERVICE,
                reason="Nothing of this person runs.",
            )
        self._empty = empty

    def _tidy_hub(
        self,
        containers: tuple[Container, ...],
        servers: Mapping[tuple[str, str], HubServer],
    ) -> None:
        """Tell the hub of servers whose container is gone.

        Only of those that this process has seen a container of: another spawner's are not ours.
        """
        present = {
            labels.hub_server_of(each.labels)
            for each in containers
            if each.labels.get(labels.INTERFACE) == Interface.HUB
            and each.labels.get(labels.INSTANCE) == self._instance
        }
        gone = frozenset(
            key
            for key, server in servers.items()
            if server.ready and key in self._had_containers and key not in present
        )
        self._had_containers = {*present, *gone}
        for user, name in sorted(gone & self._gone):
            if self._hub is None:
                continue
            self._hub.stop(user, name)
            self._audit.write(
                "cleanup.orphan",
                user=user,
                resource=name or "the default server",
                interface=SERVICE,
                reason="The hub had this server, and its container is gone.",
            )
        self._gone = gone
