"""Who somebody is on this machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnixAccount:
    """A person's account on the host.

    Attributes:
        name: Login name.
        uid: User id.
        gid: Primary group id.
        home: Absolute path of the home directory.
        groups: Names of all groups, primary included.
        group_ids: Ids of the groups that may be passed into a container, primary included.
    """

    name: str
    uid: int
    gid: int
    home: str
    groups: tuple[str, ...] = ()
    group_ids: tuple[int, ...] = ()
