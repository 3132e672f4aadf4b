"""What the lifecycle service remembers of containers between two passes, and how it moves on. Pure.

Times are wall-clock times; when the wall clock jumps, `shifted` moves all of them with it, so that
what has passed between them stays what has really passed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import Finding, is_busy, is_idle
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.limits import LifecyclePolicy

LONGEST_GAP = timedelta(minutes=5)
"""Of the time between two checks, what is longer than this was seen by nobody and is not idle."""

SMALLEST_JUMP = timedelta(seconds=30)
_FIRST_WORK = datetime(2000, 1, 1, tzinfo=UTC)
_SLEW = 0.001
"""A clock that is being corrected runs at most 500 ppm off (adjtimex(2))."""


class Rule(StrEnum):
    """A limit that stops containers, named as the key of the policy that sets it."""

    IDLE = "idle_timeout"
    RUNTIME = "max_runtime"
    CONFLICT = "slot_conflict"


class Level(StrEnum):
    """Which of the two warnings."""

    FIRST = "first"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Track:
    """One container, from the first pass that saw it until it is gone.

    Attributes:
        container_id: Engine id; survives restarts and renames.
        container_name: Engine name when last seen.
        user: Owner.
        started_at: First start of the work.
        run_started_at: Start of the present or last run.
        idle_checks: Checks in a row that found everything idle, counted up to the window.
        idle_since: The first of them; `None` while something works.
        conflict_since: Since when another container has had its slot for longer.
        ended_at: End of the last run; `None` while it runs.
        unreadable: Signals that have been reported as unreadable.
        released: Whether it was written down that its GPU went back after it stopped.
    """

    container_id: str
    container_name: str
    user: str
    started_at: datetime
    run_started_at: datetime
    idle_checks: int = 0
    idle_since: datetime | None = None
    conflict_since: datetime | None = None
    ended_at: datetime | None = None
    unreadable: tuple[str, ...] = ()
    released: bool = False


@dataclass(frozen=True, slots=True)
class SentWarning:
    """A warning that was given; it was written down before it was delivered.

    Attributes:
        container_id: For which container.
        rule: Of which limit.
        level: Which of the two.
        sent_at: When.
        deadline: The stop it announced.
    """

    container_id: str
    rule: Rule
    level: Level
    sent_at: datetime
    deadline: datetime


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Somebody asked that an idle container goes on.

    Attributes:
        container_id: Which.
        granted_at: When it was asked.
        until: Until when it was asked.
        source: `file`, `command`, `page` or `notebook`.
        by: Who asked.
    """

    container_id: str
    granted_at: datetime
    until: datetime
    source: str
    by: str


@dataclass(frozen=True, slots=True)
class RuleStop:
    """A stop by rule: decided, and later carried out. The newest of each container is kept.

    Attributes:
        container_id: Which.
        container_name: Its engine name, for pages that know no id.
        user: Owner.
        rule: Which limit.
        key: Its key in the policy, such as `container_types.hub.idle_timeout`.
        value: What it says, such as `2h`.
        origin: Where it is set, such as `group student, resource-limits.yaml line 31`.
        reason: Why, as a sentence for its owner.
        decided_at: When it was decided.
        done_at: When it was seen stopped; `None` until then.
        name: What its owner calls it.
        interface: The door it came through.
    """

    container_id: str
    container_name: str
    user: str
    rule: Rule
    key: str
    value: str
    origin: str
    reason: str
    decided_at: datetime
    done_at: datetime | None = None
    name: str = ""
    interface: str = ""


@dataclass(frozen=True, slots=True)
class PassMark:
    """When a pass ran, on both clocks.

    Attributes:
        boot_id: The kernel's id of this boot.
        wall: Wall-clock time.
        uptime_seconds: The machine's clock that never jumps (CLOCK_BOOTTIME).
    """

    boot_id: str
    wall: datetime
    uptime_seconds: float


@dataclass(frozen=True, slots=True)
class Passed:
    """What lies between two passes.

    Attributes:
        jump: How far the wall clock was set; zero if it was not.
        unseen: Time that nobody looked at.
    """

    jump: timedelta = timedelta(0)
    unseen: timedelta = timedelta(0)


def work_began(container: Container) -> datetime:
    """First start of the work that a container does, as far as the container itself tells.

    Its labels may be anybody's who may use the engine: no work begins after the run that does it,
    and none before there were containers.
    """
    run = container.started_at or container.created_at
    told = labels.work_began(container.labels)
    return run if told is None or told < _FIRST_WORK else min(told, run)


def passed(before: PassMark | None, now: PassMark) -> Passed:
    """What lies between two passes; after a reboot the wall clock is believed."""
    if before is None:
        return Passed()
    by_wall = now.wall - before.wall
    if before.boot_id != now.boot_id:
        return Passed(unseen=max(by_wall - LONGEST_GAP, timedelta(0)))
    elapsed = timedelta(seconds=now.uptime_seconds - before.uptime_seconds)
    jump = by_wall - elapsed
    small = abs(jump) < max(SMALLEST_JUMP, elapsed * _SLEW)
    return Passed(
        jump=timedelta(0) if small else jump, unseen=max(elapsed - LONGEST_GAP, timedelta(0))
    )


def shifted(track: Track, jump: timedelta) -> Track:
    """`track` after the wall clock was set by `jump`."""
    return replace(
        track,
        started_at=track.started_at + jump,
        run_started_at=track.run_started_at + jump,
        idle_since=_moved(track.idle_since, jump),
        conflict_since=_moved(track.conflict_since, jump),
        ended_at=_moved(track.ended_at, jump),
    )


def advanced(
    track: Track,
    findings: Iterable[Finding],
    policies: LifecyclePolicy,
    now: datetime,
    unseen: timedelta = timedelta(0),
) -> Track:
    """`track` of a running container after a check.

    Args:
        track: As it was.
        findings: What the check found.
        policies: The owner's.
        now: The moment.
        unseen: Time since the check before that nobody looked at; it does not count as idle.
    """
    found = tuple(findings)
    idle_since = _moved(track.idle_since, unseen)
    if is_busy(found) or now - track.run_started_at < policies.startup_grace:
        return replace(track, idle_checks=0, idle_since=None)
    if not is_idle(found):  # nothing to compare with: says neither
        return replace(track, idle_since=idle_since)
    return replace(
        track,
        idle_checks=min(track.idle_checks + 1, policies.idle_detection_window),
        idle_since=min(idle_since or now, now),
    )


def _moved(moment: datetime | None, by: timedelta) -> datetime | None:
    return None if moment is None else moment + by
