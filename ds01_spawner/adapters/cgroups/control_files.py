"""The kernel's control files, as text in and text out."""

import errno
import os
from pathlib import Path
from typing import Protocol

_CHUNK_BYTES = 64 * 1024


class ControlFiles(Protocol):
    """A cgroup file system, mounted somewhere. Failures other than absence are `OSError`."""

    def read(self, path: Path) -> str | None:
        """Content without the final newline, or `None` when there is no such file."""
        ...

    def write(self, path: Path, text: str) -> None:
        """One write, as the kernel expects."""
        ...

    def make(self, directory: Path) -> None:
        """Make one directory; nothing happens when it exists."""
        ...

    def remove(self, directory: Path) -> bool:
        """Remove a cgroup without children and processes; whether it is gone."""
        ...

    def children(self, directory: Path) -> tuple[str, ...]:
        """Names of the cgroups in it, sorted; none when it does not exist."""
        ...

    def exists(self, directory: Path) -> bool:
        """Whether that cgroup exists."""
        ...


class KernelFiles:
    """The real ones."""

    def read(self, path: Path) -> str | None:
        """Content, or `None` when the file or its cgroup does not exist."""
        try:
            return _content(path).decode("ascii").rstrip("\n")
        except FileNotFoundError:
            return None
        except OSError as exc:
            if exc.errno == errno.ENODEV:  # the cgroup was removed while its file was open
                return None
            raise

    def write(self, path: Path, text: str) -> None:
        """One `write(2)`, without creating or truncating."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)

    def make(self, directory: Path) -> None:
        """Make one directory."""
        directory.mkdir(mode=0o755, exist_ok=True)

    def remove(self, directory: Path) -> bool:
        """Remove it; the kernel refuses while something is in it."""
        try:
            directory.rmdir()
        except FileNotFoundError:
            return True
        except OSError as exc:
            if exc.errno in {errno.EBUSY, errno.ENOTEMPTY}:
                return False
            raise
        return True

    def children(self, directory: Path) -> tuple[str, ...]:
        """Names of sub-directories."""
        try:
            with os.scandir(directory) as entries:
                return tuple(sorted(entry.name for entry in entries if entry.is_dir()))
        except FileNotFoundError:
            return ()

    def exists(self, directory: Path) -> bool:
        """Whether it is a directory."""
        return directory.is_dir()


def _content(path: Path) -> bytes:
    """What a file holds; a third of the time of `read_text`, and a pass reads hundreds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: os.read(descriptor, _CHUNK_BYTES), b""))
    finally:
        os.close(descriptor)
