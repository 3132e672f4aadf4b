"""Unix accounts, changed by the distribution's own tools: useradd, usermod, userdel, gpasswd."""

import grp
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable
from ds01_spawner.domain.people import FIRST_PERSON_ID, NOBODY_ID, AccountEntry

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_DEADLINE_SECONDS = 600.0
"""Removing a large home takes minutes."""

_SECONDS_A_DAY = 86400
_NEVER = 10**9
_EXPIRES, _SHADOW_FIELDS = 7, 9
_NAME_TAKEN, _IN_USE, _GONE = 9, 8, 6
_HOME_MODE, _HOME_MASK, _FOLDER_MODE = "0750", "0027", "0750"


class _OwnFiles:
    """This machine's own lists of accounts and groups, as they are now."""

    def __init__(self) -> None:
        self._names = frozenset(fields[0] for fields in _lines("passwd"))
        self._expiry = {
            fields[0]: fields[_EXPIRES]
            for fields in _lines("shadow")
            if len(fields) == _SHADOW_FIELDS and fields[_EXPIRES].isdecimal()
        }
        self._groups: dict[str, list[str]] = {}
        for fields in _lines("group"):
            for user in fields[-1].split(","):
                self._groups.setdefault(user, []).append(fields[0])

    def entry(self, found: pwd.struct_passwd) -> AccountEntry:
        """An account of the name service's, and what this machine says of it."""
        name = found.pw_name
        expires = int(self._expiry.get(name, _NEVER))
        return AccountEntry(
            name=name,
            uid=found.pw_uid,
            gid=found.pw_gid,
            full_name=found.pw_gecos.partition(",")[0],
            home=found.pw_dir,
            is_local=name in self._names,
            is_closed=expires <= time.time() // _SECONDS_A_DAY,
            groups=_groups(found),
            listed_in=self.groups(name),
        )

    def groups(self, user: str) -> tuple[str, ...]:
        """The groups that name somebody."""
        return tuple(self._groups.get(user, ()))


class ShadowTools:
    """The `AccountKeeper` port; changes are for root."""

    def find(self, name: str) -> AccountEntry | None:
        """The account of exactly that name."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            # Tells "no such name" apart from a directory server that does not answer.
            UnixAccounts().lookup(name)
            return None
        except (OSError, ValueError) as exc:
            raise Unavailable(f"The account {name!r} cannot be looked up: {exc}.") from exc
        return _OwnFiles().entry(entry) if entry.pw_name == name else None

    def every(self) -> Sequence[AccountEntry]:
        """Every person's account that the name service lists."""
        listed = {each.pw_name: each for each in pwd.getpwall() if _is_person(each)}
        own = _OwnFiles()
        return tuple(own.entry(listed[name]) for name in sorted(listed))

    def has_group(self, name: str) -> bool:
        """Whether there is a Unix group of that name."""
        try:
            grp.getgrnam(name)
        except KeyError:
            return False
        return True

    def home_of_new(self, name: str) -> tuple[str, bool]:
        """Where useradd(8) puts it."""
        said = _run("useradd", "--defaults").stdout
        settings = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        home = Path(settings.get("HOME") or "/home") / name
        return str(home), os.path.lexists(home)

    def has_home(self, name: str) -> bool:
        """Whether something is where it should be; one that root may not see is there."""
        return _is_there(Path(self._known(name).pw_dir))

    def missing_folders(self, name: str, folders: Sequence[str]) -> tuple[str, ...]:
        """Those that the person does not see: root may be nobody on a file server."""
        entry = self._known(name)
        return tuple(each for each in folders if not _sees(entry, Path(entry.pw_dir) / each))

    def create(self, name: str, full_name: str, *, create_home: bool) -> None:
        """useradd(8), which leaves the password locked."""
        home = ["--create-home"] if create_home else ["--no-create-home"]
        comment = ["--comment", full_name] if full_name else []
        settings = ["--key", f"HOME_MODE={_HOME_MODE}"]
        arguments = [*home, "--user-group", *settings, "--shell", _shell(), *comment, "--", name]
        done = _run("useradd", *arguments, accepted={0, _NAME_TAKEN})
        if done.returncode == _NAME_TAKEN:
            raise Conflict(f"useradd says: {_said(done)}")

    def make_home(self, name: str) -> None:
        """mkhomedir_helper(8), which copies /etc/skel."""
        _run("mkhomedir_helper", name, _HOME_MASK)

    def make_folders(self, name: str, folders: Sequence[str]) -> None:
        """mkdir(1), as the person: nothing they put there leads root astray."""
        entry = self._known(name)
        places = [str(Path(entry.pw_dir) / each) for each in folders]
        arguments = ["--parents", f"--mode={_FOLDER_MODE}", "--", *places]
        _run("mkdir", *arguments, person=entry)

    def close(self, name: str) -> None:
        """The account expires: neither a password nor an SSH key opens it."""
        _run("usermod", "--expiredate", "1", "--", name)

    def open(self, name: str) -> None:
        """It does not expire any more."""
        _run("usermod", "--expiredate", "", "--", name)

    def leave(self, name: str, group: str) -> None:
        """gpasswd(1)."""
        if group in _OwnFiles().groups(name):
            _run("gpasswd", "--delete", name, "--", group)

    def remove(self, name: str) -> None:
        """userdel(8), with home and mail."""
        done = _run("userdel", "--remove", "--", name, accepted={0, _GONE, _IN_USE})
        if done.returncode == _IN_USE:
            raise Conflict(
                f"{name} still runs something on the server ({_said(done)}).",
                f"End it (loginctl terminate-user {name}), then do this again.",
            )

    def _known(self, name: str) -> pwd.struct_passwd:
        try:
            return pwd.getpwnam(name)
        except KeyError as exc:
            raise NotFound(f"There is no account {name}.") from exc


def _is_person(entry: pwd.struct_passwd) -> bool:
    return entry.pw_uid >= FIRST_PERSON_ID and entry.pw_uid != NOBODY_ID


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _sees(entry: pwd.struct_passwd, path: Path) -> bool:
    """Whether something is there, as the person sees it; test(1)."""
    arguments = [str(path), "-o", "-L", str(path)]
    return _run("test", "-e", *arguments, accepted={0, 1}, person=entry).returncode == 0


def _groups(entry: pwd.struct_passwd) -> tuple[str, ...]:
    names = []
    for gid in dict.fromkeys(os.getgrouplist(entry.pw_name, entry.pw_gid)):
        try:
            names.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            names.append(str(gid))
    return tuple(names)


def _lines(file: str) -> list[list[str]]:
    path = Path("/etc") / file
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise Unavailable(f"{path} cannot be read: {exc.strerror}.") from exc
    return [line.split(":") for line in text.splitlines()]


def _shell() -> str:
    return "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"


def _run(
    program: str,
    *arguments: str,
    accepted: frozenset[int] | set[int] = frozenset({0}),
    person: pwd.struct_passwd | None = None,
) -> subprocess.CompletedProcess[str]:
    """What a program ended with; no shell reads its arguments."""
    found = shutil.which(program, path=_PATH)
    if found is None:
        raise Unavailable(f"{program} is not installed.", "Install the package passwd or PAM's.")
    try:
        with _uninterrupted():
            done = subprocess.run(  # noqa: S603 - a program of the system, a list of arguments
                [found, *arguments],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                env={"PATH": _PATH, "LC_ALL": "C.UTF-8"},
                timeout=_DEADLINE_SECONDS,
                user=person and person.pw_uid,
                group=person and person.pw_gid,
                extra_groups=person and [],
            )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Unavailable(f"{program} did not run: {exc}.") from exc
    if done.returncode not in accepted:
        raise Unavailable(f"{program} failed: {_said(done)}")
    return done


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Within, Ctrl-C waits, for the program that is run too: no account is left half-made."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split()) or f"exit code {done.returncode}"
