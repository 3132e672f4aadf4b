"""What the platform needs from the outside world, as protocols.

Each has a real adapter in `adapters/` and a fake in `tests/fakes/`; one contract test holds both
to the same behaviour. Every method may raise `Unavailable`: the part did not answer in time, and
the caller decides nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ds01_spawner.domain.activity import ContainerSample, JupyterSample
from ds01_spawner.domain.allocation import Reservation, Ticket, UsageInterval
from ds01_spawner.domain.cgroup import AggregateUsage, BoundChange, OomKill, OomMark
from ds01_spawner.domain.container import Container, ContainerSpec
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.gpu import Inventory, SlotActivity
from ds01_spawner.domain.limits import AggregateLimits
from ds01_spawner.domain.notice import Delivery, Notice, NoticeKind
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.storage import StorageUse
from ds01_spawner.domain.work import KeepAlive, PassMark, RuleStop, SentWarning, Track
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

    def environment(self, container_id: str, names: Collection[str]) -> Mapping[str, str]:
        """The environment variables of these names that it was made with; empty when it is gone.

        They may be secrets: never logged, never in an error.
        """
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

    def tracks(self) -> Sequence[Track]:
        """What is remembered of every container."""
        ...

    def put_tracks(self, tracks: Sequence[Track]) -> None:
        """Add tracks or replace those of the same container."""
        ...

    def warnings(self) -> Sequence[SentWarning]:
        """Every warning that was given to a container that is still tracked, oldest first."""
        ...

    def put_warnings(self, warnings: Sequence[SentWarning]) -> None:
        """Write warnings down; one of the same container, rule, level and moment is replaced."""
        ...

    def remove_warnings(self, warnings: Sequence[SentWarning]) -> None:
        """Forget warnings; unknown ones are ignored."""
        ...

    def keep_alives(self) -> Sequence[KeepAlive]:
        """Every keep-alive that was asked for, past ones included."""
        ...

    def put_keep_alive(self, keep_alive: KeepAlive) -> None:
        """Add a keep-alive or replace the one of the same container and source."""
        ...

    def forget_containers(self, ids: Sequence[str]) -> None:
        """Forget tracks, warnings and keep-alives of containers that are gone."""
        ...

    def rule_stops(self) -> Sequence[RuleStop]:
        """The newest stop by rule of each container, those of removed containers included."""
        ...

    def put_rule_stop(self, stop: RuleStop) -> None:
        """Add a stop by rule or replace the one of the same owner and container name."""
        ...

    def remove_rule_stops(self, stops: Sequence[RuleStop]) -> None:
        """Forget stops by rule."""
        ...

    def pass_mark(self) -> PassMark | None:
        """When the last pass ran; `None` before the first."""
        ...

    def put_pass_mark(self, mark: PassMark) -> None:
        """Remember when a pass ran."""
        ...

    def notices_since(self, moment: datetime) -> Sequence[Notice]:
        """Notices created at `moment` or later, oldest first."""
        ...

    def put_notice(self, notice: Notice, channels: Sequence[str]) -> None:
        """Remember a notice, to be delivered through each of `channels` at once.

        Nothing happens when it is known: nobody is told twice.
        """
        ...

    def remove_notices_before(self, moment: datetime) -> None:
        """Forget older notices with their deliveries."""
        ...

    def deliveries(self) -> Sequence[tuple[Notice, Delivery]]:
        """What is still to be delivered, the first due first."""
        ...

    def put_delivery(self, delivery: Delivery) -> None:
        """Add a delivery or replace the one of the same notice and channel.

        Nothing happens when its notice is forgotten.
        """
        ...

    def remove_delivery(self, notice_id: str, channel: str) -> None:
        """It arrived, or is given up."""
        ...

    def storage(self, user: str | None = None) -> Sequence[StorageUse]:
        """The last measurement of one person, or of everybody."""
        ...

    def put_storage(self, use: StorageUse) -> None:
        """Add a measurement or replace the person's last."""
        ...

    def remove_storage(self, users: Iterable[str]) -> None:
        """Forget what these people's homes held; unknown ones are ignored."""
        ...

    def take_lease(self, name: str, holder: str, mark: PassMark, seconds: float) -> bool:
        """Whether `holder` has the lease from now on, for so long; `False` while another has it.

        Counted on the clock that never jumps; a lease from before a reboot is void.
        """
        ...

    def lease_holder(self, name: str, mark: PassMark) -> str | None:
        """Who has the lease now; `None` when nobody has."""
        ...

    def end_lease(self, name: str, holder: str) -> None:
        """Give the lease back; nothing happens when another has it."""
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


@dataclass(frozen=True, slots=True)
class HubServer:
    """A server that the hub has.

    Attributes:
        user: Owner.
        name: Server name; the unnamed server's is empty.
        ready: Whether it runs and the hub does nothing with it now.
        last_activity: Last request through the hub's proxy, or the server's own report; `None`
            when the hub knows of none.
    """

    user: str
    name: str
    ready: bool
    last_activity: datetime | None


class HubClient(Protocol):
    """JupyterHub's REST API, as the services use it."""

    def servers(self) -> Mapping[tuple[str, str], HubServer]:
        """Every server that is ready, starting or stopping, by user and server name."""
        ...

    def stop(self, user: str, server: str) -> None:
        """Have the hub stop a server; returns when the hub has begun. One it has not is stopped.

        Raises:
            Conflict: The hub starts or stops it already.
        """
        ...


class ActivityProbe(Protocol):
    """What the kernel counts for containers and processes."""

    def samples(self, containers: Sequence[Container]) -> Mapping[str, ContainerSample]:
        """Counters of running containers, by id; what cannot be read is `None` in them."""
        ...

    def cpu_seconds_of(self, pids: Collection[int]) -> float | None:
        """CPU time of these host processes together, or `None` when one cannot be read.

        A process that is gone counts nothing.
        """
        ...


class ContainerProcesses(Protocol):
    """The processes of a running container, reached from outside."""

    def write_to_terminals(self, container: Container, text: str) -> int:
        """Show `text` on every terminal that is open in it; how many there were."""
        ...

    def send_signal(self, container: Container, signal: str) -> int:
        """Send a signal, such as `SIGUSR1`, to those that handle it; how many there were.

        A process that does not handle it would die of it and is left alone.
        """
        ...


class JupyterServers(Protocol):
    """The single-user servers in hub containers."""

    def look(self, containers: Sequence[Container]) -> Mapping[str, JupyterSample]:
        """What each says of its kernels and terminals, by container id.

        Asked side by side, with a deadline; one that does not answer is left out. Asking does not
        count as activity there.
        """
        ...


class KeepAliveFiles(Protocol):
    """`.keep-alive` and `.keep-alive.NAME` in the workspaces of containers."""

    def touched_at(self, containers: Sequence[Container]) -> Mapping[str, datetime]:
        """When the newest one for each container was touched, by id, of those that have one.

        A workspace that cannot be read has none.
        """
        ...


class NoticeBoard(Protocol):
    """What people see inside their containers: a folder that is mounted read-only there."""

    def folder(self, user: str) -> str:
        """The host folder of a person, made if it is missing: what a container mounts."""
        ...

    def show(self, user: str, name: str, notices: Sequence[Notice]) -> None:
        """Let exactly these notices stand for the person's container `name`."""
        ...

    def clear_others(self, shown: Collection[tuple[str, str]]) -> None:
        """Let nothing stand for any container but those of `shown`, as (user, name)."""
        ...


class Channels(Protocol):
    """Ways to people outside their containers: e-mail, chat."""

    def names(self, kind: NoticeKind) -> Sequence[str]:
        """The channels that a notice of this kind goes through."""
        ...

    def send(self, channel: str, notice: Notice) -> None:
        """Send it; may take seconds.

        Raises:
            NotFound: There is no such channel, or no address for the person: do not try again.
            Unavailable: It was not accepted; try again later.
        """
        ...


class StorageMeter(Protocol):
    """Bytes in people's homes."""

    def measure(
        self, user: str, path: str, deadline: timedelta, uid: int | None = None
    ) -> StorageUse | None:
        """What is in a home, as of now; `None` when the deadline came first.

        What was counted by then is kept, and the next call goes on from there.

        Args:
            user: Whose.
            path: Where it is.
            deadline: How long this may take.
            uid: Whom the home of an account has to belong to; `None` for a volume, at whose path
                no link is followed.

        Raises:
            NotFound: There is no such home.
            Unavailable: It cannot be read, or is somebody else's.
        """
        ...

    def bound(
        self,
        user: str,
        path: str,
        limit_bytes: int | None,
        deadline: timedelta,
        uid: int | None = None,
    ) -> bool:
        """Have the kernel refuse what would go beyond the limit; whether it does.

        Nothing happens where it keeps no count of the home. `None` takes the bound away.

        Raises:
            NotFound: There is no such home.
            Unavailable: It cannot be set, or the home is somebody else's.
        """
        ...
