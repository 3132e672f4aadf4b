"""Files that the platform shows people inside their containers: one folder per person.

The folder is mounted read-only there, so that what is in it must never be changed in place: a
reader sees the old file or the new one. On the host nobody but root gets to it: what one person's
containers are shown is no other's.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT_MODE = 0o700
FOLDER_MODE = 0o755
"""Whoever runs inside a container reads it."""

_FILE_MODE = 0o644
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST = 1024**2

Signature = tuple[int, ...]


@contextmanager
def opened(root: Path, slug: str) -> Iterator[int]:
    """A person's folder below `root`, made if it is missing, in place of anything else there."""
    root.mkdir(mode=ROOT_MODE, parents=True, exist_ok=True)
    place = os.open(root, _OPEN_FOLDER)
    try:
        _set_mode(place, ROOT_MODE)
        with opened_below(place, slug) as folder:
            yield folder
    finally:
        os.close(place)


@contextmanager
def opened_below(parent: int, name: str) -> Iterator[int]:
    """A folder in an open one, made if it is missing, in place of anything else of that name."""
    with suppress(FileExistsError):
        os.mkdir(name, FOLDER_MODE, dir_fd=parent)
    try:
        folder = os.open(name, _OPEN_FOLDER, dir_fd=parent)
    except NotADirectoryError:
        os.unlink(name, dir_fd=parent)
        os.mkdir(name, FOLDER_MODE, dir_fd=parent)
        folder = os.open(name, _OPEN_FOLDER, dir_fd=parent)
    try:
        _set_mode(folder, FOLDER_MODE)  # whatever the umask
        yield folder
    finally:
        os.close(folder)


def put(folder: int, file: str, content: bytes) -> None:
    """Make a file hold `content`, unless it does."""
    if held(folder, file) == content:
        return
    with _draft(folder, file, content) as draft:
        try:
            os.replace(draft, file, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError:
            remove(folder, file)
            os.replace(draft, file, src_dir_fd=folder, dst_dir_fd=folder)


def put_first(folder: int, file: str, content: bytes) -> None:
    """Make a file hold `content`, unless there is a file of that name."""
    with _draft(folder, file, content) as draft, suppress(FileExistsError):
        os.link(draft, file, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)


def held(folder: int, file: str) -> bytes | None:
    """What a plain file with the right mode holds; `None` for anything else."""
    try:
        mode = os.stat(file, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISREG(mode) or stat.S_IMODE(mode) != _FILE_MODE:
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(file, flags, dir_fd=folder), "rb") as content:
            return content.read(_LARGEST)
    except OSError:
        return None


def remove(folder: int, file: str) -> None:
    """Let there be nothing of that name."""
    try:
        os.unlink(file, dir_fd=folder)
    except IsADirectoryError:
        shutil.rmtree(file, dir_fd=folder)
    except FileNotFoundError:
        pass


def signature(path: str) -> Signature | None:
    """What changes whenever a file does; `None` where there is none."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (
        *(found.st_dev, found.st_ino, found.st_mode, found.st_size),
        *(found.st_mtime_ns, found.st_ctime_ns),
    )


@contextmanager
def _draft(folder: int, file: str, content: bytes) -> Iterator[str]:
    """A file beside another that holds `content`; what is left of it afterwards is removed."""
    draft = f".{file}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(draft, flags, _FILE_MODE, dir_fd=folder), "wb") as out:
            os.fchmod(out.fileno(), _FILE_MODE)
            out.write(content)
        yield draft
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)


def _set_mode(folder: int, mode: int) -> None:
    if stat.S_IMODE(os.fstat(folder).st_mode) != mode:
        os.fchmod(folder, mode)
