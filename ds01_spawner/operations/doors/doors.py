"""Looks at the ways past the platform, closes them on request, and opens them as they were."""

from collections.abc import Sequence
from dataclasses import replace

from ds01_spawner.domain.door import DoorRecord, Finding
from ds01_spawner.domain.errors import DS01Error, InvalidRequest, NotFound, Unavailable
from ds01_spawner.domain.labels import Interface, format_timestamp
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.doors.kinds import Before, Door
from ds01_spawner.operations.doors.listed import Machine, doors_of
from ds01_spawner.ports import Clock
from ds01_spawner.ports.doors import DoorRecords


class Doors:
    """The doors of one machine.

    Args:
        machine: What they are on.
        records: What they were like before they were closed.
        clock: When that was.
        audit: Where every change is written.
    """

    def __init__(
        self, *, machine: Machine, records: DoorRecords, clock: Clock, audit: Audit
    ) -> None:
        self._doors = {door.name: door for door in doors_of(machine)}
        self._records = records
        self._clock = clock
        self._audit = audit

    def look(self) -> tuple[Finding, ...]:
        """Every door that this machine has; one that cannot be looked at counts as open."""
        found = [self._look(door) for door in self._doors.values()]
        return tuple(each for each in found if each is not None)

    def find(self, name: str) -> Finding:
        """One door.

        Raises:
            NotFound: There is none of that name.
        """
        found = self._look(self._door(name))
        if found is None:
            raise NotFound(f"This machine has nothing that {name} stands for.")
        return found

    def fix(self, name: str, user: str) -> Finding:
        """Close a door, and how it stands then.

        Args:
            name: Which.
            user: Who asks, for the audit log.

        Raises:
            NotFound: There is no such door.
            InvalidRequest: There is nothing to do, or not for a program.
            Unavailable: It could not be done, or not be written down; then `undo` restores what
                was done.
        """
        found = self.find(name)
        if not found.changes:
            reason = found.by_hand if found.is_open else "It is closed."
            raise InvalidRequest(f"Nothing is changed for {name}.", reason)
        door = self._door(name)
        earlier = self._records.load(name)
        before = door.before()
        self._records.save(
            DoorRecord(
                name,
                format_timestamp(self._clock.now()),
                before if earlier is None else merged(earlier.before, before),
            )
        )
        self._write("doors.fix", name, user, "ok", " ".join(found.changes))
        try:
            door.close()
        except DS01Error as exc:
            self._write("doors.fix", name, user, "failed", str(exc))
            raise
        return self.find(name)

    def undo(self, name: str, user: str) -> tuple[str, ...]:
        """Make a door as it was before it was closed; what was done, in sentences.

        Args:
            name: Which.
            user: Who asks, for the audit log.

        Raises:
            NotFound: There is no such door, or it was not closed from here.
            Unavailable: It could not be done; the record stays, so that it can be tried again.
        """
        door = self._door(name)
        record = self._records.load(name)
        if record is None:
            raise NotFound(
                f"{name} was not closed by ds01 admin doors, so there is nothing to undo."
            )
        self._write("doors.undo", name, user, "ok", f"as before {record.closed_at}")
        try:
            told = door.reopen(record.before)
        except DS01Error as exc:
            self._write("doors.undo", name, user, "failed", str(exc))
            raise
        self._records.forget(name)
        return told

    def _door(self, name: str) -> Door:
        door = self._doors.get(name)
        if door is None:
            raise NotFound(f"There is no door {name!r:.80}.", f"Known: {', '.join(self._doors)}.")
        return door

    def _look(self, door: Door) -> Finding | None:
        try:
            found = door.look()
            record = None if found is None else self._records.load(door.name)
        except Unavailable as exc:
            return Finding(door.name, is_open=True, what=f"It cannot be seen: {exc}", why="")
        if found is None or record is None:
            return found
        return replace(found, closed_at=record.closed_at)

    def _write(self, action: str, name: str, user: str, outcome: str, reason: str) -> None:
        self._audit.write(
            action,
            user=user,
            resource=name,
            interface=Interface.CLI.value,
            outcome=outcome,
            reason=reason,
        )


def merged(first: Before, second: Before) -> dict[str, object]:
    """What undoing two fixes needs: the state before the first, and whatever came to lists since.

    A door that opened again by itself, as when somebody is put into a group anew.
    """
    result = dict(first)
    for key, value in second.items():
        known = result.get(key)
        if isinstance(known, list) and isinstance(value, list):
            result[key] = known + [each for each in value if not _is_known(each, known)]
        else:
            result.setdefault(key, value)
    return result


def _is_known(each: object, known: Sequence[object]) -> bool:
    if isinstance(each, dict):
        return any(isinstance(one, dict) and one.get("path") == each.get("path") for one in known)
    return each in known
