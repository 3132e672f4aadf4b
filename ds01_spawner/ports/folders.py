"""Folders and files of the host that people want in their containers."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from ds01_spawner.domain.container import Container
from ds01_spawner.domain.person import UnixAccount


class PathKind(StrEnum):
    """What may be mounted into a container."""

    FOLDER = "folder"
    FILE = "file"
    SOCKET = "socket"
    """The gateway's own, and no other."""


@dataclass(frozen=True, slots=True)
class OpenedPath:
    """A path that a person may read, held open: whatever the name leads to later, this is it.

    Attributes:
        descriptor: Open file descriptor (`O_PATH`); closed by `close` or at the end of `with`.
        real_path: Where it was when it was opened, without links.
        kind: What it is.
        writable: Whether the person may write to it; for a folder, make files in it.
    """

    descriptor: int
    real_path: str
    kind: PathKind
    writable: bool

    def close(self) -> None:
        """Let go of it; call once."""
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class PersonalPaths(Protocol):
    """The host's files, with a person's permissions."""

    def open(self, account: UnixAccount, path: str, *, create_missing: bool = False) -> OpenedPath:
        """What `path` leads to for the person: their links, their permissions, all their groups.

        Args:
            account: The person.
            path: Absolute.
            create_missing: Make a folder, as the person, where there is nothing.

        Raises:
            InvalidRequest: There is nothing, or nothing that can be mounted.
            Forbidden: The person may not read it, or it is the platform's.
            Unavailable: The file system does not answer.
        """
        ...

    def make_mount_point(
        self, account: UnixAccount, folder: OpenedPath, relative: str, *, is_folder: bool = True
    ) -> None:
        """Make `relative` in `folder`, as the person, where something else will be mounted.

        Otherwise the engine makes it, as root. Nothing happens when it exists.

        Raises:
            InvalidRequest: The way there goes through a link or a file.
            Forbidden: The person may not make it.
            Unavailable: The file system does not answer.
        """
        ...


class BindStage(Protocol):
    """Where the engine finds what was opened: paths that only root can change."""

    def put(self, key: str, index: int, opened: OpenedPath, *, read_only: bool) -> str:
        """Mount what is open and return the host path for the engine; it outlives this process.

        Set-uid bits and device nodes below it have no effect. It is read-only when asked for, and
        when the person may not write to it. What was there under the same key and index goes.

        Raises:
            Unavailable: It cannot be mounted.
        """
        ...

    def clear(self, key: str) -> None:
        """Unmount everything of `key`; nothing happens when there is nothing.

        Never removes a file of a person's.

        Raises:
            Unavailable: It cannot be unmounted.
        """
        ...

    def keys(self, unchanged_for: timedelta = timedelta()) -> Collection[str]:
        """Every key that something was mounted for at least so long ago."""
        ...


class ContainerRoots(Protocol):
    """The files of containers, as they are before anything is mounted."""

    def leads_to(self, container_id: str, paths: Collection[str]) -> Mapping[str, str]:
        """Where absolute paths lead in a container that does not run, by path.

        Links of the image are followed, and links that the container made itself.

        Raises:
            Forbidden: One leads nowhere.
            Unavailable: The engine does not answer, or nobody can look into its containers.
        """
        ...


class VolumeFolders(Protocol):
    """The folders that the engine keeps volumes in."""

    def hand_over(self, account: UnixAccount, container: Container) -> None:
        """Make the person the owner of their container's volumes, where they run as themselves.

        The engine makes volumes as root, or as whoever owns that folder in the image: without
        this, nobody could write to theirs.

        Raises:
            Unavailable: One cannot be given to them.
        """
        ...
