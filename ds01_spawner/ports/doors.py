"""What is asked about ways past the platform, and what closes them."""

from typing import Protocol

from ds01_spawner.domain.door import DoorRecord, EngineFacts, GroupMembers, NodeAccess, ServicePort


class GroupDatabase(Protocol):
    """The machine's Unix groups."""

    def members(self, group: str) -> GroupMembers | None:
        """Who is in it; `None` where there is no such group."""
        ...

    def remove(self, user: str, group: str) -> None:
        """Take somebody out of a group of this machine's file; nothing happens to others.

        Raises:
            Unavailable: It could not be done.
        """
        ...

    def add(self, user: str, group: str) -> None:
        """Put somebody into it; nothing happens to a member.

        Raises:
            NotFound: There is no such user or group.
            Unavailable: It could not be done.
        """
        ...


class Nodes(Protocol):
    """Sockets and devices in the file system."""

    def find(self, pattern: str) -> tuple[NodeAccess, ...]:
        """Those that match an absolute path with `*` in it, each once, links followed."""
        ...

    def close(self, path: str, *, to_group: bool) -> None:
        """Let nobody write but its owner, and its group unless it is closed `to_group` as well.

        The access control list goes, too.

        Raises:
            NotFound: It does not exist.
            Unavailable: It could not be done.
        """
        ...

    def restore(self, access: NodeAccess) -> None:
        """Give it the mode, owner, group and access control list of `access`.

        Raises:
            NotFound: It does not exist.
            Unavailable: It could not be done.
        """
        ...


class EngineSetup(Protocol):
    """The container engine's configuration."""

    def facts(self) -> EngineFacts:
        """How it is set up, as far as that can be read."""
        ...

    def setting(self, key: str) -> object:
        """What its configuration file says for a key; `None` where it says nothing.

        Raises:
            Unavailable: The file cannot be read.
        """
        ...

    def change(self, key: str, value: object) -> None:
        """Let the file say `value`, or nothing with `None`; the running engine reads it anew.

        Raises:
            Unavailable: The file cannot be read or written.
        """
        ...


class SystemFiles(Protocol):
    """Small text files of the system."""

    def read(self, path: str) -> str | None:
        """What is in it; `None` where it does not exist.

        Raises:
            Unavailable: It cannot be read.
        """
        ...

    def write(self, path: str, text: str | None) -> None:
        """Put `text` in it for everybody to read, or remove it with `None`.

        Raises:
            Unavailable: It could not be done.
        """
        ...


class GatewaySocket(Protocol):
    """The socket by which people reach the gateway."""

    @property
    def path(self) -> str:
        """Where it is."""
        ...

    def answers(self) -> bool:
        """Whether a gateway answers there."""
        ...


class ServicePorts(Protocol):
    """Ports of this host to which tokens are sent."""

    def look(self) -> tuple[ServicePort, ...]:
        """Those that are known, and who listens there now.

        Raises:
            Unavailable: That cannot be read.
        """
        ...


class DoorRecords(Protocol):
    """What doors were like before they were closed."""

    def load(self, name: str) -> DoorRecord | None:
        """The record of a door; `None` where it was not closed from here.

        Raises:
            Unavailable: It cannot be read.
        """
        ...

    def save(self, record: DoorRecord) -> None:
        """Keep it, in place of an earlier one.

        Raises:
            Unavailable: It could not be written.
        """
        ...

    def forget(self, name: str) -> None:
        """Remove the record of a door.

        Raises:
            Unavailable: It could not be done.
        """
        ...
