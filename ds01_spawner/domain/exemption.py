"""People and containers that a lifecycle limit does not stop for a while. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ds01_spawner.domain.work import Rule


@dataclass(frozen=True, slots=True)
class Exemption:
    """One entry of `lifecycle-exemptions.yaml`.

    Attributes:
        user: Whom it is for.
        container: What they call the container; `None` is all of theirs.
        rules: The limits that do not stop it.
        until: From this moment on they do again.
        reason: Why, as the administrator wrote.
        source: `file:line`.
    """

    user: str
    container: str | None
    rules: frozenset[Rule]
    until: datetime
    reason: str
    source: str


def exempted(
    exemptions: Iterable[Exemption], user: str, container: str, rule: Rule, now: datetime
) -> Exemption | None:
    """The exemption that lasts longest among those in force for a container."""
    found = [
        each
        for each in exemptions
        if each.user == user
        and each.container in {None, container}
        and rule in each.rules
        and each.until > now
    ]
    return max(found, key=lambda each: each.until, default=None)
