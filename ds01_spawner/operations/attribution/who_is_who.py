"""Names of user ids and owners of folders, remembered: a directory server may take seconds."""

from collections.abc import Callable
from pathlib import PurePosixPath

from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.ports import Accounts

REMEMBERED_SECONDS = 600.0
_MOST = 4096
_DEEPEST_HOME = 5


class WhoIsWho:
    """The `Directory` of one scan after the other. For one thread at a time.

    What cannot be looked up is `None` and is said in `problems`; within one scan nothing more is
    asked then, so that a directory server that hangs costs one deadline.

    Args:
        accounts: Asked once for each name.
        monotonic: Seconds that never jump.

    Attributes:
        problems: Sentences on what could not be looked up in this scan.
    """

    def __init__(self, accounts: Accounts, monotonic: Callable[[], float]) -> None:
        self._accounts = accounts
        self._monotonic = monotonic
        self._names: dict[int, str | None] = {}
        self._homes: dict[str, str | None] = {}
        self._since = monotonic()
        self.problems: tuple[str, ...] = ()

    def begin(self) -> None:
        """A scan begins: what did not answer is asked again, and what is old is looked up anew."""
        self.problems = ()
        old = self._monotonic() - self._since > REMEMBERED_SECONDS
        if old or len(self._names) + len(self._homes) > _MOST:
            self._names.clear()
            self._homes.clear()
            self._since = self._monotonic()

    def name_of(self, uid: int) -> str | None:
        """The login name of a user id."""
        if uid not in self._names and not self.problems:
            try:
                self._names[uid] = self._accounts.name_of(uid)
            except Unavailable as exc:
                self.problems = (str(exc),)
        return self._names.get(uid)

    def owner_of(self, folder: str) -> str | None:
        """The person in whose home a folder is: one of its first steps is their login name."""
        path = PurePosixPath(folder)
        if not path.is_absolute() or ".." in path.parts:
            return None
        for step in path.parts[1 : _DEEPEST_HOME + 1]:
            home = self._home_of(step)
            if home is not None and path.is_relative_to(home):
                return step
        return None

    def person(self, name: str) -> str | None:
        """The person whose login name or user id that is."""
        if name.isascii() and name.isdecimal():
            return self.name_of(int(name)) if len(name) <= len(str(2**32)) else None
        return name if self._home_of(name) is not None else None

    def _home_of(self, name: str) -> str | None:
        if name not in self._homes and not self.problems:
            try:
                account = self._accounts.lookup(name)
            except Forbidden:
                account = None
            except Unavailable as exc:
                self.problems = (str(exc),)
                return None
            self._homes[name] = account.home if account else None
        return self._homes.get(name)
