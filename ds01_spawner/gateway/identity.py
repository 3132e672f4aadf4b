"""Who is at the other end of a connection, as the kernel says."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.ports import Accounts, Engine

ADMIN_GROUP = "ds01-admin"
ROOT = "root"
_REMEMBERED_SECONDS = 5.0
"""How long somebody taken out of a group is still in it, at most."""

_CONTAINER_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


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

    @property
    def person(self) -> UnixAccount:
        """The Unix account of somebody who acts as themselves.

        Raises:
            Forbidden: There is none: it is root, or a person of the hub's alone.
        """
        if self.account is None:
            raise Forbidden(
                f"{self.user} has no account of a person on this server.",
                "Log in with your own account.",
            )
        return self.account


class Identification:
    """From what the kernel says about a connection to a person. Safe to use from many threads.

    Args:
        accounts: Unix accounts.
        engine: Asked whose a container is that somebody calls from.
        admin_group: The Unix group whose members may do everything.
        proc: Where processes are shown.
        monotonic: The time, in seconds.
    """

    def __init__(
        self,
        accounts: Accounts,
        engine: Callable[[], Engine],
        *,
        admin_group: str = ADMIN_GROUP,
        proc: str = "/proc",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._engine = engine
        self._admin_group = admin_group
        self._proc = Path(proc)
        self._monotonic = monotonic
        self._known: dict[int, tuple[float, str, UnixAccount]] = {}

    def identify(self, pid: int, uid: int) -> Caller:
        """The caller behind a connection.

        User ids mean somebody else inside a container: a process in one is believed only when the
        container is its user's own, and root in one is nobody.

        Raises:
            Forbidden: It is nobody who may use the gateway; it says why.
            Unavailable: Accounts or the engine cannot be asked.
        """
        owner = self._container_owner(pid)
        if uid == 0:
            if owner is not None:
                raise Forbidden(
                    "Root inside a container is nobody here.",
                    "Run the container as yourself to use Docker from inside it.",
                )
            return Caller(uid, pid, ROOT, None, is_admin=True)
        user, account = self._person(uid)
        if owner is not None and owner != user:
            raise Forbidden(
                "This container is not yours, so its processes cannot act in your name.",
                "Use a container of your own.",
            )
        inside = owner is not None
        is_admin = self._admin_group in account.groups and not inside
        return Caller(uid, pid, user, account, is_admin=is_admin)

    def _person(self, uid: int) -> tuple[str, UnixAccount]:
        now = self._monotonic()
        known = self._known.get(uid)
        if known is not None and 0 <= now - known[0] < _REMEMBERED_SECONDS:
            return known[1], known[2]
        user = self._accounts.name_of(uid)
        account = None if user is None else self._accounts.lookup(user)
        if user is None or account is None or account.uid != uid:
            raise Forbidden(
                f"Nobody with the user id {uid} has an account on this server.",
                "Log in with your own account.",
            )
        self._known[uid] = (now, user, account)
        return user, account

    def _container_owner(self, pid: int) -> str | None:
        """Whose container a process is in; `None` outside, empty where nobody can be named.

        Raises:
            Forbidden: The process has ended: what it was cannot be found out any more.
        """
        try:
            text = (self._proc / str(pid) / "cgroup").read_text(encoding="ascii", errors="replace")
        except OSError as exc:
            raise Forbidden(
                "The program that connected has ended.", "Let it run until it has its answer."
            ) from exc
        for container_id in dict.fromkeys(_CONTAINER_ID.findall(text)):
            container = self._engine().container(container_id)
            if container is not None:
                return labels.owner_of(container.labels) or ""
        return None
