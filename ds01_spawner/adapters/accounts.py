"""Unix accounts, through the name service: local files, LDAP, SSSD."""

import ctypes
import errno
import grp
import os
import pwd
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ds01_spawner.adapters.account_expiry import Expiry
from ds01_spawner.adapters.hang_guard import KeyedGuard
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.person import UnixAccount

FIRST_PERSON_ID = 1000
DEADLINE_SECONDS = 10.0
_MOST_HANGING = 32
_NOBODY_ID = 65534
_OUTSIDE_ONLY = frozenset(
    {
        "adm",
        "disk",
        "docker",
        "incus",
        "incus-admin",
        "kvm",
        "libvirt",
        "lxc",
        "lxd",
        "microk8s",
        "podman",
        "root",
        "shadow",
        "sudo",
        "systemd-journal",
        "wheel",
    }
)
"""Groups that mean power over the host; nobody needs them in a container."""

_NOT_FOUND = frozenset({0, errno.ENOENT, errno.ESRCH, errno.EBADF, errno.EPERM})
"""What `getpwnam_r` returns where there is no such name (getpwnam(3), ERRORS)."""


@dataclass(frozen=True, slots=True)
class NameService:
    """The calls that ask the name service, so that a test can stand in for a directory server."""

    passwd: Callable[[str], pwd.struct_passwd]
    failure: Callable[[str], int]
    group_ids: Callable[[str, int], Sequence[int]]
    group: Callable[[int], grp.struct_group]
    by_uid: Callable[[int], pwd.struct_passwd] = pwd.getpwuid
    by_name: Callable[[str], grp.struct_group] = grp.getgrnam


def _failure_number(user: str) -> int:
    """The status of `getpwnam_r`, which Python's `pwd` takes for "no such name" whatever it is."""
    libc = ctypes.CDLL(None)
    buffer = ctypes.create_string_buffer(65536)
    record = ctypes.create_string_buffer(1024)
    found = ctypes.c_void_p()
    return int(libc.getpwnam_r(os.fsencode(user), record, buffer, len(buffer), ctypes.byref(found)))


SYSTEM = NameService(pwd.getpwnam, _failure_number, os.getgrouplist, grp.getgrgid)


class UnixAccounts:
    """The `Accounts` port. Many threads may use it.

    A directory server that hangs (LDAP, SSSD), or a home on a file server that does, is not waited
    for longer than the deadline, whoever asks.
    """

    def __init__(
        self,
        names: NameService = SYSTEM,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        expiry: Expiry | None = None,
    ) -> None:
        self._expiry = expiry or Expiry()
        self._names = names
        self._guard = KeyedGuard(
            "The directory of accounts, or a home directory,",
            deadline_seconds,
            _MOST_HANGING,
            "Try again in a minute; if it stays, the administrator should look at SSSD or LDAP"
            " (getent passwd) and at the file server.",
        )

    def lookup(self, user: str) -> UnixAccount | None:
        """The account whose login name is exactly `user`, or `None`.

        `groups` has every group's name; `group_ids` only those that may be passed into a
        container: the primary group, and others from gid 1000 on that give no power over the host.

        Raises:
            Forbidden: It is a system account, it is closed, or its home cannot be a person's home.
            Unavailable: The name service or the home directory cannot be read now.
        """
        return self._guard.run(f"name {user}", lambda: self._looked_up(user))

    def _looked_up(self, user: str) -> UnixAccount | None:
        entry = self._entry(user)
        if entry is None:
            return None
        if entry.pw_uid < FIRST_PERSON_ID or entry.pw_uid == _NOBODY_ID or entry.pw_gid == 0:
            raise Forbidden(
                f"{user} is a system account (uid {entry.pw_uid}, gid {entry.pw_gid});"
                " system accounts cannot have containers.",
                "Log in with your own account.",
            )
        self.check_open(user)
        _check_home(user, entry.pw_uid, entry.pw_dir)
        try:
            named = {gid: self._group_name(gid) for gid in self._group_ids(entry)}
        except OSError as exc:
            raise Unavailable(f"The groups of {user} cannot be read: {exc}.") from exc
        return UnixAccount(
            name=user,
            uid=entry.pw_uid,
            gid=entry.pw_gid,
            home=entry.pw_dir,
            groups=tuple(named.values()),
            group_ids=tuple(
                gid for gid, name in named.items() if gid == entry.pw_gid or _may_enter(gid, name)
            ),
        )

    def check_open(self, user: str) -> None:
        """Return when no account of that name has expired; by what is in memory, if it is current.

        Raises:
            Forbidden: It has.
            Unavailable: That cannot be read.
        """
        try:
            is_closed = self._expiry.has_expired(user)
        except OSError as exc:
            raise Unavailable(f"Whether {user} is closed cannot be read: {exc}.") from exc
        if is_closed:
            raise Forbidden(
                f"The account {user} is closed: it has expired.",
                "Ask the administrator to open it again.",
            )

    def name_of(self, uid: int) -> str | None:
        """The login name of a user id, or `None`.

        Raises:
            Unavailable: The name service cannot be read now.
        """
        return self._guard.run(f"uid {uid}", lambda: self._login_name(uid))

    def has_group(self, name: str) -> bool:
        """Whether there is a group of that name.

        Raises:
            Unavailable: The name service cannot be read now.
        """
        return self._guard.run(f"group {name}", lambda: self._knows_group(name))

    def _knows_group(self, name: str) -> bool:
        try:
            self._names.by_name(name)
        except KeyError:
            return False
        except OSError as exc:
            raise Unavailable(f"The group {name} cannot be looked up: {exc}.") from exc
        return True

    def _login_name(self, uid: int) -> str | None:
        try:
            return self._names.by_uid(uid).pw_name
        except KeyError:
            return None
        except OSError as exc:
            raise Unavailable(f"The account of uid {uid} cannot be looked up: {exc}.") from exc

    def _entry(self, user: str) -> pwd.struct_passwd | None:
        try:
            entry = self._names.passwd(user)
        except KeyError:
            failure = self._names.failure(user)
            if failure in _NOT_FOUND:
                return None
            raise Unavailable(
                f"The account of {user} cannot be looked up: {os.strerror(failure)}."
            ) from None
        except OSError as exc:
            raise Unavailable(f"The account of {user} cannot be looked up: {exc}.") from exc
        except ValueError:
            return None  # a null byte or a lone surrogate, which no login name has
        # A directory server may find Alice for alice; then they are not the same person.
        return entry if entry.pw_name == user else None

    def _group_ids(self, entry: pwd.struct_passwd) -> list[int]:
        others = self._names.group_ids(entry.pw_name, entry.pw_gid)
        return list(dict.fromkeys([entry.pw_gid, *others]))

    def _group_name(self, gid: int) -> str:
        try:
            return self._names.group(gid).gr_name
        except KeyError:
            return str(gid)


def _may_enter(gid: int, name: str) -> bool:
    return gid >= FIRST_PERSON_ID and gid != _NOBODY_ID and name not in _OUTSIDE_ONLY


def _check_home(user: str, uid: int, home: str) -> None:
    if not home.startswith("/") or not home.strip("/"):
        raise Forbidden(f"The home directory of {user} is {home!r}, which is no person's home.")
    try:
        found = Path(home).stat()
    except FileNotFoundError as exc:
        raise Unavailable(
            f"The home directory {home} of {user} does not exist.",
            "Log in to the server once, or ask the administrator to make it.",
        ) from exc
    except OSError as exc:
        raise Unavailable(f"The home directory {home} of {user} cannot be read: {exc}.") from exc
    if not stat.S_ISDIR(found.st_mode):
        raise Forbidden(f"The home {home} of {user} is not a directory.")
    if found.st_uid != uid:
        raise Forbidden(
            f"The home directory {home} belongs to uid {found.st_uid}, not to {user} (uid {uid}).",
            "Ask the administrator to correct it.",
        )
