"""What the policy says about somebody, and what an edited one would."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ds01_spawner.adapters.policy_files import POLICY_FILE, read_policy
from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.client.problems import faults_of
from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels, names
from ds01_spawner.domain.errors import Forbidden, PolicyError, Unavailable
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.requester import subject_of
from ds01_spawner.policy.resolution import Explanation, Policy
from ds01_spawner.policy.wording import explanation_to_json, for_people

MOST_CHANGES = 1000
_NOBODY = "nobody whom any file names"
"""Not a login name: it has spaces."""


class Policies:
    """Answers about limits."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"explainPolicy": self.explain, "previewPolicy": self.preview}

    async def explain(self, ask: Ask) -> m.PolicyExplanation:
        """Limits, and what says so."""
        requester = ask.requester
        user = subject_of(requester, ask.asked(m.OwnerQuery).user, Role.MANAGER)
        groups = requester.hub_groups if user == requester.user else ()
        return await ask.run(self._api, lambda platform: explained(platform, user, groups))

    async def preview(self, ask: Ask) -> m.Preview:
        """Who an edited file would change, and how; nothing is written."""
        text = ask.sent(m.PreviewRequest).text
        return await ask.run(self._api, lambda platform: _preview(platform, text))


def explained(platform: Platform, user: str, hub_groups: Iterable[str] = ()) -> m.PolicyExplanation:
    """What somebody may use, and what says so.

    Raises:
        InvalidRequest: The name cannot be a person's.
        Forbidden: It is a system account's.
        Unavailable: There is no valid policy, or accounts cannot be looked up.
    """
    return explanation_of(platform, user, hub_groups, groups_of(platform, user))


def groups_of(platform: Platform, user: str) -> tuple[str, ...]:
    """The Unix groups of somebody whom the policy has limits for.

    Raises:
        InvalidRequest: The name cannot be a person's.
        Forbidden: It is a system account's.
        Unavailable: Accounts cannot be looked up.
    """
    account = platform.accounts.lookup(names.check_user(user))
    return account.groups if account else ()


def explanation_of(
    platform: Platform, user: str, hub_groups: Iterable[str], groups: tuple[str, ...]
) -> m.PolicyExplanation:
    """The same for somebody whose Unix groups are known already."""
    return _explanation(platform.policy.current().explain(user, tuple(hub_groups), groups))


def _explanation(found: Explanation) -> m.PolicyExplanation:
    facts = explanation_to_json(found)
    limits = {
        key: m.LimitValue(
            value=_plain(facts, key),
            words=for_people(key, resolved.value),
            origin=resolved.origin,
            source=resolved.source,
        )
        for key, resolved in found.limits.items()
    }
    exemptions = facts.get("exemptions") or ()
    assert isinstance(exemptions, list | tuple)  # noqa: S101 - narrows the type
    return m.PolicyExplanation(
        user=found.user,
        group=found.group,
        groups=tuple(each.group for each in found.memberships),
        reason=found.reason,
        limits=limits,
        exemptions=tuple(m.Exempted.model_validate(each) for each in exemptions),
    )


def _plain(facts: Mapping[str, object], key: str) -> float | bool | str | None:
    limits = facts["limits"]
    assert isinstance(limits, dict)  # noqa: S101 - narrows the type
    value: float | bool | str | None = limits[key]["value"]
    return value


def _preview(platform: Platform, text: str) -> m.Preview:
    files = read_policy(platform.directories.config / POLICY_FILE)
    try:
        edited = replace(files, text=text).load()
    except PolicyError as exc:
        return m.Preview(valid=False, faults=faults_of(exc))
    try:
        present: Policy | None = files.load().policy
    except PolicyError:
        present = None
    people = _people(platform, edited.policy, present)
    changes = [
        each
        for user in people
        for each in _changes(user, _unix_groups(platform, user), present, edited.policy)
    ]
    return m.Preview(
        valid=True,
        old_spellings=tuple(map(str, edited.old_spellings)),
        changes=tuple(changes[:MOST_CHANGES]),
        people=len(people),
        left_out=max(0, len(changes) - MOST_CHANGES),
    )


def _people(platform: Platform, edited: Policy, present: Policy | None) -> tuple[str | None, ...]:
    """Everybody whom the files name or who has a container, and last whoever else there is."""
    named = {*edited.users, *(present.users if present else ())}
    try:
        containers = platform.engine.containers()
    except Unavailable:
        containers = ()
    owners = {owner for each in containers if (owner := labels.owner_of(each.labels))}
    return (*sorted(named | owners), None)


def _unix_groups(platform: Platform, user: str | None) -> tuple[str, ...]:
    if user is None:
        return ()
    try:
        account = platform.accounts.lookup(user)
    except (Forbidden, Unavailable):
        return ()
    return account.groups if account else ()


def _changes(
    user: str | None, groups: tuple[str, ...], present: Policy | None, edited: Policy
) -> Iterable[m.Changed]:
    """What is not as before. With no policy in force there is nothing to compare with."""
    if present is None:
        return
    before = present.explain(user or _NOBODY, (), groups)
    after = edited.explain(user or _NOBODY, (), groups)
    if before.group != after.group:
        yield m.Changed(
            user=user, key="group", before=before.group or "none", after=after.group or "none"
        )
    for key in dict.fromkeys([*before.limits, *after.limits]):
        old, new = _words(before, key), _words(after, key)
        if old != new:
            yield m.Changed(user=user, key=key, before=old, after=new)


def _words(explanation: Explanation, key: str) -> str:
    """A limit in words; one that is set for one origin only is as the person's own elsewhere."""
    found = explanation.limits.get(key) or explanation.limits.get(key.rpartition(".")[2])
    return "unset" if found is None else for_people(key, found.value)
