"""What is mounted where, as the kernel tells this process.

https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mount.

    Attributes:
        type: File system type, such as `ext4` or `fuse.sshfs`.
        fuse_user: Who serves it, where it is FUSE; else `None`.
    """

    type: str
    fuse_user: int | None = None


def mount_of(descriptor: int) -> Mounted | None:
    """The mount that an open file is on; `None` when it is not in this process' namespace."""
    info = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="utf-8")
    told = dict(line.split(":\t", 1) for line in info.splitlines() if ":\t" in line)
    number = told["mnt_id"].strip()
    table = Path("/proc/self/mountinfo").read_bytes().decode("utf-8", "surrogateescape")
    for line in table.split("\n"):
        if line.split(" ", 1)[0] == number:
            return _mounted(line)
    return None


def mount_points() -> list[str]:
    """Where something is mounted, in order."""
    table = Path("/proc/self/mountinfo").read_bytes().decode("utf-8", "surrogateescape")
    return [_unescaped(line.split(" ")[4]) for line in table.split("\n") if line]


def _mounted(line: str) -> Mounted:
    kind, _, options = line.partition(" - ")[2].split(" ", 2)
    if kind != "fuse" and not kind.startswith("fuse."):
        return Mounted(kind)
    # Without the option, whoever it is: not the administrator for certain.
    given = dict(option.partition("=")[::2] for option in options.split(","))
    user = given.get("user_id", "")
    return Mounted(kind, int(user) if user.isdigit() else -1)


def _unescaped(text: str) -> str:
    for escape, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, char)
    return text
