"""A policy in memory."""

from ds01_spawner.domain.errors import SettingsFault
from ds01_spawner.policy.exemptions import ExemptionsFile
from ds01_spawner.policy.loading import load_policy
from ds01_spawner.policy.resolution import Policy


class FakePolicy:
    """The `PolicySource` port, on the text of a policy file and of one of exemptions.

    Attributes:
        broken: When set, no valid policy has been read yet.
    """

    def __init__(self, text: str, exemptions: str = "") -> None:
        self.broken = False
        self._text = text
        self._exemptions = exemptions
        self._load()

    def edit(self, text: str) -> None:
        """Let the administrator save another file."""
        self._text = text
        self._load()

    def exempt(self, exemptions: str) -> None:
        """Let the administrator save another file of exemptions; empty: remove it."""
        self._exemptions = exemptions
        self._load()

    def current(self) -> Policy:
        if self.broken:
            raise SettingsFault("There is no valid policy yet.")
        return self._policy

    def _load(self) -> None:
        file = ExemptionsFile("lifecycle-exemptions.yaml", self._exemptions)
        self._policy = load_policy(
            self._text, "resource-limits.yaml", (), file if self._exemptions else None
        ).policy
