"""Host folders and their stage, in memory."""

import os
from collections.abc import Collection, Mapping
from datetime import timedelta

from ds01_spawner.domain.bind import Bind, check_binds, is_key
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, Unavailable
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.ports.folders import OpenedPath, PathKind


class FakePaths:
    """The `PersonalPaths` port.

    Attributes:
        kinds: What there is, by path.
        closed: (user, path) that the person may not read.
        read_only: (user, path) that the person may not write to.
        links: Where a path leads, of those that are links.
        made: Mount points that were made: (folder, relative path, whether a folder).
        stuck: When set, file systems do not answer.
    """

    def __init__(self, *folders: str) -> None:
        self.kinds = dict.fromkeys(folders, PathKind.FOLDER)
        self.closed: set[tuple[str, str]] = set()
        self.read_only: set[tuple[str, str]] = set()
        self.links: dict[str, str] = {}
        self.made: list[tuple[str, str, bool]] = []
        self.stuck = False

    def open(self, account: UnixAccount, path: str, *, create_missing: bool = False) -> OpenedPath:
        check_binds([Bind(path, "/any")])
        if self.stuck:
            raise Unavailable(f"{path} has not answered for 10 s.")
        real = self.links.get(path, path)
        if real not in self.kinds:
            if not create_missing:
                raise InvalidRequest(f"bind source path does not exist: {path}")
            self.kinds[real] = PathKind.FOLDER
        if (account.name, real) in self.closed:
            raise Forbidden(f"You may not use '{path}' on this machine: Permission denied.")
        return OpenedPath(
            descriptor=os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC),
            real_path=real,
            kind=self.kinds[real],
            writable=(account.name, real) not in self.read_only,
        )

    def make_mount_point(
        self, account: UnixAccount, folder: OpenedPath, relative: str, *, is_folder: bool = True
    ) -> None:
        if (account.name, folder.real_path) in self.read_only:
            raise Forbidden(f"You may not use '{relative}' on this machine: Permission denied.")
        self.made.append((folder.real_path, relative.strip("/"), is_folder))


class FakeStage:
    """The `BindStage` port.

    Attributes:
        mounted: (real path, whether read-only) by key and index.
        young: Keys that were staged a moment ago.
        broken: When set, nothing can be mounted.
    """

    def __init__(self) -> None:
        self.mounted: dict[tuple[str, int], tuple[str, bool]] = {}
        self.young: set[str] = set()
        self.broken = False

    def put(self, key: str, index: int, opened: OpenedPath, *, read_only: bool) -> str:
        if not is_key(key):
            raise InvalidRequest(f"{key!r}, {index} names no stage.")
        if self.broken:
            raise Unavailable(f"{opened.real_path} cannot be mounted.")
        self.mounted[key, index] = (opened.real_path, read_only or not opened.writable)
        return f"/run/ds01/binds/{key}/{index}"

    def clear(self, key: str) -> None:
        if not is_key(key):
            raise InvalidRequest(f"{key!r} names no stage.")
        self.mounted = {place: what for place, what in self.mounted.items() if place[0] != key}

    def keys(self, unchanged_for: timedelta = timedelta()) -> Collection[str]:
        every = {key for key, _ in self.mounted}
        return every - self.young if unchanged_for else every


class FakeVolumeFolders:
    """The `VolumeFolders` port.

    Attributes:
        given: Names of containers whose volumes were handed over.
    """

    def __init__(self) -> None:
        self.given: list[str] = []

    def hand_over(self, account: UnixAccount, container: Container) -> None:
        del account
        self.given.append(container.name)


class FakeRoots:
    """The `ContainerRoots` port: every container has these links at its root."""

    def __init__(self, **links: str) -> None:
        self.links = links

    def leads_to(self, container_id: str, paths: Collection[str]) -> Mapping[str, str]:
        del container_id
        return {path: self._led(path) for path in paths}

    def _led(self, path: str) -> str:
        first, _, rest = path.removeprefix("/").partition("/")
        return f"{self.links[first]}/{rest}" if first in self.links else path
