"""Unix accounts in memory."""

from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.person import UnixAccount


class FakeAccounts:
    """The `Accounts` port.

    Attributes:
        people: Accounts by login name.
        stuck: When set, the name service does not answer.
        closed: Accounts that have expired.
        groups: Groups that there are; at first those of the people.
    """

    def __init__(self, *people: UnixAccount) -> None:
        self.people = {account.name: account for account in people}
        self.stuck = False
        self.closed: set[str] = set()
        self.groups = {group for account in people for group in account.groups}

    def lookup(self, user: str) -> UnixAccount | None:
        if self.stuck:
            raise Unavailable("The name service does not answer.")
        if user == "root":
            raise Forbidden("root is a system account, not a person's.")
        self.check_open(user)
        return self.people.get(user)

    def check_open(self, user: str) -> None:
        if user in self.closed:
            raise Forbidden(f"The account {user} is closed: it has expired.")

    def name_of(self, uid: int) -> str | None:
        if self.stuck:
            raise Unavailable("The name service does not answer.")
        return next((each.name for each in self.people.values() if each.uid == uid), None)

    def has_group(self, name: str) -> bool:
        if self.stuck:
            raise Unavailable("The name service does not answer.")
        return name in self.groups
