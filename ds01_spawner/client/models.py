"""What goes over the wire of the API: shared by server and client.

Times are RFC 3339 in UTC, durations are seconds, sizes are bytes; `null` is unlimited, never, or
not known, as the field says.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

MOST_ON_A_PAGE = 200
USUAL_ON_A_PAGE = 50


def _flag(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value not in {"true", "false"}:
        raise ValueError("expected true or false")
    return value == "true"


def _count(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not (value.isascii() and value.isdecimal()) or len(value) > _LONGEST_COUNT:
        raise ValueError("expected a whole number")
    return int(value)


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _MOMENT.match(value):
        raise ValueError("expected a time such as 2026-01-31T12:00:00Z")
    return value


_LONGEST_COUNT = 9
_MOMENT = re.compile(
    r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)

Flag = Annotated[bool, BeforeValidator(_flag)]
Count = Annotated[int, BeforeValidator(_count)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
"""What a parameter says; written in one way only."""

UserName = Annotated[str, Field(min_length=1, max_length=255)]
PageSize = Annotated[Count, Field(ge=1, le=MOST_ON_A_PAGE)]
FileName = Annotated[str, Field(min_length=1, max_length=255)]
FileText = Annotated[str, Field(max_length=200_000)]
Cursor = Annotated[str, Field(max_length=500)]


class Wire(BaseModel):
    """Something that is sent; it never changes, and has nothing in it that is not named."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Role(StrEnum):
    """What somebody may do; each role may do what those before it may."""

    STUDENT = "student"
    MANAGER = "manager"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether who has this role may do what `other` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


class Fault(Wire):
    """One fault in a policy file."""

    path: str
    """The file, as it was named."""
    line: int | None = None
    key: str = ""
    """Dotted key, such as `groups.student.memory`; empty for the whole file."""
    message: str


class Problem(Wire):
    """Why something was not done (RFC 9457)."""

    type: str
    """`urn:ds01:problem:` and one of quota, capacity, forbidden, invalid, not-found, conflict,
    unavailable, policy, rate, unauthenticated, too-large, method, internal."""
    title: str
    status: int
    detail: str
    """What happened, and how much of what."""
    next_step: str = ""
    """What to do about it; empty when there is nothing."""
    request_id: str = ""
    """Names the request in the audit log, where it is `details.request_id`."""
    limit: str | None = None
    """The policy's key, where a limit is reached."""
    used: float | None = None
    asked: float | None = None
    allowed: float | None = None
    holders: tuple[str, ...] = ()
    """What one's containers that use it are called."""
    place: int | None = None
    """The place in the queue that waiting would give."""
    faults: tuple[Fault, ...] = ()
    retry_after_seconds: float | None = None


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


class Usage(Wire):
    """How much of a limit is in use now."""

    limit: str
    """The policy's key: `max_gpu_slots`, `max_containers_per_user`, `storage`, …"""
    used: float | None
    """`null` where it is not known."""
    allowed: float | None
    """`null` is unlimited."""


class End(Wire):
    """A limit that a running container comes nearer to."""

    rule: str
    value: str
    origin: str
    at: datetime
    """When it is stopped at the earliest, if nothing changes."""
    warned: bool
    high_demand: bool
    exempt_until: datetime | None


class StoppedByRule(Wire):
    """Why the last run of a container was ended."""

    at: datetime
    rule: str
    value: str
    origin: str
    reason: str


class Container(Wire):
    """A container, and what lies ahead of it."""

    name: str
    """What its owner calls it."""
    user: str
    container: str
    """What the engine calls it."""
    id: str
    interface: str
    """The door it came through."""
    state: str
    """created, running, paused, restarting, removing, exited, dead."""
    gpu_slots: tuple[str, ...]
    started_at: datetime
    stops_at: datetime | None
    """The nearest of `ends`."""
    ends: tuple[End, ...]
    idle_timeout_seconds: float | None
    kept_until: datetime | None
    """Until when it is kept running although nobody uses it."""
    keep_until: datetime | None
    """Until when asking now would keep it running; `null` where that is of no use."""
    removed_at: datetime | None
    """When a stopped one is removed."""
    stopped_by: StoppedByRule | None
    server: str | None
    """JupyterHub's name of it; empty for the unnamed one, `null` where it is none of the hub's."""
    sentences: tuple[str, ...]
    """The same for people, in the server's time zone."""


class Containers(Wire):
    """Containers at one moment."""

    taken_at: datetime
    containers: tuple[Container, ...]
    notes: tuple[str, ...] = ()
    """Sentences on what could not be read."""


class Logs(Wire):
    """The last lines of a container's output."""

    name: str
    lines: tuple[str, ...]


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


class GpuSlot(Wire):
    """One slot: a whole GPU, or one MIG instance."""

    slot: str
    """`2`, or `0:1` for instance 1 of GPU 0."""
    profile: str | None
    memory_bytes: int | None
    equivalents: float | None
    """What it counts of a whole GPU."""
    state: str
    """free, reserved, allocated, held, foreign, unavailable."""
    mine: bool
    user: str | None
    """Who has it: only told to who has it, and to managers."""
    container: str | None
    """Which container has it: told as `user` is."""
    since: datetime | None
    until: datetime | None
    """When a hold or a reservation ends."""
    use: Literal["interactive", "batch"]
    utilisation: float | None
    memory_used_bytes: int | None
    processes: int | None


class Gpus(Wire):
    """Every slot now."""

    taken_at: datetime
    source: str
    """`nvml` or `simulated`."""
    slots: tuple[GpuSlot, ...]
    problems: tuple[str, ...] = ()
    """What is not as it should be: only told to managers."""


class Ticket(Wire):
    """A place in the GPU queue."""

    id: str
    user: str
    name: str
    """What the container is going to be called."""
    place: int
    """Among those who compete for the same slots, from 1; 0 when it is served now."""
    length: int
    """How many compete for them."""
    gpu: str
    """What for, in words."""
    priority: int
    since: datetime
    reason: str
    """What it waits for."""


class Queue(Wire):
    """Places in the GPU queue, in the order in which they are served."""

    taken_at: datetime
    tickets: tuple[Ticket, ...]


class Image(Wire):
    """An image that one may start."""

    reference: str
    """What the engine calls it."""
    key: str | None
    """Its short name in the catalogue; `null` for one's own."""
    title: str
    description: str = ""
    own: bool
    default: bool = False
    """Whether it is what one gets without asking for any."""
    gpu_recommended: bool = False
    present: bool
    """Whether it is on this machine; else it is fetched at its first start."""
    size_bytes: int | None = None
    created_at: datetime | None = None


class Images(Wire):
    """What one may start: the catalogue, then one's own."""

    images: tuple[Image, ...]


class BuildRequest(Wire):
    """An image to build: a Dockerfile, and small files beside it."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["thesis"])]
    """What it is going to be called; `:latest` without a tag."""
    dockerfile: Annotated[str, Field(min_length=1, max_length=200_000)]
    files: Annotated[dict[FileName, FileText], Field(max_length=100)] = {}
    """Text files that the Dockerfile copies, by path."""
    build_args: Annotated[dict[FileName, FileName], Field(max_length=64)] = {}
    no_cache: bool = False
    pull: bool = False
    """Whether bases that may be fetched are fetched anew."""


class Build(Wire):
    """A build; it ends with the gateway, and is forgotten after a while."""

    id: str
    name: str
    """The engine's reference of the image."""
    state: str
    """running, done, failed, cancelled."""
    began_at: datetime
    ended_at: datetime | None
    image_id: str | None
    failure: str = ""
    """Why it failed; empty when it did not."""


class BuildList(Wire):
    """One's builds, the newest first."""

    builds: tuple[Build, ...]


class BuildLog(Wire):
    """More of a build's log."""

    text: str


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
    detail: str = ""


class Health(Wire):
    """Whether every part answers."""

    ok: bool
    parts: tuple[Part, ...]


class Extended(Wire):
    """A container that is kept running although nobody uses it."""

    name: str
    until: datetime
    """Until when it runs, used or not."""
    shortened: bool
    """Whether the policy made it shorter than asked."""
    ends_anyway: str | None = None
    """The limit that ends it before the time that was asked for is over."""


class Removed(Wire):
    """It is gone."""

    name: str


class NoQuery(Wire):
    """Nothing may be asked for."""


class ContainersQuery(Wire):
    """Whose containers."""

    all: Flag = False
    """Everybody's; for managers."""
    user: UserName | None = None
    """Somebody's; for managers."""


class OwnerQuery(Wire):
    """Whose."""

    user: UserName | None = None
    """Somebody else; for managers to look, for administrators to act."""


class LogsQuery(OwnerQuery):
    """How much of the output."""

    lines: Annotated[Count, Field(ge=1, le=5000)] = 200


class PageQuery(Wire):
    """Which page."""

    limit: PageSize = USUAL_ON_A_PAGE
    cursor: Cursor | None = None


class NoticesQuery(PageQuery):
    """Whose notices."""

    user: UserName | None = None
    """Somebody else's; for managers."""


class EventsQuery(PageQuery):
    """Which events."""

    user: UserName | None = None
    """Whom they concern; for managers. Students get their own, whatever they ask."""
    action: Annotated[str, Field(max_length=100)] | None = None
    """Such as `container.start`; `cleanup.*` is all that begin so."""
    since: Moment | None = None
    until: Moment | None = None


class ReconcileQuery(Wire):
    """Whether to do it."""

    dry_run: Flag = False


class ExtendRequest(Wire):
    """How long a container is to be kept."""

    duration: Annotated[str, Field(max_length=20, examples=["6h"])] | None = None
    """From now: `90m`, `6h`, `1d`; without it, as long as is allowed."""


class PreviewRequest(Wire):
    """An edited `resource-limits.yaml`."""

    text: Annotated[str, Field(max_length=500_000)]


class SshKeyRequest(Wire):
    """A key to add."""

    key: Annotated[str, Field(min_length=1, max_length=16_384)]
    """One line of a `.pub` file."""
