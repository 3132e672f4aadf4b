"""What the lifecycle looks at and speaks through: the hub, processes, servers, boards, homes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ds01_spawner.domain.activity import ContainerSample, JupyterSample
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.storage import StorageUse


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

    def start(self, user: str, server: str) -> None:
        """Have the hub start a server with the options that it had; returns when it has begun.

        One that runs or starts already is left as it is.

        Raises:
            Refused: The hub says why it does not.
            Conflict: The hub stops it just now.
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
