"""Where a limit of a container is set, in words. Pure."""

from collections.abc import Mapping

from ds01_spawner.domain import labels
from ds01_spawner.domain.notice_text import Limit
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.policy.wording import in_words, origin_in_words


def provenance(policy: Policy, marks: Mapping[str, str], key: str) -> Limit:
    """What the limit `key` says for a container with the labels `marks`, and where it is set.

    Args:
        policy: The policy in force.
        marks: The container's labels.
        key: Dotted key, such as `container_types.hub.idle_timeout` (see `Bound.key`).
    """
    user = labels.owner_of(marks) or ""
    resolved = policy.setting(user, labels.groups_of(marks), key)
    return Limit(key, in_words(key, resolved.value), origin_in_words(resolved, user))
