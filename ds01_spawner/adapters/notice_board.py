"""What people see inside their containers: files in one folder per person.

The folder is mounted read-only into their containers, so that what is in it must never be
changed in place: a reader sees the old file or the new one.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.domain.names import check_docker_name, check_user, user_slug
from ds01_spawner.domain.notice import Notice
from ds01_spawner.domain.notice_rendering import banner, notices_json

_FOLDER_MODE = 0o755
_FILE_MODE = 0o644
_SUFFIXES = (".json", ".txt")
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST = 1024**2

Signature = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What was shown for a container, and how its files then looked."""

    notices: tuple[Notice, ...]
    signatures: tuple[Signature | None, ...]


class FileNoticeBoard:
    """The `NoticeBoard` port: `NAME.json` and `NAME.txt` in a folder per person.

    Args:
        root: Where the folders are; made when it is missing.
        zone: Where the readers' clocks hang.
    """

    def __init__(self, root: Path, zone: tzinfo) -> None:
        self._root = root.absolute()
        self._zone = zone
        self._shown: dict[tuple[str, str], _Shown] = {}

    def folder(self, user: str) -> str:
        """The host folder of a person, made if it is missing: what a container mounts.

        Raises:
            InvalidRequest: The name cannot be a person's.
            Unavailable: It cannot be made.
        """
        slug = user_slug(check_user(user))
        with _told(f"{self._root}/{slug}"), self._opened(slug):
            return str(self._root / slug)

    def show(self, user: str, name: str, notices: Sequence[Notice]) -> None:
        """Let exactly these notices stand for the person's container `name`.

        Nothing is written where they stand already. A container of other origin whose name could
        not be one of ours has no file.

        Raises:
            Unavailable: They cannot be written.
        """
        standing = tuple(notices)
        before = self._shown.get((user, name))
        if before is None and not _nameable(user, name):
            return
        slug = user_slug(user)
        with _told(f"{self._root}/{slug}"):
            signatures = self._signatures(slug, name)
            if before is not None and before == _Shown(standing, signatures):
                return
            contents = (notices_json(standing), banner(standing, self._zone))
            with self._opened(slug) as folder:
                for suffix, content in zip(_SUFFIXES, contents, strict=True):
                    _put(folder, f"{name}{suffix}", content.encode(errors="replace"))
            self._shown[user, name] = _Shown(standing, self._signatures(slug, name))

    def clear_others(self, shown: Collection[tuple[str, str]]) -> None:
        """Remove what stands for any container but those of `shown`, as (user, name).

        Raises:
            Unavailable: Something cannot be removed.
        """
        wanted = {
            (user_slug(user), f"{name}{suffix}")
            for user, name in shown
            if _nameable(user, name)
            for suffix in _SUFFIXES
        }
        with _told(str(self._root)):
            for slug in _entries(self._root):
                for file in _entries(self._root / slug):
                    if (slug, file) not in wanted:
                        with self._opened(slug) as folder:
                            _remove(folder, file)
        self._shown = {
            (user, name): each
            for (user, name), each in self._shown.items()
            if (user_slug(user), f"{name}.json") in wanted
        }

    def _signatures(self, slug: str, name: str) -> tuple[Signature | None, ...]:
        folder = f"{self._root}/{slug}"
        return tuple(_signature(f"{folder}/{name}{suffix}") for suffix in _SUFFIXES)

    @contextmanager
    def _opened(self, slug: str) -> Iterator[int]:
        """The person's folder, made if it is missing, in place of anything else of that name."""
        self._root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        path = self._root / slug
        try:
            folder = os.open(path, _OPEN_FOLDER)
        except FileNotFoundError:
            path.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            folder = os.open(path, _OPEN_FOLDER)
        except NotADirectoryError:
            path.unlink()
            path.mkdir(mode=_FOLDER_MODE)
            folder = os.open(path, _OPEN_FOLDER)
        try:
            # Whatever the umask: whoever runs inside a container reads it.
            if stat.S_IMODE(os.fstat(folder).st_mode) != _FOLDER_MODE:
                os.fchmod(folder, _FOLDER_MODE)
            yield folder
        finally:
            os.close(folder)


def _nameable(user: str, name: str) -> bool:
    try:
        check_user(user)
        check_docker_name(name)
    except InvalidRequest:
        return False
    return True


def _entries(folder: Path) -> list[str]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return [each.name for each in folder.iterdir()]
    return []


def _signature(path: str) -> Signature | None:
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (
        *(found.st_dev, found.st_ino, found.st_mode, found.st_size),
        *(found.st_mtime_ns, found.st_ctime_ns),
    )


def _put(folder: int, file: str, content: bytes) -> None:
    """Make a file hold `content`, unless it does."""
    if _held(folder, file) == content:
        return
    draft = f".{file}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(draft, flags, _FILE_MODE, dir_fd=folder), "wb") as out:
            os.fchmod(out.fileno(), _FILE_MODE)
            out.write(content)
        try:
            os.replace(draft, file, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError:
            _remove(folder, file)
            os.replace(draft, file, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise


def _held(folder: int, file: str) -> bytes | None:
    """What a plain file with the right mode holds; `None` for anything else."""
    try:
        mode = os.stat(file, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISREG(mode) or stat.S_IMODE(mode) != _FILE_MODE:
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(file, flags, dir_fd=folder), "rb") as held:
            return held.read(_LARGEST)
    except OSError:
        return None


def _remove(folder: int, file: str) -> None:
    try:
        os.unlink(file, dir_fd=folder)
    except IsADirectoryError:
        shutil.rmtree(file, dir_fd=folder)
    except FileNotFoundError:
        pass


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise Unavailable(
            f"Notices cannot be kept in {path}: {exc.strerror or exc}.",
            "Ask the administrator to look at that folder and its disk.",
        ) from exc
