"""Who is at the other end of a connection, as the kernel says."""

from dataclasses import dataclass

from ds01_spawner.domain.person import UnixAccount


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made a connection to the Unix socket; the kernel says so (`SO_PEERCRED`, unix(7)).

    Attributes:
        uid: User id of the process that connected.
        pid: Its process id, when it connected.
        user: Login name.
        account: The Unix account; `None` for root.
        is_admin: Whether everything is allowed: root, and members of the administrators' group.
    """

    uid: int
    pid: int
    user: str
    account: UnixAccount | None
    is_admin: bool = False
