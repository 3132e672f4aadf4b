"""The folder `ssh` beside a person's notices, which every container of theirs has."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path

from ds01_spawner.adapters.shown_files import (
    Signature,
    held,
    opened,
    opened_below,
    put,
    put_first,
    signature,
)
from ds01_spawner.adapters.ssh_folder.host_key import new_host_key, public_part
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.names import check_user, user_slug
from ds01_spawner.domain.ssh_identity import (
    FOLDER_NAME,
    SshIdentity,
    authorized_keys,
    group_line,
    passwd_line,
)
from ds01_spawner.domain.ssh_key import SshKey

HOST_KEY = "host_key"
_PROGRAMS = ("sshd_config", "start.sh", "session.sh")


class FileSshFolder:
    """Files of root's that everybody inside may read and nobody may write.

    The server runs as the person and must read its host key, so that whoever is in a container of
    theirs has it. On the host, root alone gets to the folder.

    Args:
        root: Where the people's folders are, as for `FileNoticeBoard`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._public: dict[str, tuple[Signature, str]] = {}

    def show(self, user: str, identity: SshIdentity, keys: Sequence[SshKey]) -> str:
        """Let exactly these keys open the person's containers; the public host key."""
        slug = user_slug(check_user(user))
        texts = {
            "authorized_keys": authorized_keys(keys),
            "passwd": passwd_line(identity),
            "group": group_line(identity),
        }
        contents = {name: text.encode() for name, text in texts.items()}
        with (
            self._told(slug),
            opened(self._root, slug) as person,
            opened_below(person, FOLDER_NAME) as folder,
        ):
            for name, content in {**programs(), **contents}.items():
                put(folder, name, content)
            return self._host_key(slug, folder)

    def forget(self, user: str) -> None:
        """Remove the folder, with the host key."""
        slug = user_slug(check_user(user))
        self._public.pop(slug, None)
        with self._told(slug), suppress(FileNotFoundError):
            shutil.rmtree(self._root / slug / FOLDER_NAME)

    def _host_key(self, slug: str, folder: int) -> str:
        path = f"{self._root}/{slug}/{FOLDER_NAME}/{HOST_KEY}"
        found, known = signature(path), self._public.get(slug)
        if known is not None and known[0] == found:
            return known[1]
        if found is None:
            put_first(folder, HOST_KEY, new_host_key())
            found = signature(path)
        public = public_part(held(folder, HOST_KEY) or b"")
        if public is None or found is None:
            raise Unavailable(
                f"The host key in {path} is damaged.",
                "Ask the administrator to remove it: a new one is made, which clients notice.",
            )
        self._public[slug] = (found, public)
        return public

    @contextmanager
    def _told(self, slug: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise Unavailable(
                f"What SSH needs cannot be kept in {self._root}/{slug}: {exc.strerror or exc}.",
                "Ask the administrator to look at that folder and its disk.",
            ) from exc


@cache
def programs() -> Mapping[str, bytes]:
    """The files that are the same for everybody, by name."""
    return {name: (files(__package__) / name).read_bytes() for name in _PROGRAMS}
