"""People as an administrator adds and removes them."""

from dataclasses import dataclass
from enum import StrEnum

WORKSPACE = ("projects", "data")
"""Folders in a home that commands and pages speak of."""

FIRST_PERSON_ID = 1000
NOBODY_ID = 65534


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """A person's Unix account as the name service shows it.

    Attributes:
        name: Login name.
        uid: User id.
        gid: Primary group id.
        full_name: Of the person; may be empty.
        home: Path of the home directory.
        is_local: Whether it is in this machine's own list, so that it may be changed here; else it
            is a directory server's.
        is_closed: Whether nobody may log in with it any more; known of local ones alone.
        groups: Names of all groups, primary included.
        listed_in: The groups of this machine's own list that name it.
    """

    name: str
    uid: int
    gid: int
    full_name: str
    home: str
    is_local: bool = True
    is_closed: bool = False
    groups: tuple[str, ...] = ()
    listed_in: tuple[str, ...] = ()

    @property
    def is_person(self) -> bool:
        """Whether it is a person's, not the system's."""
        return self.uid >= FIRST_PERSON_ID and self.uid != NOBODY_ID


@dataclass(frozen=True, slots=True)
class HubEntry:
    """What the hub has of somebody: their name in its list, and with it their tokens.

    Attributes:
        is_known: Whether it has; `None`: it was not asked, or did not say.
        is_removable: Whether it takes them out when it is asked to.
        trouble: Why it did not say.
    """

    is_known: bool | None = None
    is_removable: bool = False
    trouble: str = ""

    @property
    def goes(self) -> bool:
        """Whether the entry can be removed."""
        return bool(self.is_known) and self.is_removable


NOT_ASKED = HubEntry()


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who is to be known.

    Attributes:
        name: Login name, as the hub has it too.
        full_name: May be empty.
        group: Group of the policy; `None` leaves it to the policy.
        notify: Where notices go: `CHANNEL:ADDRESS` or an address; may be empty.
        hub_only: Whether there is to be no Unix account.
        create_home: Whether a new account gets a home.
        may_move: Whether somebody who is in another group is moved.
    """

    name: str
    full_name: str = ""
    group: str | None = None
    notify: str = ""
    hub_only: bool = False
    create_home: bool = True
    may_move: bool = True


class ThingKind(StrEnum):
    """What somebody has in the engine beside containers."""

    VOLUME = "volume"
    IMAGE = "image"
    NETWORK = "network"

    @property
    def is_data(self) -> bool:
        """Whether something of value may be in it."""
        return self is not ThingKind.NETWORK


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that somebody has in the engine beside containers.

    Attributes:
        kind: What it is.
        name: What the engine calls it; an image without a name goes by its id.
    """

    kind: ThingKind
    name: str
