"""A policy in memory."""

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.policy.loading import load_policy
from ds01_spawner.policy.resolution import Policy


class FakePolicy:
    """The `PolicySource` port, on the text of a policy file.

    Attributes:
        broken: When set, no valid policy has been read yet.
    """

    def __init__(self, text: str) -> None:
        self.broken = False
        self.edit(text)

    def edit(self, text: str) -> None:
        """Let the administrator save another file."""
        self._policy = load_policy(text, "resource-limits.yaml").policy

    def current(self) -> Policy:
        if self.broken:
            raise Unavailable("There is no valid policy yet.")
        return self._policy
