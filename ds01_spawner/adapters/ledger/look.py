"""A look at the ledger's file: nothing is made, and nothing of an older release is made newer."""

import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ds01_spawner.adapters.ledger.file import SqliteLedger, start_anew
from ds01_spawner.adapters.ledger.tables import SCHEMA_VERSION, metadata
from ds01_spawner.domain.errors import Unavailable

_PATH = "/usr/bin:/bin"
_MAGIC = b"SQLite format 3\0"
_SECONDS = 3.0


class LedgerLook:
    """The `LedgerCare` port.

    Args:
        path: The ledger's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._opened: SqliteLedger | None = None

    def faults(self) -> Sequence[str]:
        """What SQLite finds broken, five things at most; without indexes, so that it is quick.

        Raises:
            Unavailable: There is no file, it is no ledger, or it cannot be read.
        """
        with self._reading() as connection:
            rows = connection.execute("PRAGMA quick_check(5)")
            return tuple(text for (text,) in rows if text != "ok")

    def opened(self) -> SqliteLedger:
        """The ledger as it is; the same each time.

        Raises:
            Unavailable: There is no file, it is no ledger, or it cannot be read.
        """
        with self._lock, self._reading():
            self._opened = self._opened or SqliteLedger(self._path, as_it_is=True)
            return self._opened

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to what is a ledger at the first look."""
        self._check_file()
        # A reader of a log that is there leaves it. Where there is none, a reader would leave an
        # empty one; a writer that writes nothing takes it away again.
        logged = self._path.with_name(f"{self._path.name}-wal").exists()
        address = f"{self._path.resolve().as_uri()}?mode={'ro' if logged else 'rw'}"
        try:
            connection = sqlite3.connect(address, uri=True, timeout=_SECONDS)
            try:
                connection.execute("PRAGMA query_only = 1")
                self._check_tables(connection)
                yield connection
            finally:
                connection.close()
        except sqlite3.DatabaseError as exc:
            if exc.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
                raise self._damaged(str(exc)) from exc
            raise Unavailable(
                f"The ledger {self._path} cannot be read: {exc}.", f"ls -l {self._path}*; df -h"
            ) from exc

    def _check_file(self) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError as exc:
            raise Unavailable(
                f"The ledger {self._path}: the file is gone.", start_anew(self._path)
            ) from exc
        except OSError as exc:
            raise Unavailable(f"{self._path} cannot be looked at: {exc.strerror}.") from exc
        if size == 0:
            raise self._without_tables()
        # What services know of the file's begin may be in their log, so that SQLite reads well what
        # is rubbish on the disk.
        if not self._begin().startswith(_MAGIC):
            raise self._damaged("it does not begin as a database does")

    def _begin(self) -> bytes:
        """The file's first bytes, read by another program.

        Closing a file that this process has open in SQLite drops its locks
        (sqlite.org/howtocorrupt.html, 2.2).
        """
        program = shutil.which("head", path=_PATH)
        if program is None:
            return _MAGIC
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program and our own file
                [program, "--bytes=16", str(self._path)],
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Unavailable(f"{self._path} cannot be read: {exc}.") from exc
        if done.returncode != 0:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise Unavailable(f"{self._path} cannot be read: {said}.")
        return done.stdout

    def _check_tables(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        known = {name for (name,) in rows}
        missing = [each.name for each in metadata.sorted_tables if each.name not in known]
        if len(missing) == len(metadata.sorted_tables):
            raise self._without_tables()
        if 0 < version < SCHEMA_VERSION:
            raise Unavailable(
                f"The ledger {self._path} is an older release's.",
                "Start the services, which make it newer.",
            )
        if missing:
            raise self._damaged(f"tables are missing: {', '.join(missing)}")

    def _without_tables(self) -> Unavailable:
        return Unavailable(f"The ledger {self._path} has no tables.", start_anew(self._path))

    def _damaged(self, how: str) -> Unavailable:
        return Unavailable(f"The ledger {self._path} is damaged: {how}.", start_anew(self._path))
