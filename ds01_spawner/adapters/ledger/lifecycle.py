"""The part of a transaction that the lifecycle decides on: what passed, and who passes."""

from collections.abc import Sequence

import sqlalchemy as sa

from ds01_spawner.adapters.ledger import tables
from ds01_spawner.adapters.ledger.rows import Rows, deletion, upsert
from ds01_spawner.domain.work import KeepAlive, PassMark, RuleStop, SentWarning, Track

_TRACKS = Rows(Track, tables.tracks, "container_id")
_WARNINGS = Rows(SentWarning, tables.warnings, "sent_at", "container_id", "rule", "level")
_KEEP_ALIVES = Rows(KeepAlive, tables.keep_alives, "granted_at", "container_id", "source")
_RULE_STOPS = Rows(RuleStop, tables.rule_stops, "decided_at", "user", "container_name")
_LAST_PASS = Rows(PassMark, tables.last_pass)

_FORGET_CONTAINERS = tuple(
    deletion(table, "container_id")
    for table in (tables.tracks, tables.warnings, tables.keep_alives)
)
_PUT_PASS = upsert(tables.last_pass)
_LEASE = sa.select(
    tables.leases.c.holder, tables.leases.c.boot_id, tables.leases.c.ends_at_uptime_seconds
).where(tables.leases.c.name == sa.bindparam("name"))
_PUT_LEASE = upsert(tables.leases)
_END_LEASE = deletion(tables.leases, "name", "holder")


class LifecyclePart:
    """Tracks, warnings, keep-alives, stops by rule, the last pass and the lease."""

    _connection: sa.Connection

    def tracks(self) -> Sequence[Track]:
        """What is remembered of every container."""
        return _TRACKS.read(self._connection)

    def put_tracks(self, tracks: Sequence[Track]) -> None:
        """Add tracks or replace those of the same container."""
        _TRACKS.put(self._connection, tracks)

    def warnings(self) -> Sequence[SentWarning]:
        """Every warning that was given to a container that is still tracked, oldest first."""
        return _WARNINGS.read(self._connection)

    def put_warnings(self, warnings: Sequence[SentWarning]) -> None:
        """Write warnings down; one of the same container, rule, level and moment is replaced."""
        _WARNINGS.put(self._connection, warnings)

    def remove_warnings(self, warnings: Sequence[SentWarning]) -> None:
        """Forget warnings; unknown ones are ignored."""
        _WARNINGS.remove(
            self._connection,
            [(each.container_id, each.rule, each.level, each.sent_at) for each in warnings],
        )

    def keep_alives(self) -> Sequence[KeepAlive]:
        """Every keep-alive that was asked for, past ones included."""
        return _KEEP_ALIVES.read(self._connection)

    def put_keep_alive(self, keep_alive: KeepAlive) -> None:
        """Add a keep-alive or replace the one of the same container and source."""
        _KEEP_ALIVES.put(self._connection, [keep_alive])

    def forget_containers(self, ids: Sequence[str]) -> None:
        """Forget tracks, warnings and keep-alives of containers that are gone."""
        if values := [{"container_id": each} for each in ids]:
            for statement in _FORGET_CONTAINERS:
                self._connection.execute(statement, values)

    def rule_stops(self) -> Sequence[RuleStop]:
        """The newest stop by rule of each container, those of removed containers included."""
        return _RULE_STOPS.read(self._connection)

    def put_rule_stop(self, stop: RuleStop) -> None:
        """Add a stop by rule or replace the one of the same owner and container name."""
        _RULE_STOPS.put(self._connection, [stop])

    def remove_rule_stops(self, stops: Sequence[RuleStop]) -> None:
        """Forget stops by rule."""
        _RULE_STOPS.remove(self._connection, [(each.user, each.container_name) for each in stops])

    def pass_mark(self) -> PassMark | None:
        """When the last pass ran; `None` before the first."""
        return next(iter(_LAST_PASS.read(self._connection)), None)

    def put_pass_mark(self, mark: PassMark) -> None:
        """Remember when a pass ran."""
        self._connection.execute(_PUT_PASS, {"only": 1, **_LAST_PASS.values(mark)})

    def take_lease(self, name: str, holder: str, mark: PassMark, seconds: float) -> bool:
        """Whether `holder` has the lease from now on, for so long; `False` while another has it.

        Counted on the clock that never jumps; a lease from before a reboot is void.
        """
        if self.lease_holder(name, mark) not in {None, holder}:
            return False
        lease = {
            "name": name,
            "holder": holder,
            "boot_id": mark.boot_id,
            "ends_at_uptime_seconds": mark.uptime_seconds + seconds,
        }
        self._connection.execute(_PUT_LEASE, lease)
        return True

    def lease_holder(self, name: str, mark: PassMark) -> str | None:
        """Who has the lease now; `None` when nobody has."""
        found = self._connection.execute(_LEASE, {"name": name}).one_or_none()
        if found is None or found.boot_id != mark.boot_id:
            return None
        lasts = found.ends_at_uptime_seconds > mark.uptime_seconds
        return str(found.holder) if lasts else None

    def end_lease(self, name: str, holder: str) -> None:
        """Give the lease back; nothing happens when another has it."""
        self._connection.execute(_END_LEASE, {"name": name, "holder": holder})
