"""What people are told inside their containers: files in one folder per person."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from ds01_spawner.adapters.shown_files import Signature, opened, put, remove, signature
from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.domain.names import check_docker_name, check_user, user_slug
from ds01_spawner.domain.notice import Notice
from ds01_spawner.domain.notice_rendering import banner, notices_json
from ds01_spawner.domain.ssh_identity import FOLDER_NAME as SSH_FOLDER

_SUFFIXES = (".json", ".txt")


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
        with _told(f"{self._root}/{slug}"), opened(self._root, slug):
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
            with opened(self._root, slug) as folder:
                for suffix, content in zip(_SUFFIXES, contents, strict=True):
                    put(folder, f"{name}{suffix}", content.encode(errors="replace"))
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
                    if file != SSH_FOLDER and (slug, file) not in wanted:
                        with opened(self._root, slug) as folder:
                            remove(folder, file)
        self._shown = {
            (user, name): each
            for (user, name), each in self._shown.items()
            if (user_slug(user), f"{name}.json") in wanted
        }

    def _signatures(self, slug: str, name: str) -> tuple[Signature | None, ...]:
        folder = f"{self._root}/{slug}"
        return tuple(signature(f"{folder}/{name}{suffix}") for suffix in _SUFFIXES)


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


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise Unavailable(
            f"Notices cannot be kept in {path}: {exc.strerror or exc}.",
            "Ask the administrator to look at that folder and its disk.",
        ) from exc
