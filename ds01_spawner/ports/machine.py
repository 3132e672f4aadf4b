"""The machine: its time, policy, GPUs, cgroups, accounts, audit log."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.card_health import CardHealth
from ds01_spawner.domain.cgroup import AggregateUsage, BoundChange, OomKill, OomMark
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import CardPower, Inventory, SlotActivity
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.work import PassMark
from ds01_spawner.policy.resolution import Policy


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """This moment, timezone-aware, in UTC."""
        ...

    def mark(self) -> PassMark:
        """This moment on the wall clock and on the one that never jumps."""
        ...


class PolicySource(Protocol):
    """The policy in force."""

    def current(self) -> Policy:
        """The last good policy; picks up edits by itself.

        Raises:
            Unavailable: No valid policy has been read since the process started.
        """
        ...


class GpuProbe(Protocol):
    """The GPUs of this machine."""

    def inventory(self, *, at_once: bool = False) -> Inventory:
        """Every card and MIG instance now.

        Args:
            at_once: Whether a reading of a moment ago will not do.

        Raises:
            Unavailable: The driver exists and cannot be read. Never an empty inventory instead.
        """
        ...

    def activity(self) -> Mapping[str, SlotActivity]:
        """What each slot does now, by device UUID; a slot that cannot be read is left out."""
        ...

    def power(self) -> Mapping[str, CardPower]:
        """What each card takes now, by the card's UUID; one that cannot be read is left out.

        A card, not a slot: no card tells it of its parts.

        Raises:
            Unavailable: As for `inventory`.
        """
        ...

    def health(self) -> Mapping[str, CardHealth]:
        """How each card is now, by the card's UUID; one that cannot be reached is left out.

        Raises:
            Unavailable: As for `inventory`.
        """
        ...

    def gpu_processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        """Processes on each slot now, by device UUID; a slot that cannot be read is left out.

        Raises:
            Unavailable: As for `inventory`.
        """
        ...


class Cgroups(Protocol):
    """Per-person cgroups: the installation's top → group → person."""

    def parent(self, group: str | None, user: str) -> str:
        """The cgroup parent of a person's containers, in the form the engine's driver wants.

        `/ds01/student/alice` under cgroupfs, `ds01-student-alice.slice` under systemd, where the
        top is `ds01`.
        """
        ...

    def ensure(
        self, group: str | None, user: str, limits: AggregateLimits
    ) -> tuple[BoundChange, ...]:
        """Make the person's cgroup with these bounds, check by reading back, tell what changed.

        Nothing is written where everything is as wanted. A memory bound is never lowered below
        what is in use, because some kernels would then kill what runs: the old bound stays and
        the other bounds are set.

        Raises:
            Unavailable: A bound was not taken; it says which, wanted and found.
        """
        ...

    def usage(self, group: str | None, user: str) -> AggregateUsage | None:
        """Bounds and usage in force, or `None` when the cgroup does not exist."""
        ...

    def people(self) -> Sequence[tuple[str, str]]:
        """(group slug, user slug) of every person's cgroup that exists."""
        ...

    def containers(self) -> Mapping[str, tuple[str, str]]:
        """(group slug, user slug) of whose cgroup each container runs in, by its id."""
        ...

    def remove(self, group_slug: str, user_slug: str) -> bool:
        """Remove a person's cgroup, named as `people` does, if nothing runs in it; whether it went.

        Not while a container of theirs may be starting: the caller sees to that.
        """
        ...

    def take_down(self) -> bool:
        """Remove everything below the top, and the top, but what has something in it; if all went.

        Not while anything may be starting: the caller sees to that.
        """
        ...

    def oom_kills(self, since: OomMark | None) -> tuple[OomMark, Sequence[OomKill]]:
        """Processes killed for memory after `since`, oldest first, and the mark for next time.

        `None` starts now: nothing is reported.
        """
        ...


class EventReader(Protocol):
    """The audit log, as it goes on."""

    def read(self, place: str, actions: Collection[str] | None) -> tuple[Sequence[Event], str]:
        """Events of these actions that were written since, oldest first, and the place after them.

        `None` is every action. An empty place is the log's present end. What was rotated away
        meanwhile is not told.

        Raises:
            Unavailable: It cannot be read.
        """
        ...


class EventLog(Protocol):
    """The audit log."""

    def append(self, event: Event) -> None:
        """Write one line; it is in the file when this returns."""
        ...


class Accounts(Protocol):
    """Unix accounts of this host."""

    def lookup(self, user: str) -> UnixAccount | None:
        """The account of that login name, or `None`.

        System accounts (uid below 1000, or `nobody`) are never a person: they raise `Forbidden`.
        """
        ...

    def check_open(self, user: str) -> None:
        """Return when no account of that name is closed; there may be none.

        Raises:
            Forbidden: It is closed.
            Unavailable: That cannot be read.
        """
        ...

    def name_of(self, uid: int) -> str | None:
        """The login name of a user id, or `None`."""
        ...

    def has_group(self, name: str) -> bool:
        """Whether there is a group of that name.

        Raises:
            Unavailable: The name service cannot be read now.
        """
        ...
