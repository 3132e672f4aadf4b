"""What is mounted where, and whose fault it is if that hangs."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TABLE_SECONDS = 30.0

_SERVERS = frozenset(
    {"ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"},
)
"""File systems that only the administrator mounts. Of FUSE, whoever mounts chooses kind and source
(`fusermount3 -o fsname=nas:/x,subtype=nfs`), but not `user_id`."""


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What is mounted somewhere.

    Attributes:
        name: Its server where it has one, so that all exports of one are one; else its device.
        is_shared: Whether it hangs for everybody if it hangs: a local disk does not hang, but
            what a person mounts over their own folder does.
    """

    name: str
    is_shared: bool = False


class FileSystems:
    """Which file system a workspace is on, without touching it."""

    def __init__(self, table: Path, monotonic: Callable[[], float]) -> None:
        self._table = table
        self._monotonic = monotonic
        self._known: Mapping[str, FileSystem] = {}
        self._found: dict[str, FileSystem] = {}
        self._read_at: float | None = None

    def of(self, folder: str, files: Iterable[str]) -> FileSystem:
        """That of one of the files where something is mounted over it; else the folder's."""
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= _TABLE_SECONDS:
            with suppress(OSError):
                self._known = parse_mount_table(self._table.read_text(errors="surrogateescape"))
            self._read_at, self._found = now, {}
        for file in files:
            if (found := self._known.get(f"{folder}/{file}")) is not None:
                return found
        if (found := self._found.get(folder)) is None:
            self._found[folder] = found = self._of(folder)
        return found

    def _of(self, path: str) -> FileSystem:
        for folder in (Path(path), *Path(path).parents):
            if (found := self._known.get(str(folder))) is not None:
                return found
        return FileSystem("/")


def parse_mount_table(text: str) -> dict[str, FileSystem]:
    """What is mounted at each mount point, from `/proc/PID/mountinfo` (proc(5))."""
    found = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, system = before.split(), after.split()
        if len(fields) > 4 and len(system) > 1:  # noqa: PLR2004 - the columns of the table
            found[_unescaped(fields[4])] = _file_system(fields[2], *system)
    return found


def _file_system(device: str, kind: str, source: str, *options: str) -> FileSystem:
    if kind in _SERVERS:
        return FileSystem(_server(source) or device, is_shared=True)
    of_root = "user_id=0" in ",".join(options).split(",")
    return FileSystem(device, is_shared=kind.partition(".")[0] == "fuse" and of_root)


def _server(source: str) -> str:
    """`server` of `server:/export` (NFS, Ceph, Lustre) and of `//server/share` (SMB)."""
    if source.startswith("//"):
        return source[2:].partition("/")[0]
    server, colon, _ = source.partition(":/")
    return server if colon else ""


def _unescaped(path: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path
