"""A container engine in a file, for processes that race."""

import fcntl
import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from ds01_spawner.domain.container import Container, ContainerSpec, ContainerState, DeviceDemand
from ds01_spawner.domain.errors import Conflict, NotFound
from ds01_spawner.ports import Clock, EngineInfo, LocalImage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS containers (
    id TEXT PRIMARY KEY, name TEXT UNIQUE, state TEXT, labels TEXT, uuids TEXT, finished_at TEXT
)
"""


class SharedEngine:
    """The `Engine` port as far as admission and launches need it; each process opens its own.

    It never answers late and never fails: what is tested with it is who gets what.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._lock = path.with_suffix(".lock").open("w")
        self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_SCHEMA)

    def close(self) -> None:
        self._database.close()
        self._lock.close()

    def info(self) -> EngineInfo:
        return EngineInfo("SHARED", "20.10.24", "cgroupfs", 1, "/var/lib/docker")

    def containers(self) -> tuple[Container, ...]:
        rows = self._database.execute("SELECT * FROM containers").fetchall()
        return tuple(self._container(row) for row in rows)

    def container(self, name_or_id: str) -> Container | None:
        row = self._database.execute(
            "SELECT * FROM containers WHERE id = ?1 OR name = ?1", (name_or_id,)
        ).fetchone()
        return None if row is None else self._container(row)

    def address(self, container_id: str, network: str) -> str | None:
        del container_id, network
        return None

    def environment(self, container_id: str, names: Collection[str]) -> Mapping[str, str]:
        del container_id, names
        return {}

    def has_image(self, reference: str) -> bool:
        return bool(reference)

    def local_images(self) -> Mapping[str, LocalImage]:
        return {}

    def pull(self, reference: str) -> None:
        raise NotFound(f"The registry has no image {reference}.")

    def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        del name, labels

    def create(self, spec: ContainerSpec) -> str:
        container_id = secrets.token_hex(32)
        row = (
            container_id,
            spec.name,
            ContainerState.CREATED.value,
            json.dumps(dict(spec.labels)),
            json.dumps(spec.gpu_uuids),
        )
        try:
            self._change("INSERT INTO containers VALUES (?, ?, ?, ?, ?, NULL)", *row)
        except sqlite3.IntegrityError as exc:
            raise Conflict(f"A container named {spec.name} exists already.") from exc
        return container_id

    def start(self, container_id: str) -> None:
        started = "UPDATE containers SET state = 'running', finished_at = NULL WHERE id = ?"
        if self._change(started, container_id) == 0:
            raise NotFound(f"The container {container_id} is gone.")

    def stop(self, container_id: str, grace: timedelta) -> None:
        del grace
        self._change(
            "UPDATE containers SET state = 'exited', finished_at = ?2"
            " WHERE (id = ?1 OR name = ?1) AND state = 'running'",
            container_id,
            self._clock.now().isoformat(),
        )

    def remove(self, container_id: str) -> None:
        self._change("DELETE FROM containers WHERE id = ?1 OR name = ?1", container_id)

    def logs(self, container_id: str, lines: int) -> str:
        del container_id, lines
        return ""

    def _change(self, statement: str, *values: object) -> int:
        """How many rows `statement` changed. SQLite's own way to wait for others is slower."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            return self._database.execute(statement, values).rowcount
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _container(self, row: tuple[str, ...]) -> Container:
        container_id, name, state, labels, uuids, finished_at = row
        return Container(
            id=container_id,
            name=name,
            state=ContainerState(state),
            labels=json.loads(labels),
            created_at=self._clock.now(),
            finished_at=datetime.fromisoformat(finished_at) if finished_at else None,
            demand=DeviceDemand(uuids=tuple(json.loads(uuids))),
        )
