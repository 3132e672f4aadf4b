"""Where a limit of a container is set, in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from ds01_spawner.domain import labels
from ds01_spawner.policy.resolution import Policy, ResolvedValue
from ds01_spawner.policy.wording import in_words


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
    resolved = policy.explain(user, labels.groups_of(marks)).limits.get(key)
    if resolved is None:
        return Provenance("", "")
    return Provenance(in_words(key, resolved.value), _origin(resolved))


def _origin(resolved: ResolvedValue) -> str:
    kind, _, group = resolved.origin.partition(":")
    who = {"user": "your own entry", "builtin": "built in"}.get(kind, kind)
    who = f"{kind} {group}" if group else who
    if resolved.source is None:
        return who
    path, _, line = resolved.source.rpartition(":")
    return f"{who}, {PurePath(path).name} line {line}"
