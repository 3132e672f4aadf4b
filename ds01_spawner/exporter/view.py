"""What several parts need to know: who has which slot, and who is in which group. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.gpu import UNKNOWN_PROFILE, Inventory, Slot, slots_of
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.monitors import counted
from ds01_spawner.domain.occupancy import (
    Occupancy,
    SlotIndex,
    SlotState,
    SlotUse,
    Snapshot,
    occupancy,
)
from ds01_spawner.domain.unmanaged import UnmanagedPolicy
from ds01_spawner.domain.usage_unmanaged import NOBODY
from ds01_spawner.exporter.facts import Facts
from ds01_spawner.exporter.membership import (
    KnownLimits,
    groups_without_container,
    last_groups,
)
from ds01_spawner.exporter.words import OTHER, group_label, user_label
from ds01_spawner.operations.allocation.work_time import holds
from ds01_spawner.policy.resolution import Policy

_SHORT_UUID = 12

_SURE = frozenset({SlotState.ALLOCATED, SlotState.FOREIGN, SlotState.UNAVAILABLE})
"""What a slot is whatever the ledger has."""


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
    def containers(self) -> tuple[Container, ...]:
        """This installation's, and those of none; none where the engine cannot be read."""
        elsewhere = self.facts.elsewhere
        return tuple(each for each in self.facts.containers or () if each.id not in elsewhere)

    @cached_property
    def by_name(self) -> Mapping[str, Container]:
        """Containers by the engine's name of them."""
        return {each.name: each for each in self.containers}

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Groups of people, as far as their containers and their places in the queue tell."""
        found: dict[str, tuple[str, ...]] = {}
        if self.facts.ledger is not None:
            found |= {each.user: each.groups for each in self.facts.ledger.tickets}
        for each in self.containers:
            user, groups = labels.owner_of(each.labels), labels.groups_of(each.labels)
            if user is None or not (groups or each.labels.get(labels.MANAGED) == "true"):
                continue  # what the platform did not make says nothing of groups
            if groups or user not in found:
                found[user] = groups
        self.known.remember(found)
        return found

    @cached_property
    def _last_groups(self) -> Mapping[str, str]:
        return last_groups(self.facts.totals or ())

    def _last(self, user: str) -> tuple[str, ...]:
        """In which groups somebody was who has no container, when that was last seen."""
        remembered = self.known.groups.get(user)
        if remembered is not None:
            return remembered
        last = self._last_groups.get(user)
        return () if last is None else (last,)

    @property
    def policy_groups(self) -> tuple[str, ...]:
        """The policy's groups, as they are labelled."""
        policy = self._policy
        return tuple(map(group_label, policy.groups)) if policy is not None else ()

    @cached_property
    def _limits(self) -> dict[str, Limits | None]:
        return {}

    def limits(self, user: str) -> Limits | None:
        """Somebody's limits; `None` without a policy, and where their group is not known."""
        known = self._limits
        if user not in known:
            known[user] = self._limits_of(user)
        return known[user]

    def _limits_of(self, user: str) -> Limits | None:
        policy = self._policy
        if policy is None:
            return None
        groups = self.groups.get(user)
        if groups is None:
            listed = self.known.listed(policy, user)
            groups = groups_without_container(policy, listed, self._last(user))
        return None if groups is None else self.known.of(policy, user, groups)

    @cached_property
    def _who(self) -> dict[str, tuple[str, str]]:
        return {}

    def who(self, user: str) -> tuple[str, str]:
        """Somebody and their group, as they are labelled."""
        known = self._who.get(user)
        if known is None:
            known = self._who[user] = user_label(user), group_label(self._group(user))
        return known

    def _group(self, user: str) -> str:
        """Somebody's group; where it is not known the last one, or an empty one."""
        limits = self.limits(user)
        if limits is not None:
            return limits.group or ""
        policy = self._policy
        listed = self.known.listed(policy, user) if policy is not None else ()
        return next(iter((*self.groups.get(user, ()), *listed, *self._last(user))), "")

    @property
    def _policy(self) -> Policy | None:
        return self.facts.policy.policy if self.facts.policy is not None else None

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
    def snapshot(self) -> Snapshot:
        """What decisions about slots count: every container, as `domain.monitors` takes it."""
        facts = self.facts
        computing: dict[str, frozenset[str]] = {}
        for each in facts.picture.processes if facts.picture is not None else ():
            if each.process.computes and each.owner.container_id is not None:
                uuid = each.process.uuid
                computing[uuid] = computing.get(uuid, frozenset()) | {each.owner.container_id}
        snapshot = Snapshot(
            taken_at=facts.now,
            inventory=self.inventory,
            activity=facts.cards.activity if facts.cards is not None else {},
            containers=tuple(facts.containers or ()),
            computing=computing,
            elsewhere=facts.elsewhere.keys(),
        )
        return counted(snapshot, self.unmanaged.spare)

    @cached_property
    def unmanaged(self) -> UnmanagedPolicy:
        """What is done about work past the platform; without a policy nothing is spared."""
        return self._policy.unmanaged if self._policy is not None else UnmanagedPolicy()

    @cached_property
    def occupancy(self) -> Occupancy | None:
        """Who has what; `None` where the engine or the policy cannot be read.

        Without the ledger it has those slots only whose state does not hang on it. What another
        installation has is taken, and nobody's here: `is_elsewhere` tells.
        """
        found = self._occupancy
        elsewhere = self.facts.elsewhere
        if found is None or not elsewhere:
            return found
        names = set(elsewhere.values())
        return replace(
            found,
            uses=tuple(
                replace(use, user=None, container=None, since=None)
                if use.container in names
                else use
                for use in found.uses
            ),
            containers=tuple(each for each in found.containers if each[1] not in names),
        )

    @cached_property
    def _taken_elsewhere(self) -> frozenset[str]:
        names = set(self.facts.elsewhere.values())
        uses = self._occupancy.uses if self._occupancy is not None else ()
        return frozenset(use.slot.uuid for use in uses if use.container in names)

    def is_elsewhere(self, use: SlotUse) -> bool:
        """Whether another installation on this engine has a slot."""
        return use.slot.uuid in self._taken_elsewhere

    def holder(self, use: SlotUse) -> tuple[str, str] | None:
        """Who has a slot, and their group, as labelled; `None` of one that is nobody's."""
        if self.is_elsewhere(use):
            return OTHER, OTHER
        return None if use.user is None else self.who(use.user)

    @cached_property
    def _occupancy(self) -> Occupancy | None:
        facts = self.facts
        policy = self._policy
        if facts.containers is None or policy is None:
            return None
        ledger = facts.ledger
        found = occupancy(
            self.snapshot,
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
    def slot_names(self) -> Mapping[str, str]:
        """What slots are called that the driver lists no more and somebody has, by UUID.

        Their number, unless that is another's by now.
        """
        uses = self.occupancy.uses if self.occupancy is not None else ()
        gone = [use.slot for use in uses if use.slot.profile == UNKNOWN_PROFILE]
        numbers = Counter(slot.id for slot in gone)
        numbers.update(slot.id for slot in self.inventory.slots)
        return {
            slot.uuid: slot.id if numbers[slot.id] == 1 else f"{slot.id} {slot.uuid[:_SHORT_UUID]}"
            for slot in gone
        }

    def slot_name(self, slot: Slot) -> str:
        """What a slot is called here: its number."""
        return self.slot_names.get(slot.uuid, slot.id)

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
        owners = (labels.owner_of(each.labels) for each in self.containers if each.state.is_live)
        return Counter(owner for owner in owners if owner is not None)

    @cached_property
    def users(self) -> tuple[str, ...]:
        """Everybody of whom anything is known: who has most slots first, then by name."""
        facts = self.facts
        found: set[str] = {*self.slots_of_users, *self.containers_of_users, *self.groups}
        found |= {each.user for each in facts.totals or ()} - {"", NOBODY}
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
