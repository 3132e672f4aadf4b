"""One line of the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. Tokens, passwords and keys never appear in it.

    Attributes:
        ts: When, timezone-aware.
        user: Whom it concerns; `None` for the platform itself.
        action: Dotted verb, such as `container.create` or `gpu.reject`.
        resource: What it was done to: container name, slot ids, file.
        actor: Who or which service did it.
        interface: The door, or the service's name.
        outcome: `ok`, `refused` or `failed`.
        reason: Why, in words; empty when it goes without saying.
        details: Further figures; JSON values only.
    """

    ts: datetime
    user: str | None
    action: str
    resource: str
    actor: str
    interface: str
    outcome: str = "ok"
    reason: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
