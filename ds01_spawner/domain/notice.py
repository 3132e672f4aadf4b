"""What people are told about their containers. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NoticeKind(StrEnum):
    """What a notice is about."""

    FIRST_WARNING = "warning"
    FINAL_WARNING = "final_warning"
    STOPPED = "stopped"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that one person is told once.

    Attributes:
        id: Opaque; the same on every channel.
        user: Whom it is for.
        kind: What it is about.
        created_at: When it was decided.
        title: One line of plain words.
        text: What happens, when, why, by which rule and what to do; several lines.
        container_id: Engine id, or empty where it is about no container.
        container_name: Engine name, or empty.
        name: What the person calls the container, or empty.
        rule: Key of the limit, such as `idle_timeout`.
        value: What it says, such as `2h`.
        origin: Where it is set, such as `group student, resource-limits.yaml line 31`.
        deadline: When the stop comes at the earliest; `None` where none is announced.
        keep_until: Until when the person may have it kept running; `None` where they may not.
    """

    id: str
    user: str
    kind: NoticeKind
    created_at: datetime
    title: str
    text: str
    container_id: str = ""
    container_name: str = ""
    name: str = ""
    rule: str = ""
    value: str = ""
    origin: str = ""
    deadline: datetime | None = None
    keep_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice on its way through one channel.

    Attributes:
        notice_id: Which notice.
        channel: `terminal`, or the name of one in `notifications.yaml`.
        attempts: How often it was tried.
        due_at: When it is tried next.
        begun: Whether a try was begun whose end is not known: it is not tried again, because it
            may have arrived.
    """

    notice_id: str
    channel: str
    attempts: int
    due_at: datetime
    begun: bool = False
