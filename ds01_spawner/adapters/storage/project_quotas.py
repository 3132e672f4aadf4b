"""Project quotas, through the tools of Debian's package `quota`."""

import csv
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass

from ds01_spawner.domain.errors import Unavailable

FIRST_ID = 2**30
_IDS = 2**30
"""Docker counts projects up from 1 on XFS, administrators do so too: ours begin far above."""

_KIB = 1024
_SECONDS = 15
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
_TOOLS = ("repquota", "setquota")


@dataclass(frozen=True, slots=True)
class ProjectUse:
    """What the kernel says of one project.

    Attributes:
        used_bytes: Bytes on disk.
        limit_bytes: The bound, or `None`.
        files_soft: Bounds on the number of files, which are not ours and are kept.
        files_hard: The same.
    """

    used_bytes: int = 0
    limit_bytes: int | None = None
    files_soft: int = 0
    files_hard: int = 0


def project_id(user: str) -> int:
    """The project of a person; the same on every machine and after every restart."""
    digest = hashlib.sha256(user.encode(errors="surrogateescape")).digest()
    return FIRST_ID + int.from_bytes(digest[:8]) % _IDS


def tools_missing() -> str | None:
    """Why the kernel's quotas cannot be used, or `None`."""
    if os.geteuid() != 0:
        return "quotas need root"
    path = _ENVIRONMENT["PATH"]
    missing = [tool for tool in _TOOLS if shutil.which(tool, path=path) is None]
    return f"{' and '.join(missing)} missing: install the package quota" if missing else None


def read_uses(mount: str) -> dict[int, ProjectUse]:
    """Every project that uses something on a file system.

    Raises:
        Unavailable: They cannot be read.
    """
    return parse_uses(_run("repquota", "-P", "-n", "-O", "csv", mount))


def set_limit(mount: str, project: int, limit_bytes: int | None, current: ProjectUse) -> None:
    """Let the kernel refuse what would go beyond; no soft limit, which would become a hard one.

    Raises:
        Unavailable: It cannot be set.
    """
    # 0 is "no limit" there.
    kib = 0 if limit_bytes is None else max(limit_bytes // _KIB, 1)
    files = (str(current.files_soft), str(current.files_hard))
    _run("setquota", "-P", str(project), "0", str(kib), *files, mount)


def parse_uses(text: str) -> dict[int, ProjectUse]:
    """What `repquota -P -n -O csv` prints; blocks are of 1 KiB.

    Raises:
        Unavailable: It is something else.
    """
    try:
        return {
            int(row["Project"].removeprefix("#")): ProjectUse(
                used_bytes=int(row["BlockUsed"]) * _KIB,
                limit_bytes=int(row["BlockHardLimit"]) * _KIB or None,
                files_soft=int(row["FileSoftLimit"]),
                files_hard=int(row["FileHardLimit"]),
            )
            for row in csv.DictReader(text.splitlines())
        }
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise Unavailable(f"repquota printed something unknown: {text[:80]!r}.") from exc


def _run(*command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs, arguments of our own
            command,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Unavailable(f"{command[0]} cannot be run: {exc}.") from exc
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} failed: {done.stderr.strip()[:200]}.")
    return done.stdout
