"""Access to the GPUs outside of containers, for one person and for a time. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.notice_text import Limit, Moment
from ds01_spawner.domain.wording import clean, length, span
from ds01_spawner.domain.work import PassMark

LONGEST = timedelta(hours=24)
"""Where the policy says nothing."""

LAST_CALL = timedelta(minutes=30)
_LAST_CALL_SHARE = 0.2
_ID_LENGTH = 32
_LONG = 200


@dataclass(frozen=True, slots=True)
class BareMetalPolicy:
    """Who may be granted access, and for how long.

    Attributes:
        max_duration: No grant is longer.
        groups: Groups of the policy whose members may be granted it; `None`: everybody.
    """

    max_duration: timedelta = LONGEST
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class BareMetalGrant:
    """Somebody may use the GPUs outside of containers.

    Attributes:
        user: Login name.
        uid: Their user id when it was granted: what the nodes know.
        reason: Why, as the administrator said.
        granted_by: Who granted it.
        granted_at: When.
        until: Its end.
        boot_id: The boot in which it was granted.
        uptime_seconds: When, on the clock that never jumps.
        warned_at: When the person was told that it ends soon; `None` until then.
        revoked_at: When somebody took it back; `None` unless somebody did.
        revoked_by: Who.
    """

    user: str
    uid: int
    reason: str
    granted_by: str
    granted_at: datetime
    until: datetime
    boot_id: str
    uptime_seconds: float
    warned_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str = ""

    @property
    def duration(self) -> timedelta:
        """How long it was granted for."""
        return self.until - self.granted_at

    def is_over(self, now: PassMark) -> bool:
        """Whether it has ended, by either clock: to set one of them makes no grant longer.

        After a boot only the wall clock is left. One that is before the grant is wrong, and what
        cannot be told has ended.
        """
        if self.revoked_at is not None or now.wall >= self.until:
            return True
        if now.boot_id != self.boot_id:
            return now.wall < self.granted_at
        return now.uptime_seconds - self.uptime_seconds >= self.duration.total_seconds()

    def is_warning_due(self, now: PassMark) -> bool:
        """Whether the person is to be told that it ends soon."""
        if self.warned_at is not None:
            return False
        return now.wall >= self.until - min(LAST_CALL, self.duration * _LAST_CALL_SHARE)


@dataclass(frozen=True, slots=True)
class NodeHolder:
    """A process outside of containers that has a GPU node open.

    Attributes:
        pid: Its id.
        name: Short name of its program, or empty.
        nodes: Which nodes.
    """

    pid: int
    name: str
    nodes: tuple[str, ...]


def granted(grant: BareMetalGrant, moment: Moment) -> Notice:
    """The notice that somebody was granted access."""
    title = f"You may use the GPUs outside of containers until {moment.clock(grant.until)}."
    text = (
        f"Granted by {clean(grant.granted_by)} for {length(grant.duration)}: "
        f"{clean(grant.reason, _LONG)}.\n\n"
        "What you start there is on the GPUs beside other people's work: look first with "
        "ds01 gpu status. You are told before it ends; what still runs then is not ended by that, "
        "and counts as past the platform."
    )
    return _notice(grant, NoticeKind.FIRST_WARNING, title, text, moment, grant.until)


def ending(grant: BareMetalGrant, moment: Moment) -> Notice:
    """The notice that it ends soon."""
    title = f"Your access to the GPUs outside of containers ends at {moment.clock(grant.until)}."
    text = (
        f"That is in {span(grant.until - moment.now)}. Save your work and end your programs. "
        "For more time ask whoever granted it; in a container you need no grant: "
        "ds01 container deploy."
    )
    return _notice(grant, NoticeKind.FINAL_WARNING, title, text, moment, grant.until)


def ended(
    grant: BareMetalGrant, holders: tuple[NodeHolder, ...], stop: Limit | None, moment: Moment
) -> Notice:
    """The notice that it has ended.

    Args:
        grant: Which.
        holders: Their processes that still have a GPU open.
        stop: What the policy says of processes outside of containers, where it stops them.
        moment: When the person is told.
    """
    who = f" {clean(grant.revoked_by)} took it back." if grant.revoked_at is not None else ""
    title = "Your access to the GPUs outside of containers has ended."
    text = f"Nothing new gets a GPU there.{who}"
    if holders:
        listed = ", ".join(f"{each.pid} ({clean(each.name or '?')})" for each in holders)
        text += f"\n\nThese processes of yours still have a GPU open: {listed}. End them"
        text += " now: they are stopped otherwise." if stop else " now: others wait for that GPU."
        text += f"\n\n{stop}" if stop else ""
    return _notice(grant, NoticeKind.STOPPED, title, text, moment, None)


def _notice(  # noqa: PLR0913, PLR0917 - the parts of one notice
    grant: BareMetalGrant,
    kind: NoticeKind,
    title: str,
    text: str,
    moment: Moment,
    deadline: datetime | None,
) -> Notice:
    facts = (grant.user, "bare_metal", kind.value, format_timestamp(grant.granted_at))
    return Notice(
        id=hashlib.sha256("\0".join(facts).encode(errors="replace")).hexdigest()[:_ID_LENGTH],
        user=grant.user,
        kind=kind,
        created_at=moment.now,
        title=title,
        text=text,
        rule="bare_metal",
        value=length(grant.duration),
        origin=f"granted by {clean(grant.granted_by)}",
        deadline=deadline,
    )
