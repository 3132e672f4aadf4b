"""Ways past the platform: what stands open, why that matters, and what would close it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One door, as it was found.

    Attributes:
        name: What it is called at `ds01 admin doors --fix NAME`.
        is_open: Whether somebody can get past the platform by it.
        what: What was found, in a sentence.
        why: Why it matters; the same whether it is open or not.
        changes: What closing it would change, each in a sentence; empty where that is not for a
            program to do, or nothing is to be done.
        by_hand: What an administrator does about it instead, or beside it.
        closed_at: When it was closed from here (RFC 3339), so that it can be undone; or empty.
    """

    name: str
    is_open: bool
    what: str
    why: str
    changes: tuple[str, ...] = ()
    by_hand: str = ""
    closed_at: str = ""


@dataclass(frozen=True, slots=True)
class DoorRecord:
    """What a door was like before it was closed.

    Attributes:
        name: Which door.
        closed_at: When, RFC 3339.
        before: What undoing needs; JSON values only.
    """

    name: str
    closed_at: str
    before: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupMembers:
    """Who is in a Unix group.

    Attributes:
        listed: Members by this machine's group file.
        elsewhere: Members by a directory (LDAP), which this machine cannot change.
        primary: People whose primary group it is.
    """

    listed: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    primary: tuple[str, ...] = ()

    @property
    def everybody(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys([*self.listed, *self.elsewhere, *self.primary]))


@dataclass(frozen=True, slots=True)
class NodeAccess:
    """Who may open a file, a socket or a device.

    Attributes:
        path: Where it is.
        mode: Permission bits.
        uid: Owner.
        gid: Group.
        group: Its name, or its number where it has none.
        acl: The kernel's form of its access control list, as hexadecimal digits; empty without one.
        reachable: Whether everybody may pass through the folders above it.
        granted: Users and groups that the access control list lets write, such as `user 1000`.
    """

    path: str
    mode: int
    uid: int
    gid: int
    group: str = "root"
    acl: str = ""
    reachable: bool = True
    granted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """How the container engine is set up.

    Attributes:
        default_runtime: What containers run with unless they say otherwise; empty: not known.
        live_restore: Whether containers live on while the engine is restarted; `None`: not known.
        runc: Version of runc as the engine tells it, such as `1.1.5+ds1-1+deb12u1` or
            `v1.1.12-0-g51d5e94`; empty: not known.
        tcp: TCP addresses that it listens on, by its configuration or command line.
        file: Where its configuration file is, there or not.
    """

    default_runtime: str = ""
    live_restore: bool | None = None
    runc: str = ""
    tcp: tuple[str, ...] = ()
    file: str = "/etc/docker/daemon.json"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A TCP port of this host to which tokens are sent.

    Attributes:
        name: Whose it should be, such as `the hub's API`.
        port: The port.
        is_roots: Whether only root may listen there.
        holders: User ids of who listens there now; empty while nobody does.
    """

    name: str
    port: int
    is_roots: bool
    holders: tuple[int, ...] = ()
