"""Where a limit of a container is set, in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from ds01_spawner.domain import labels
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.policy.wording import in_words, origin_in_words


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a limit says, and who set it where.

    Attributes:
        value: As the policy file would say it: `2h`.
        origin: `group student, resource-limits.yaml line 31`, or `built in`.
    """

    value: str
    origin: str


def provenance(policy: Policy, marks: Mapping[str, str], key: str) -> Provenance:
    """What the limit `key` says for a container with the labels `marks`, and where it is set.

    Args:
        policy: The policy in force.
        marks: The container's labels.
        key: Dotted key, such as `container_types.hub.idle_timeout` (see `Bound.key`).
    """
    user = labels.owner_of(marks) or ""
    resolved = policy.setting(user, labels.groups_of(marks), key)
    return Provenance(in_words(key, resolved.value), origin_in_words(resolved))
