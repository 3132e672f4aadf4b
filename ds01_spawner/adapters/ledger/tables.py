"""The ledger's tables. A column is named as the field that it keeps."""

import json
from collections.abc import Callable
from dataclasses import asdict, astuple, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ds01_spawner.domain.notice import NoticeKind
from ds01_spawner.domain.request import GpuKind, GpuRequest
from ds01_spawner.domain.storage import Folder
from ds01_spawner.domain.usage import Amount
from ds01_spawner.domain.work import Level, Rule

SCHEMA_VERSION = 6
"""1: reservations, tickets, usage. 2: the tables of the lifecycle. 3: keys and kept answers.
4: usage in hours and days, and who, how busy and for what energy in each interval.
5: grants of access to the GPUs outside of containers.
6: waits that were given up, and when the books were last kept.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

metadata = sa.MetaData()


class Kept(sa.types.UserDefinedType[Any]):
    """A value that SQLite does not know, and how it is written and read.

    Attributes:
        column_type: SQLite's name for the column's type.
        write: From the value to what SQLite keeps.
        read: Back.
    """

    cache_ok = True

    def __init__(
        self, column_type: str, write: Callable[[Any], Any], read: Callable[[Any], Any]
    ) -> None:
        self.column_type = column_type
        self.write = write
        self.read = read

    def get_col_spec(self, **_: object) -> str:
        """The column's type."""
        return self.column_type

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], Any]:
        """How a value is written; `None` is NULL."""
        del dialect
        write = self.write
        return lambda value: None if value is None else write(value)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], Any]:
        """How a value is read; NULL is `None`."""
        del dialect, coltype
        read = self.read
        return lambda value: None if value is None else read(value)


def kept(moment: datetime) -> int:
    """A moment as it is kept."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """A moment that was kept."""
    return _EPOCH + timedelta(microseconds=microseconds)


def _names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def _request_text(request: GpuRequest) -> str:
    return json.dumps(asdict(request))


def _request(text: str) -> GpuRequest:
    found = json.loads(text)
    return GpuRequest(
        GpuKind(found["kind"]), found["count"], found["profile"], found["min_memory_bytes"]
    )


def _folders_text(folders: tuple[Folder, ...]) -> str:
    return json.dumps([astuple(folder) for folder in folders])


def _folders(text: str) -> tuple[Folder, ...]:
    return tuple(Folder(*pair) for pair in json.loads(text))


MOMENT = Kept("BIGINT", kept, moment)
_NAMES = Kept("JSON", json.dumps, _names)
_REQUEST = Kept("JSON", _request_text, _request)
_FOLDERS = Kept("JSON", _folders_text, _folders)
_RULE = Kept("TEXT", str, Rule)
_LEVEL = Kept("TEXT", str, Level)
_KIND = Kept("TEXT", str, NoticeKind)


def _key(name: str, kind: Any = sa.Text) -> "sa.Column[Any]":
    return sa.Column(name, kind, primary_key=True)


def _column(name: str, kind: Any = sa.Text) -> "sa.Column[Any]":
    return sa.Column(name, kind, nullable=False)


def _optional(name: str, kind: Any) -> "sa.Column[Any]":
    return sa.Column(name, kind, nullable=True)


def _added(name: str, kind: Any, default: str) -> "sa.Column[Any]":
    """A column of a later release, that earlier ones do not write."""
    return sa.Column(name, kind, nullable=False, server_default=sa.text(default))


reservations = sa.Table(
    "reservations",
    metadata,
    _key("id"),
    _column("user"),
    _column("container_name"),
    _column("gpu_uuids", _NAMES),
    _column("gpu_equivalents", sa.Float),
    _column("created_at", MOMENT),
    _column("expires_at", MOMENT),
)
tickets = sa.Table(
    "tickets",
    metadata,
    _key("id"),
    _column("user"),
    _column("container_name"),
    _column("gpu", _REQUEST),
    _column("priority", sa.Integer),
    _column("created_at", MOMENT),
    _column("seen_at", MOMENT),
    _column("overtaken", sa.Integer),
    _column("groups", _NAMES),
)
usage = sa.Table(
    "usage",
    metadata,
    _key("container_id"),
    _key("gpu_uuid"),
    _key("started_at", MOMENT),
    _column("user"),
    _column("gpu_equivalents", sa.Float),
    sa.Column("ended_at", MOMENT, nullable=True, index=True),
    *(_added(name, sa.Text, "''") for name in ("group", "project", "interface")),
    *(_added(name, sa.Text, "''") for name in ("container_name", "slot_id", "profile")),
    _optional("seen_at", MOMENT),
    _added("begin_told", sa.Boolean, "0"),
    _added("end_known", sa.Boolean, "1"),
    _optional("folded_until", MOMENT),
    *(
        _added(name, sa.BigInteger, "0")
        for name in (
            "seen_microseconds",
            "measured_microseconds",
            "busy_microseconds",
            "metered_microseconds",
            "energy_millijoules",
        )
    ),
)
usage_holders = sa.Table(
    "usage_holders",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _column("user"),
    _column("group"),
    _column("project"),
    _column("interface"),
    _column("profile"),
    _column("gpu_equivalents", sa.Float),
    sa.UniqueConstraint("user", "group", "project", "interface", "profile", "gpu_equivalents"),
)


_OF_VERSION_6 = frozenset({"gave_up", "gave_up_microseconds", "queued_microseconds"})


def _booked(name: str) -> sa.Table:
    """Amounts of one grain; the key is in the order in which totals are read."""
    return sa.Table(
        name,
        metadata,
        sa.Column("holder", sa.Integer, primary_key=True),
        sa.Column("begin", MOMENT, primary_key=True),
        *(
            _added(field.name, sa.BigInteger, "0")
            if field.name in _OF_VERSION_6
            else _column(field.name, sa.BigInteger)
            for field in fields(Amount)
        ),
        sqlite_with_rowid=False,
    )


usage_hours = _booked("usage_hours")
usage_days = _booked("usage_days")
usage_mark = sa.Table(
    "usage_mark",
    metadata,
    sa.Column("only", sa.Integer, sa.CheckConstraint("only = 1"), primary_key=True),
    _column("event_place"),
    _optional("folded_at", MOMENT),
    _optional("kept_at", MOMENT),
)
tracks = sa.Table(
    "tracks",
    metadata,
    _key("container_id"),
    _column("container_name"),
    _column("user"),
    _column("started_at", MOMENT),
    _column("run_started_at", MOMENT),
    _column("idle_checks", sa.Integer),
    _optional("idle_since", MOMENT),
    _optional("conflict_since", MOMENT),
    _optional("ended_at", MOMENT),
    _column("unreadable", _NAMES),
    _column("released", sa.Boolean),
)
warnings = sa.Table(
    "warnings",
    metadata,
    _key("container_id"),
    _key("rule", _RULE),
    _key("level", _LEVEL),
    _key("sent_at", MOMENT),
    _column("deadline", MOMENT),
)
keep_alives = sa.Table(
    "keep_alives",
    metadata,
    _key("container_id"),
    _key("source"),
    _column("granted_at", MOMENT),
    _column("until", MOMENT),
    _column("by"),
)
rule_stops = sa.Table(
    "rule_stops",
    metadata,
    _key("user"),
    _key("container_name"),
    _column("container_id"),
    _column("rule", _RULE),
    _column("key"),
    _column("value"),
    _column("origin"),
    _column("reason"),
    _column("decided_at", MOMENT),
    _optional("done_at", MOMENT),
    _column("name"),
    _column("interface"),
)
last_pass = sa.Table(
    "last_pass",
    metadata,
    sa.Column("only", sa.Integer, sa.CheckConstraint("only = 1"), primary_key=True),
    _column("boot_id"),
    _column("wall", MOMENT),
    _column("uptime_seconds", sa.Float),
)
notices = sa.Table(
    "notices",
    metadata,
    _key("id"),
    _column("user"),
    _column("kind", _KIND),
    sa.Column("created_at", MOMENT, nullable=False, index=True),
    _column("title"),
    _column("text"),
    _column("container_id"),
    _column("container_name"),
    _column("name"),
    _column("rule"),
    _column("value"),
    _column("origin"),
    _optional("deadline", MOMENT),
    _optional("keep_until", MOMENT),
)
deliveries = sa.Table(
    "deliveries",
    metadata,
    _key("notice_id"),
    _key("channel"),
    _column("attempts", sa.Integer),
    _column("due_at", MOMENT),
    _column("begun", sa.Boolean),
)
storage = sa.Table(
    "storage",
    metadata,
    _key("user"),
    _column("size_bytes", sa.BigInteger),
    _column("measured_at", MOMENT),
    _column("source"),
    _column("largest", _FOLDERS),
    _optional("limit_bytes", sa.BigInteger),
    _column("told_percent", sa.Integer),
)
leases = sa.Table(
    "leases",
    metadata,
    _key("name"),
    _column("holder"),
    _column("boot_id"),
    _column("ends_at_uptime_seconds", sa.Float),
)
ssh_keys = sa.Table(
    "ssh_keys",
    metadata,
    _key("user"),
    _key("id"),
    _column("type"),
    _column("key"),
    _column("comment"),
    _column("added_at", MOMENT),
    _optional("bits", sa.Integer),
)
kept_answers = sa.Table(
    "kept_answers",
    metadata,
    _key("user"),
    _key("key"),
    _column("digest"),
    sa.Column("began_at", MOMENT, nullable=False, index=True),
    _column("status", sa.Integer),
    _column("body"),
)
bare_metal_grants = sa.Table(
    "bare_metal_grants",
    metadata,
    _key("user"),
    _column("uid", sa.BigInteger),
    _column("reason"),
    _column("granted_by"),
    _column("granted_at", MOMENT),
    _column("until", MOMENT),
    _column("boot_id"),
    _column("uptime_seconds", sa.Float),
    _optional("warned_at", MOMENT),
    _optional("revoked_at", MOMENT),
    _column("revoked_by"),
)
