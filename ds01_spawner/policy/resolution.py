"""One person's limits, resolved from a valid policy, each value with its origin."""

from collections.abc import Sequence
from typing import Protocol

from ds01_spawner.domain.limits import Limits


class Policy(Protocol):
    """Placeholder until the model exists."""

    def limits(
        self, user: str, hub_groups: Sequence[str] = (), unix_groups: Sequence[str] = ()
    ) -> Limits:
        """Resolved limits."""
        ...
