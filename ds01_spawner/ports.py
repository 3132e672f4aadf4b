"""What the platform needs from the outside world, as protocols.

Each has a real adapter in `adapters/` and a fake in `tests/fakes/`; one contract test holds both
to the same behaviour. Every method may raise `Unavailable`: the part did not answer in time, and
the caller decides nothing.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval
from ds01_spawner.domain.cgroup import AggregateUsage, BoundChange, OomKill, OomMark
from ds01_spawner.domain.container import Container, ContainerSpec
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import Inventory, SlotActivity
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.policy.resolution import Policy


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """This moment, timezone-aware, in UTC."""
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

    def inventory(self) -> Inventory:
        """Every card and MIG instance now.

        Raises:
            Unavailable: The driver exists and cannot be read. Never an empty inventory instead.
        """
        ...

    def activity(self) -> Mapping[str, SlotActivity]:
        """What each slot does now, by device UUID; a slot that cannot be read is left out."""
        ...


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Facts about the container engine that do not change while it runs.

    Attributes:
        id: The engine's own id.
        version: Engine version.
        cgroup_driver: `systemd` or `cgroupfs`.
        cgroup_version: 1 or 2.
        data_root: Where it keeps images and volumes.
    """

    id: str
    version: str
    cgroup_driver: str
    cgroup_version: int
    data_root: str


class Engine(Protocol):
    """The container engine. Every call has a deadline; a stuck engine raises `Unavailable`."""

    def info(self) -> EngineInfo:
        """Facts about the engine."""
        ...

    def containers(self) -> tuple[Container, ...]:
        """Every container, running or not, ours or not.

        `demand` is filled for every one of them, `finished_at` for every one that has
        GPU labels and does not run.
        """
        ...

    def container(self, name_or_id: str) -> Container | None:
        """One container with every field filled, or `None` when the engine says it is gone."""
        ...

    def address(self, container_id: str, network: str) -> str | None:
        """The container's IP address on `network`, or `None` when it has none now."""
        ...

    def has_image(self, reference: str) -> bool:
        """Whether the image is present locally."""
        ...

    def pull(self, reference: str) -> None:
        """Fetch an image from its registry; may take minutes.

        Raises:
            NotFound: The registry does not have it.
        """
        ...

    def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Make the bridge network `name` unless it exists; safe to call from two places at once."""
        ...

    def create(self, spec: ContainerSpec) -> str:
        """Make a container, without starting it, and return its id.

        Raises:
            Conflict: A container of that name exists.
            NotFound: The image does not exist.
        """
        ...

    def start(self, container_id: str) -> None:
        """Start a created or stopped container; nothing happens to a running one.

        Raises:
            NotFound: It is gone.
            DeviceDriverMissing: The engine has no GPU driver for its device requests.
        """
        ...

    def stop(self, container_id: str, grace: timedelta) -> None:
        """SIGTERM, then SIGKILL after `grace`; returns when it has stopped. Gone is stopped."""
        ...

    def remove(self, container_id: str) -> None:
        """Remove a container and its anonymous volumes, killing it if it runs. Gone is removed."""
        ...

    def logs(self, container_id: str, lines: int) -> str:
        """The last lines of its output, for an error message; empty when there are none."""
        ...


class LedgerTransaction(Protocol):
    """One atomic decision. Nothing is kept unless the `with` block ends normally."""

    def reservations(self) -> Sequence[Reservation]:
        """Every reservation, expired or not."""
        ...

    def add_reservation(self, reservation: Reservation) -> None:
        """Remember a promise."""
        ...

    def set_expiry(self, reservation_id: str, expires_at: datetime) -> None:
        """Move the end of a reservation; nothing happens when it is unknown."""
        ...

    def remove_reservations(self, ids: Sequence[str]) -> None:
        """Forget promises; unknown ids are ignored."""
        ...

    def tickets(self) -> Sequence[Ticket]:
        """Every ticket, alive or not."""
        ...

    def put_ticket(self, ticket: Ticket) -> None:
        """Add a ticket or replace the one with its id."""
        ...

    def remove_tickets(self, ids: Sequence[str]) -> None:
        """Forget tickets; unknown ids are ignored."""
        ...

    def usage_since(self, moment: datetime) -> Sequence[UsageInterval]:
        """Intervals that had not ended at `moment`."""
        ...

    def put_usage(self, intervals: Sequence[UsageInterval]) -> None:
        """Add intervals or replace those of the same container and device."""
        ...


class Ledger(Protocol):
    """What labels cannot hold: reservations, tickets, usage."""

    def transaction(self) -> AbstractContextManager[LedgerTransaction]:
        """An exclusive transaction: all other processes wait.

        Raises:
            Unavailable: The lock was not got within the deadline, or the file cannot be used.
        """
        ...


class Cgroups(Protocol):
    """Per-person cgroups: `ds01` → group → person."""

    def parent(self, group: str | None, user: str) -> str:
        """The cgroup parent of a person's containers, in the form the engine's driver wants.

        `/ds01/student/alice` under cgroupfs, `ds01-student-alice.slice` under systemd.
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

    def remove(self, group_slug: str, user_slug: str) -> bool:
        """Remove a person's cgroup, named as `people` does, if nothing runs in it; whether it went.

        Not while a container of theirs may be starting: the caller sees to that.
        """
        ...

    def oom_kills(self, since: OomMark | None) -> tuple[OomMark, Sequence[OomKill]]:
        """Processes killed for memory after `since`, oldest first, and the mark for next time.

        `None` starts now: nothing is reported.
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


class HubClient(Protocol):
    """JupyterHub's REST API, as the services use it."""

    def servers(self) -> frozenset[tuple[str, str]]:
        """(user, server name) of every server that is ready, starting or stopping.

        The unnamed server's name is empty.
        """
        ...
