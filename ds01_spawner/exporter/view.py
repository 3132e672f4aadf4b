"""What several parts need to know: who has which slot, and who is in which group. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.gpu import Inventory, slots_of
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.occupancy import (
    Occupancy,
    SlotIndex,
    SlotState,
    SlotUse,
    Snapshot,
    occupancy,
)
from ds01_spawner.exporter.facts import Facts
from ds01_spawner.operations.allocation.work_time import holds
from ds01_spawner.policy.resolution import Policy

NONE = "none"
"""The group of people whom the policy names nowhere; the interface of what came through none."""

_MOST_KNOWN = 10_000

_SURE = frozenset({SlotState.ALLOCATED, SlotState.FOREIGN, SlotState.UNAVAILABLE})
"""What a slot is whatever the ledger has."""


class KnownLimits:
    """Limits that a policy gave. It never changes: an edit makes another one, and all is forgotten.

    For one scrape at a time.
    """

    def __init__(self) -> None:
        self._policy: Policy | None = None
        self._known: dict[tuple[str, tuple[str, ...]], Limits] = {}

    def of(self, policy: Policy, user: str, groups: tuple[str, ...]) -> Limits:
        """Somebody's limits under a policy."""
        if policy is not self._policy or len(self._known) > _MOST_KNOWN:
            self._policy, self._known = policy, {}
        key = user, groups
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = policy.limits(user, groups)
        return found


@dataclass
class View:
    """The facts, and what follows from them; worked out when it is first asked for.

    Attributes:
        facts: What was read.
        known: Remembers limits from scrape to scrape.
    """

    facts: Facts
    known: KnownLimits = field(default_factory=KnownLimits)

    @cached_property
    def by_name(self) -> Mapping[str, Container]:
        """Containers by the engine's name of them."""
        return {each.name: each for each in self.facts.containers or ()}

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Groups of people, as far as their containers and their places in the queue tell."""
        found: dict[str, tuple[str, ...]] = {}
        if self.facts.ledger is not None:
            found |= {each.user: each.groups for each in self.facts.ledger.tickets}
        for each in self.facts.containers or ():
            user, groups = labels.owner_of(each.labels), labels.groups_of(each.labels)
            if user is not None and (groups or user not in found):
                found[user] = groups
        return found

    @property
    def policy_groups(self) -> tuple[str, ...]:
        """The policy's groups."""
        read = self.facts.policy
        return read.policy.groups if read is not None and read.policy is not None else ()

    @cached_property
    def _limits(self) -> dict[str, Limits | None]:
        return {}

    def limits(self, user: str) -> Limits | None:
        """Somebody's limits; `None` without a policy."""
        known = self._limits
        if user not in known:
            read = self.facts.policy
            policy = read.policy if read is not None else None
            groups = self.groups.get(user, ())
            known[user] = self.known.of(policy, user, groups) if policy is not None else None
        return known[user]

    def group(self, user: str) -> str:
        """Somebody's group."""
        limits = self.limits(user)
        if limits is not None:
            return limits.group or NONE
        return next(iter(self.groups.get(user, ())), None) or NONE

    @cached_property
    def inventory(self) -> Inventory:
        """The GPUs; where they cannot be read, those that were there, all of them unavailable."""
        cards = self.facts.cards
        if cards is not None:
            return cards.inventory
        known = tuple(slots_of(self.facts.known_cards))
        return Inventory("", (), unavailable=known)

    @cached_property
    def index(self) -> SlotIndex:
        """The slots by what containers call them."""
        return SlotIndex(self.inventory)

    @cached_property
    def occupancy(self) -> Occupancy | None:
        """Who has what; `None` where the engine or the policy cannot be read.

        Without the ledger it has those slots only whose state does not hang on it.
        """
        facts = self.facts
        policy = facts.policy.policy if facts.policy is not None else None
        if facts.containers is None or policy is None:
            return None
        ledger = facts.ledger
        snapshot = Snapshot(
            taken_at=facts.now,
            inventory=self.inventory,
            activity=facts.cards.activity if facts.cards is not None else {},
            containers=tuple(facts.containers),
        )
        found = occupancy(
            snapshot,
            ledger.reservations if ledger is not None else (),
            holds(policy, ledger.stops if ledger is not None else (), facts.now),
            facts.now,
            facts.excluded_gpus,
        )
        if ledger is not None:
            return found
        return Occupancy(
            uses=tuple(use for use in found.uses if use.state in _SURE),
            containers=found.containers,
            conflicts=found.conflicts,
            excluded_gpus=found.excluded_gpus,
        )

    @cached_property
    def slots_of_users(self) -> Mapping[str, tuple[SlotUse, ...]]:
        """What each person has."""
        if self.occupancy is None:
            return {}
        found: dict[str, list[SlotUse]] = {}
        for use in self.occupancy.uses:
            if use.user is not None:
                found.setdefault(use.user, []).append(use)
        return {user: tuple(uses) for user, uses in found.items()}

    @cached_property
    def containers_of_users(self) -> Mapping[str, int]:
        """How many run, or are about to; without the occupancy, how many run."""
        if self.occupancy is not None:
            return Counter(user for user, _ in self.occupancy.containers)
        owners = (
            labels.owner_of(each.labels)
            for each in self.facts.containers or ()
            if each.state.is_live
        )
        return Counter(owner for owner in owners if owner is not None)

    @cached_property
    def users(self) -> tuple[str, ...]:
        """Everybody of whom anything is known: who has most slots first, then by name."""
        facts = self.facts
        found: set[str] = {*self.slots_of_users, *self.containers_of_users, *self.groups}
        found |= {each.user for each in facts.totals or () if each.user}
        if facts.work is not None:
            found |= set(facts.work.cpu_seconds)
        if facts.ledger is not None:
            found |= {each.user for each in facts.ledger.storage}
        return tuple(sorted(found, key=lambda user: (-self._held(user), user)))

    def _held(self, user: str) -> int:
        return len(self.slots_of_users.get(user, ()))


def summed(pairs: Iterable[tuple[tuple[str, ...], float]]) -> dict[tuple[str, ...], float]:
    """One figure for each key."""
    found: dict[tuple[str, ...], float] = {}
    for key, value in pairs:
        found[key] = found.get(key, 0.0) + value
    return found
