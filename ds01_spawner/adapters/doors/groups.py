"""Unix groups: read from the machine's files and its directory, changed by gpasswd(1)."""

import grp
import pwd
import shutil
import subprocess
from pathlib import Path

from ds01_spawner.domain.door import GroupMembers
from ds01_spawner.domain.errors import NotFound, Unavailable

_DEADLINE_SECONDS = 30.0
_ROOT = Path("/")


class GroupFiles:
    """The `GroupDatabase` port.

    Args:
        root: Folder that stands for `/`.
    """

    def __init__(self, root: Path = _ROOT) -> None:
        self._root = root

    def members(self, group: str) -> GroupMembers | None:
        """Who is in it."""
        line = self._line(group)
        listed = tuple(filter(None, line[3].split(","))) if line else ()
        if self._root != _ROOT:
            return GroupMembers(listed, (), self._primary(line[2])) if line else None
        try:
            known = grp.getgrnam(group)
        except KeyError:
            return None
        primary = tuple(each.pw_name for each in pwd.getpwall() if each.pw_gid == known.gr_gid)
        elsewhere = tuple(name for name in known.gr_mem if name not in listed)
        return GroupMembers(listed, elsewhere, primary)

    def remove(self, user: str, group: str) -> None:
        """Take somebody out of a group of this machine's file."""
        members = self.members(group)
        if members is not None and user in members.listed:
            self._gpasswd("-d", user, group)

    def add(self, user: str, group: str) -> None:
        """Put somebody into a group of this machine's file."""
        members = self.members(group)
        if members is None:
            raise NotFound(f"There is no group {group}.")
        if user in members.listed:
            return
        if not self._exists(user):
            raise NotFound(f"There is no user {user} any more.")
        self._gpasswd("-a", user, group)

    def _line(self, group: str) -> list[str]:
        return next((line for line in self._lines("group") if line[0] == group), [])

    def _primary(self, gid: str) -> tuple[str, ...]:
        return tuple(line[0] for line in self._lines("passwd") if line[3] == gid)

    def _exists(self, user: str) -> bool:
        if self._root != _ROOT:
            return any(line[0] == user for line in self._lines("passwd"))
        try:
            pwd.getpwnam(user)
        except KeyError:
            return False
        return True

    def _lines(self, name: str) -> list[list[str]]:
        path = self._root / "etc" / name
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as exc:
            raise Unavailable(f"{path} cannot be read: {exc.strerror}.") from exc
        return [line.split(":") for line in text.splitlines() if line.count(":") >= 3]  # noqa: PLR2004 - group(5)

    def _gpasswd(self, *arguments: str) -> None:
        program = shutil.which("gpasswd", path="/usr/bin:/bin")
        if program is None:
            raise Unavailable("gpasswd is not installed.", "Install the package passwd.")
        elsewhere = [] if self._root == _ROOT else ["--root", str(self._root)]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program; names come from the group file
                [program, *elsewhere, *arguments],
                capture_output=True,
                text=True,
                check=False,
                timeout=_DEADLINE_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Unavailable(f"gpasswd did not run: {exc}.") from exc
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise Unavailable(f"gpasswd {' '.join(arguments)} failed: {said}")
