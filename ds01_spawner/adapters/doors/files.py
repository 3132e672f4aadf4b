"""Text files of the system, and the records of what was changed."""

import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ds01_spawner.domain.door import DoorRecord
from ds01_spawner.domain.errors import Unavailable

_NAME = re.compile(r"^[a-z0-9-]{1,64}\Z")


class HostFiles:
    """The `SystemFiles` port.

    Args:
        root: Folder that stands for `/`.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def read(self, path: str) -> str | None:
        """What is in it."""
        with _translated(path, "read"):
            try:
                return self._place(path).read_text(encoding="utf-8", errors="surrogateescape")
            except FileNotFoundError:
                return None

    def write(self, path: str, text: str | None) -> None:
        """Put `text` in it for everybody to read, at once, or remove it."""
        with _translated(path, "written"):
            if text is None:
                self._place(path).unlink(missing_ok=True)
            else:
                place = self._place(path).resolve()
                kept = stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o644
                replace(place, text, kept)

    def _place(self, path: str) -> Path:
        return self._root / path.removeprefix("/")


class DoorFolder:
    """The `DoorRecords` port: a file for each door that was closed.

    Args:
        folder: Where they are; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str) -> DoorRecord | None:
        """The record of a door."""
        path = self._path(name)
        with _translated(str(path), "read"):
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                return None
            except ValueError as exc:
                raise Unavailable(f"{path} is not a record: {exc}.") from exc
        if not isinstance(found, dict) or not isinstance(found.get("before"), dict):
            raise Unavailable(f"{path} is not a record.")
        return DoorRecord(name, str(found.get("closed_at", "")), found["before"])

    def save(self, record: DoorRecord) -> None:
        """Keep it, for root alone."""
        path = self._path(record.name)
        with _translated(str(path), "written"):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            told = {"closed_at": record.closed_at, "before": dict(record.before)}
            replace(path, json.dumps(told, indent=2) + "\n", 0o600)

    def forget(self, name: str) -> None:
        """Remove the record of a door."""
        path = self._path(name)
        with _translated(str(path), "removed"):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise Unavailable(f"{name!r:.80} names no door.")
        return self._folder / f"{name}.json"


def replace(path: Path, text: str, mode: int) -> None:
    """Put `text` in place of what is in a file, at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(mode)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


@contextmanager
def _translated(path: str, deed: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise Unavailable(f"{path} cannot be {deed}: {exc.strerror}.") from exc
