"""Which events are wanted, and how one is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from ds01_spawner.domain.labels import parse_timestamp


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are wanted; `None` is all.

    Attributes:
        user: Whom they concern.
        action: Pattern of the action, such as `cleanup.*`.
        since: Not before this moment.
        until: Before this moment.
    """

    user: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, fields: Mapping[str, object]) -> bool:
        """Whether an event is one of them."""
        if self.user is not None and fields.get("user") != self.user:
            return False
        if self.action is not None and not fnmatchcase(str(fields.get("action")), self.action):
            return False
        if self.since is None and self.until is None:
            return True
        moment = parse_timestamp(str(fields.get("ts")))
        if moment is None:
            return False
        return not (
            (self.since is not None and moment < self.since)
            or (self.until is not None and moment >= self.until)
        )


def in_columns(fields: Mapping[str, object]) -> str:
    """An event as people read it."""
    moment = parse_timestamp(str(fields.get("ts")))
    when = moment.strftime("%Y-%m-%d %H:%M:%SZ") if moment else "-"
    door, actor = fields.get("interface") or "-", fields.get("actor") or "-"
    through = actor if actor == door else f"{door} by {actor}"
    columns = [
        when,
        f"{fields.get('user') or '-'!s:<12}",
        f"{fields.get('action')!s:<18}",
        f"{fields.get('outcome')!s:<8}",
        f"{fields.get('resource') or '-'}",
        f"({through})",
        f"{fields.get('reason') or ''}",
    ]
    return _printable("  ".join(columns)).rstrip()


def _printable(text: str) -> str:
    """Without control characters: part of it was typed by people."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
