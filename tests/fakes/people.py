"""Unix accounts that can be changed, in memory, and what people have in an engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable
from ds01_spawner.domain.people import AccountEntry, Thing


@dataclass
class FakeAccountKeeper:
    """The `AccountKeeper` port.

    Attributes:
        accounts: By name.
        groups: Unix groups that are there besides those of accounts.
        folders: Paths that are there.
        busy: Names that run something.
        fails: A method's name that fails as soon as it is called.
        calls: Every change, in order.
    """

    accounts: dict[str, AccountEntry] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    fails: str = ""
    calls: list[str] = field(default_factory=list)

    def find(self, name: str) -> AccountEntry | None:
        return self.accounts.get(name)

    def every(self) -> Sequence[AccountEntry]:
        return tuple(each for _, each in sorted(self.accounts.items()) if each.is_person)

    def has_group(self, name: str) -> bool:
        return name in self.groups or name in self.accounts

    def home_of_new(self, name: str) -> tuple[str, bool]:
        return f"/home/{name}", f"/home/{name}" in self.folders

    def has_home(self, name: str) -> bool:
        return self._known(name).home in self.folders

    def missing_folders(self, name: str, folders: Sequence[str]) -> tuple[str, ...]:
        home = self._known(name).home
        return tuple(each for each in folders if f"{home}/{each}" not in self.folders)

    def create(self, name: str, full_name: str, *, create_home: bool) -> None:
        self._enter("create")
        if name in self.accounts:
            raise Conflict(f"useradd says: user {name} exists")
        uid = max([1000, *(each.uid for each in self.accounts.values())]) + 1
        self.put(AccountEntry(name, uid, uid, full_name, f"/home/{name}", groups=(name,)))
        if create_home:
            self.folders.add(f"/home/{name}")

    def make_home(self, name: str) -> None:
        self._enter("make_home")
        self.folders.add(self._known(name).home)

    def make_folders(self, name: str, folders: Sequence[str]) -> None:
        self._enter("make_folders")
        self.folders |= {f"{self._known(name).home}/{each}" for each in folders}

    def close(self, name: str) -> None:
        self._enter("close")
        self.put(replace(self._known(name), is_closed=True))

    def open(self, name: str) -> None:
        self._enter("open")
        self.put(replace(self._known(name), is_closed=False))

    def leave(self, name: str, group: str) -> None:
        self._enter("leave")
        known = self._known(name)
        listed = tuple(each for each in known.listed_in if each != group)
        groups = tuple(each for each in known.groups if each != group)
        self.put(replace(known, listed_in=listed, groups=groups))

    def remove(self, name: str) -> None:
        self._enter("remove")
        if name in self.busy:
            raise Conflict(f"{name} still runs something on the server.")
        known = self.accounts.pop(name, None)
        if known is not None:
            self.folders = {each for each in self.folders if not each.startswith(known.home)}

    def put(self, entry: AccountEntry) -> None:
        """Let there be an account."""
        self.accounts[entry.name] = entry

    def _known(self, name: str) -> AccountEntry:
        if name not in self.accounts:
            raise NotFound(f"There is no account {name}.")
        return self.accounts[name]

    def _enter(self, method: str) -> None:
        if self.fails == method:
            raise Unavailable(f"{method} failed.")
        self.calls.append(method)


@dataclass
class FakeThings:
    """The `Things` port.

    Attributes:
        things: By person.
        used: Names of things that something uses.
    """

    things: dict[str, tuple[Thing, ...]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def things_of(self, user: str) -> Sequence[Thing]:
        return self.things.get(user, ())

    def remove_thing(self, thing: Thing) -> None:
        if thing.name in self.used:
            raise Conflict(f"{thing.name} is in use.")
        self.things = {
            user: tuple(each for each in things if each != thing)
            for user, things in self.things.items()
        }


@dataclass
class FakeLeavingMark:
    """The `LeavingMark` port.

    Attributes:
        left: How many have left.
    """

    left: int = 0

    def renew(self) -> None:
        self.left += 1

    def seen(self) -> int:
        return self.left
