"""What the service cannot read, written down when it begins and when it is over."""

from collections.abc import Mapping

from ds01_spawner.operations.audit.lines import Audit

SERVICE = "culler"
PASS = "pass"  # noqa: S105 - the key of passes that could not be made at all


class Troubles:
    """Says each trouble once. Remembers them as long as the process lives."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._said: dict[str, str] = {}

    def now(self, troubles: Mapping[str, str]) -> None:
        """A pass was made, and these are all the troubles that it had.

        Raises:
            Unavailable: It cannot be written down; what could be is not written again.
        """
        for key in sorted(troubles.keys() - self._said.keys()):
            self._begins(key, troubles[key])
        for key in sorted(self._said.keys() - troubles.keys()):
            self._write(key, "ok", "It works again.")
            del self._said[key]

    def failed(self, sentence: str) -> None:
        """A pass could not be made; of the other troubles nothing new is known.

        Raises:
            Unavailable: It cannot be written down.
        """
        if PASS not in self._said:
            self._begins(PASS, sentence)

    def _begins(self, key: str, sentence: str) -> None:
        self._write(key, "failed", sentence)
        self._said[key] = sentence

    def _write(self, key: str, outcome: str, reason: str) -> None:
        self._audit.write(
            "lifecycle.trouble",
            user=None,
            resource=key,
            interface=SERVICE,
            outcome=outcome,
            reason=reason,
        )
