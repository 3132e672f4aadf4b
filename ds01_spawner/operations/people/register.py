"""Everybody whom the platform knows, and what it knows of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ds01_spawner.domain import labels
from ds01_spawner.domain.people import AccountEntry
from ds01_spawner.policy.resolution import Membership, Policy
from ds01_spawner.ports import Engine, Ledger, PolicySource
from ds01_spawner.ports.people import AccountKeeper


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """Somebody.

    Attributes:
        name: As accounts, policy and hub have it.
        account: Their Unix account; `None` where the hub or the policy alone knows them.
        membership: Their group, and what says so; `None` where only the defaults apply.
        containers: How many they have.
        running: How many of those run.
        storage_bytes: What their files took when last measured, or `None`.
        storage_limit_bytes: What they may take, or `None`.
    """

    name: str
    account: AccountEntry | None
    membership: Membership | None
    containers: int = 0
    running: int = 0
    storage_bytes: int | None = None
    storage_limit_bytes: int | None = None

    @property
    def group(self) -> str | None:
        """Their group in the policy."""
        return None if self.membership is None else self.membership.group


@dataclass(frozen=True, slots=True)
class _Counts:
    """Containers by owner."""

    every: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)


class Register:
    """Lists people."""

    def __init__(
        self,
        *,
        accounts: AccountKeeper,
        policy: PolicySource,
        engine: Engine,
        ledger: Ledger,
        instance: str,
    ) -> None:
        self._accounts = accounts
        self._policy = policy
        self._engine = engine
        self._ledger = ledger
        self._instance = instance

    def everybody(self, group: str | None = None) -> Sequence[KnownPerson]:
        """Everybody, or those of one group, by name.

        The hub's groups are not known here.

        Raises:
            Unavailable: Accounts, engine, policy or ledger cannot be read.
        """
        policy = self._policy.current()
        counts = self._counts()
        with self._ledger.transaction() as transaction:
            sizes = {each.user: each.size_bytes for each in transaction.storage()}
            waiting = {each.user for each in transaction.tickets()}
        accounts = {each.name: each for each in self._accounts.every()}
        names = {*accounts, *policy.users, *counts.every, *sizes, *waiting}
        found = (
            self._person(name, accounts.get(name), policy, counts, sizes.get(name))
            for name in sorted(names)
        )
        return tuple(each for each in found if group is None or each.group == group)

    @staticmethod
    def _person(
        name: str,
        account: AccountEntry | None,
        policy: Policy,
        counts: _Counts,
        size_bytes: int | None,
    ) -> KnownPerson:
        groups = () if account is None else account.groups
        memberships = policy.memberships(name, (), groups)
        return KnownPerson(
            name=name,
            account=account,
            membership=memberships[0] if memberships else None,
            containers=counts.every[name],
            running=counts.running[name],
            storage_bytes=size_bytes,
            storage_limit_bytes=policy.limits(name, (), groups).storage_bytes,
        )

    def _counts(self) -> _Counts:
        counts = _Counts()
        for container in self._engine.containers():
            owner = labels.owner_of(container.labels)
            # Older ones name no installation.
            ours = container.labels.get(labels.INSTANCE, self._instance) == self._instance
            if owner is not None and ours:
                counts.every[owner] += 1
                counts.running[owner] += container.state.is_live
        return counts
