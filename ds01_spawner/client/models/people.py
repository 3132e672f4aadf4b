"""People: what they may use, what they were told, what happened, and how the platform is."""

from datetime import datetime
from typing import Any

from ds01_spawner.client.models.base import Fault, Role, Wire
from ds01_spawner.client.models.work import Container, Ticket, Usage


class LimitValue(Wire):
    """One limit, and where it is set."""

    value: int | float | bool | str | None
    """Seconds, bytes, a count, a share or a word; `null` is unlimited or never."""
    words: str
    """As the policy file would say it: `2h`, `32g`, `unlimited`."""
    origin: str
    """`user`, `group:NAME`, `defaults` or `builtin`."""
    source: str | None
    """`file:line`; `null` for what is built in."""


class Exempted(Wire):
    """An exemption from timeouts."""

    container: str | None
    """`null`: every container."""
    exempt_from: tuple[str, ...]
    until: datetime
    reason: str
    source: str


class PolicyExplanation(Wire):
    """What somebody may use, and what says so."""

    user: str
    group: str | None
    """The group that wins; `null` where the defaults alone apply."""
    groups: tuple[str, ...]
    reason: str = ""
    """Why they have limits of their own."""
    limits: dict[str, LimitValue]
    exemptions: tuple[Exempted, ...] = ()


class Notice(Wire):
    """Something that somebody was told once."""

    id: str
    user: str
    kind: str
    created_at: datetime
    title: str
    text: str
    name: str = ""
    """The container it is about, as its owner calls it; empty where it is about none."""
    rule: str = ""
    value: str = ""
    origin: str = ""
    deadline: datetime | None = None
    keep_until: datetime | None = None


class Notices(Wire):
    """One page of notices, the newest first."""

    notices: tuple[Notice, ...]
    next: str | None
    """Give it as `cursor` to get the next page; `null` at the end."""


class AuditEvent(Wire):
    """One line of the audit log."""

    ts: datetime
    user: str | None
    action: str
    resource: str
    actor: str
    interface: str
    outcome: str
    reason: str
    details: dict[str, Any]


class Events(Wire):
    """One page of the audit log, the newest first."""

    events: tuple[AuditEvent, ...]
    next: str | None
    """Give it as `cursor` to get the next page; `null` at the end. A page may be empty and yet not
    the last: so far was searched."""


class Me(Wire):
    """Who asks, what they may use, and what they have."""

    user: str
    role: Role
    interface: str
    """`socket` or `hub`."""
    explanation: PolicyExplanation | None
    """`null` for an administrator who is nobody's account, such as root."""
    usage: tuple[Usage, ...]
    containers: tuple[Container, ...]
    tickets: tuple[Ticket, ...]
    notices: tuple[Notice, ...]
    """Of the last week, the newest first, twenty at most."""
    notes: tuple[str, ...] = ()
    """Sentences on what could not be read."""
    hub_url: str | None = None
    """Where people reach the hub in a browser; `null` where the gateway is not told."""


class Changed(Wire):
    """One limit that an edit would change."""

    user: str | None
    """`null`: everybody who is not named anywhere."""
    key: str
    before: str
    after: str


class Preview(Wire):
    """What an edited policy file would do. Nothing has been written."""

    valid: bool
    faults: tuple[Fault, ...] = ()
    old_spellings: tuple[str, ...] = ()
    changes: tuple[Changed, ...] = ()
    people: int = 0
    """How many people were compared."""
    left_out: int = 0
    """Changes that are not listed because there are too many."""


class SshKey(Wire):
    """An OpenSSH public key."""

    id: str
    """Short, for addresses."""
    fingerprint: str
    """`SHA256:…`, as `ssh-keygen -l` shows it."""
    type: str
    bits: int | None
    """`null` where the type has one size only."""
    comment: str
    key: str
    """The line for `authorized_keys`, without options."""
    added_at: datetime


class SshKeys(Wire):
    """Somebody's keys, by the time they were added."""

    keys: tuple[SshKey, ...]


class Person(Wire):
    """Somebody the platform knows."""

    user: str
    group: str | None
    containers: int
    """How many exist, running or not."""
    running: int
    """How many run, or are about to start."""
    gpu_slots: int
    """How many they hold."""
    storage_bytes: int | None
    """As last measured; `null` where it never was."""
    storage_limit_bytes: int | None


class People(Wire):
    """One page of people, by name."""

    people: tuple[Person, ...]
    next: str | None
    """Give it as `cursor` to get the next page; `null` at the end."""


class Repaired(Wire):
    """One thing that a crash left behind."""

    what: str
    action: str
    """As the audit log calls it: `cleanup.orphan`, …"""
    reason: str


class Reconciliation(Wire):
    """What was repaired, or would be."""

    dry_run: bool
    repaired: tuple[Repaired, ...]
    notes: tuple[str, ...] = ()


class Part(Wire):
    """One part of the platform."""

    name: str
    ok: bool
    """Whether it works, if not as it should."""
    level: str = "ok"
    """ok, warn, fail."""
    detail: str = ""
    """What was found."""
    next_step: str = ""
    """What to do about it."""
    seconds: float = 0.0
    """How long the look took."""


class Health(Wire):
    """Whether every part answers."""

    taken_at: datetime
    """When it was asked for; all of it was found later."""
    ok: bool
    parts: tuple[Part, ...]
