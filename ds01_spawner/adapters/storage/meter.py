"""The `StorageMeter` port: the kernel's count where it keeps one, else a walk."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.storage import project_quotas
from ds01_spawner.adapters.storage.project_quotas import ProjectUse, project_id
from ds01_spawner.adapters.storage.walker import Walker
from ds01_spawner.domain import names
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.storage import KERNEL, WALK, Folder, StorageUse
from ds01_spawner.ports import Clock

_log = logging.getLogger("ds01.storage")
_NEARLY_FULL = 0.75
"""From here on somebody may be told, and is then told of their largest folders too."""

_ADOPTED_AGAIN = timedelta(days=1)
"""How often a home is searched for files that were taken out of its project."""


@dataclass(frozen=True, slots=True)
class _Project:
    """A home's project.

    Attributes:
        mount: The file system.
        id: The project.
        adopted: Whether everything in the home was put into it.
        recently: Whether that has been looked at lately.
    """

    mount: str
    id: int
    adopted: bool
    recently: bool


@dataclass(frozen=True, slots=True)
class _Home:
    """Whose home is where, and the uid that it has to belong to; `None` for a volume."""

    user: str
    path: str
    uid: int | None

    @property
    def question(self) -> Mapping[str, Any]:
        return {"path": self.path, "kept": f"{names.user_slug(self.user)}.tree", "uid": self.uid}


class HomeMeter:
    """Measures homes; safe to use from many threads, one home at a time.

    Args:
        clock: Says when a measurement was complete.
        folder: Where what walks found is kept: names of people's folders, for root alone.
        quotas_missing: Why project quotas cannot be used, or `None`.
    """

    def __init__(
        self,
        clock: Clock,
        folder: Path,
        *,
        quotas_missing: Callable[[], str | None] = project_quotas.tools_missing,
    ) -> None:
        self._clock = clock
        self._walker = Walker(folder)
        self._quotas_missing = quotas_missing
        self._largest: dict[str, tuple[Folder, ...]] = {}
        self._said: set[str] = set()

    def measure(
        self, user: str, path: str, deadline: timedelta, uid: int | None = None
    ) -> StorageUse | None:
        """What is in a home, as of now; `None` when the deadline came first.

        Raises:
            NotFound: There is no such home.
            Unavailable: It cannot be read.
        """
        end = time.monotonic() + deadline.total_seconds()
        home = _Home(user, path, uid)
        place = self._place(home, end)
        if place is None:
            return None
        project = self._project(user, place)
        if project is not None:
            try:
                return self._count(home, project, end)
            except Unavailable as exc:
                self._say_once(f"The quotas of {project.mount} are not used: {exc}")
        found = self._walk(home, 0, end)
        if found is None:
            return None
        return StorageUse(user, found["bytes"], self._clock.now(), WALK, _folders(found))

    def bound(
        self,
        user: str,
        path: str,
        limit_bytes: int | None,
        deadline: timedelta,
        uid: int | None = None,
    ) -> bool:
        """Have the kernel refuse what would go beyond the limit; whether it does.

        Raises:
            NotFound: There is no such home.
            Unavailable: It cannot be set.
        """
        place = self._place(_Home(user, path, uid), time.monotonic() + deadline.total_seconds())
        project = self._project(user, place) if place else None
        if project is None or not project.adopted:
            return False
        use = project_quotas.read_uses(project.mount).get(project.id, ProjectUse())
        wanted = None if limit_bytes is None else max(limit_bytes // 1024, 1) * 1024
        if use.limit_bytes != wanted:
            project_quotas.set_limit(project.mount, project.id, limit_bytes, use)
        return True

    def close(self) -> None:
        """End the process that walks."""
        self._walker.close()

    def _place(self, home: _Home, end: float) -> Mapping[str, Any] | None:
        return self._walker.ask({"ask": "place", **home.question}, max(end - time.monotonic(), 0.0))

    def _walk(self, home: _Home, project: int, end: float) -> Mapping[str, Any] | None:
        seconds = max(end - time.monotonic(), 0.0)
        question = {"ask": "walk", **home.question, "project": project, "seconds": seconds}
        found = self._walker.ask(question, seconds)
        if found is None or not found["done"]:
            return None
        if found["problems"]:
            _log.info("%d folders or files in %s could not be read", found["problems"], home.path)
        return found

    def _project(self, user: str, place: Mapping[str, Any]) -> _Project | None:
        """The project that the home is, or is to be; `None` where the kernel cannot count it."""
        if not place["quotas"]:
            return None
        if (missing := self._quotas_missing()) is not None:
            self._say_once(f"{place['mount']} has project quotas; they are not used: {missing}.")
            return None
        mount, current, wanted = place["mount"], place["project"], project_id(user)
        if 0 < current < project_quotas.FIRST_ID:
            self._say_once(
                f"The home of {user} is in project {current}, which is not ours: it is walked."
            )
            return None
        # Whoever owns a file may change its project: what the home says now has to be ours too.
        adopted = current == wanted == place["adopted"]
        age = timedelta(microseconds=(time.time_ns() - place["walked_ns"]) // 1000)
        return _Project(mount, wanted, adopted, timedelta(0) <= age < _ADOPTED_AGAIN)

    def _count(self, home: _Home, project: _Project, end: float) -> StorageUse | None:
        user = home.user
        if not (project.adopted and project.recently):
            found = self._walk(home, project.id, end)
            if found is None and not project.adopted:
                return None
            self._largest[user] = _folders(found) if found else self._largest.get(user, ())
        use = project_quotas.read_uses(project.mount).get(project.id, ProjectUse())
        if use.limit_bytes is not None and use.used_bytes >= use.limit_bytes * _NEARLY_FULL:
            found = self._walk(home, project.id, end)
            if found is not None:
                self._largest[user] = _folders(found)
        largest = self._largest.get(user, ())
        return StorageUse(user, use.used_bytes, self._clock.now(), KERNEL, largest)

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            _log.warning("%s", sentence)


def _folders(found: Mapping[str, Any]) -> tuple[Folder, ...]:
    # JSON and the ledger carry text; a name that is none is shown with marks in it.
    return tuple(
        Folder(path.encode(errors="surrogateescape").decode(errors="replace"), size)
        for path, size in found["largest"]
    )
