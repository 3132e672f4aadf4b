"""What adding and removing people changes beside containers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ds01_spawner.domain.people import AccountEntry, HubEntry, Thing


@dataclass(frozen=True, slots=True)
class AddressChannel:
    """A channel that keeps people's own addresses.

    Attributes:
        name: What `notifications.yaml` calls it.
        scheme: Of its url, such as `mailtos`.
    """

    name: str
    scheme: str


class HubPeople(Protocol):
    """The hub's own list of people."""

    def entry(self, user: str) -> HubEntry:
        """What the hub has of somebody.

        Raises:
            Unavailable: It does not say.
        """
        ...

    def remove_entry(self, user: str) -> None:
        """Take somebody out, with all of their tokens; who is not in it is out.

        Raises:
            Conflict: Something of theirs is just stopping.
            Unavailable: The hub does not do it.
        """
        ...


class AccountKeeper(Protocol):
    """Unix accounts of people, and what changes them."""

    def find(self, name: str) -> AccountEntry | None:
        """The account of exactly that name, a system account too; `None` where there is none."""
        ...

    def every(self) -> Sequence[AccountEntry]:
        """Every person's account that the name service lists."""
        ...

    def has_group(self, name: str) -> bool:
        """Whether there is a Unix group of that name."""
        ...

    def home_of_new(self, name: str) -> tuple[str, bool]:
        """Where the home of a new account would be, and whether something is there already."""
        ...

    def has_home(self, name: str) -> bool:
        """Whether the account's home is there."""
        ...

    def missing_folders(self, name: str, folders: Sequence[str]) -> tuple[str, ...]:
        """Those of these folders that are not in the account's home."""
        ...

    def create(self, name: str, full_name: str, *, create_home: bool) -> None:
        """Make an account of this machine without a password, with a group of its own.

        Raises:
            Conflict: There is one.
            Unavailable: It could not be done.
        """
        ...

    def make_home(self, name: str) -> None:
        """Make the missing home of an account.

        Raises:
            Unavailable: It could not be done.
        """
        ...

    def make_folders(self, name: str, folders: Sequence[str]) -> None:
        """Make folders in the account's home, as that person.

        Raises:
            Unavailable: It could not be done.
        """
        ...

    def close(self, name: str) -> None:
        """Let nobody log in with it any more; home and user id stay.

        Raises:
            Unavailable: It could not be done.
        """
        ...

    def open(self, name: str) -> None:
        """Undo `close`.

        Raises:
            Unavailable: It could not be done.
        """
        ...

    def leave(self, name: str, group: str) -> None:
        """Take the account out of a group of this machine's own list.

        Raises:
            Unavailable: It could not be done.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove an account of this machine with its home; one that is gone is removed.

        Raises:
            Conflict: Processes of it run.
            Unavailable: It could not be done.
        """
        ...


class Memberships(Protocol):
    """The members files of the policy's groups."""

    def of(self, user: str) -> Mapping[str, str]:
        """The groups whose file names the person, each with `file:line`.

        Raises:
            PolicyError: A file is not valid.
        """
        ...

    def move(self, user: str, group: str | None, remark: str = "") -> None:
        """Let exactly the file of this group name the person; `None`: let no file.

        The policy must be valid before and after; else nothing changes.

        Raises:
            PolicyError: The policy is not valid.
            Unavailable: A file cannot be written.
        """
        ...


class Addresses(Protocol):
    """The files of people's addresses for notices."""

    def channels(self) -> Sequence[AddressChannel]:
        """The channels that keep people's own addresses.

        Raises:
            PolicyError: `notifications.yaml` is not valid.
        """
        ...

    def of(self, user: str) -> Mapping[str, str]:
        """A person's own addresses by channel.

        Raises:
            PolicyError: A file is not valid.
        """
        ...

    def put(self, user: str, channel: str, address: str) -> None:
        """Write a person's address down.

        Raises:
            NotFound: There is no such channel.
            PolicyError: A file is not valid.
            Unavailable: It cannot be written.
        """
        ...

    def remove(self, user: str) -> None:
        """Forget a person's addresses in every channel.

        Raises:
            PolicyError: A file is not valid.
            Unavailable: It cannot be written.
        """
        ...


class Things(Protocol):
    """What people have in the engine beside containers."""

    def things_of(self, user: str) -> Sequence[Thing]:
        """Volumes, images and networks that are the person's."""
        ...

    def remove_thing(self, thing: Thing) -> None:
        """Remove one; one that is gone is removed.

        Raises:
            Conflict: Something uses it.
        """
        ...


class LeavingMark(Protocol):
    """Tells whoever remembers the hub's words that somebody has left it."""

    def renew(self) -> None:
        """Somebody was taken out of the hub just now.

        Raises:
            Unavailable: It cannot be told.
        """
        ...

    def seen(self) -> object:
        """Equal as long as nobody else has left.

        Raises:
            Unavailable: It cannot be read.
        """
        ...
