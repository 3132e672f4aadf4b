"""In which group somebody is who has no container and no place in the queue to tell it.

Nobody's accounts are looked up for a scrape: a directory may take seconds for each of hundreds.
"""

from collections.abc import Collection, Iterable, Mapping

from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.usage_totals import UsageTotal
from ds01_spawner.policy.resolution import MemberSource, Policy

_MOST_KNOWN = 10_000


class KnownLimits:
    """What a policy said of people. It never changes: an edit makes another, and all is forgotten.

    For one scrape at a time.

    Attributes:
        groups: In which people were when a container or a place in the queue last told.
    """

    def __init__(self) -> None:
        self.groups: dict[str, tuple[str, ...]] = {}
        self._policy: Policy | None = None
        self._known: dict[tuple[str, tuple[str, ...]], Limits] = {}
        self._listed: dict[str, tuple[str, ...]] = {}

    def of(self, policy: Policy, user: str, groups: tuple[str, ...]) -> Limits:
        """Somebody's limits under a policy."""
        self._follow(policy)
        key = user, groups
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = policy.limits(user, groups)
        return found

    def listed(self, policy: Policy, user: str) -> tuple[str, ...]:
        """The groups in which a policy itself names somebody."""
        self._follow(policy)
        found = self._listed.get(user)
        if found is None:
            found = self._listed[user] = listed_groups(policy, user)
        return found

    def _follow(self, policy: Policy) -> None:
        most = max(len(self._known), len(self._listed))
        if policy is not self._policy or most > _MOST_KNOWN:
            self._policy, self._known, self._listed = policy, {}, {}

    def remember(self, groups: Mapping[str, tuple[str, ...]]) -> None:
        """In which groups people are, as is told now."""
        if len(self.groups) > _MOST_KNOWN:
            self.groups = {}
        self.groups.update(groups)


def listed_groups(policy: Policy, user: str) -> tuple[str, ...]:
    """The groups in which the policy itself names somebody."""
    default = MemberSource.DEFAULT
    return tuple(each.group for each in policy.memberships(user) if each.source is not default)


def groups_without_container(
    policy: Policy, listed: Collection[str], last: Iterable[str]
) -> tuple[str, ...] | None:
    """What `Policy.limits` takes for somebody; `None` where that would be a guess.

    The default group is for who is in no other, which only their account and the hub can say.

    Args:
        policy: In force.
        listed: Groups in which it names them.
        last: Groups that they were in when that was last seen.
    """
    if not policy.groups:
        return ()
    known = tuple(each for each in last if each in policy.groups)
    if listed:
        return () if set(known) <= set(listed) else None
    return known or None


def last_groups(totals: Iterable[UsageTotal]) -> Mapping[str, str]:
    """The group of everybody who was in one alone when they used a GPU."""
    found: dict[str, set[str]] = {}
    for each in totals:
        if each.user and each.group:
            found.setdefault(each.user, set()).add(each.group)
    return {user: groups.pop() for user, groups in found.items() if len(groups) == 1}
