"""`docker container prune`: a person's own stopped containers, one after the other.

The engine's own prune, which networks are pruned with, takes a filter by label, but only one runs
at a time on a server, and it records nothing of what it removes for admission and the log.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.container_deeds import ContainerDeeds
from ds01_spawner.gateway.docker.containers import removal
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.filters import Filters, has_label, parse_filters
from ds01_spawner.gateway.docker.owned import Owned, is_managed, labels_of
from ds01_spawner.gateway.wire.call import Call, Handler, Reply

_STOPPED = ["created", "exited", "dead"]
_KNOWN = frozenset({"label", "label!", "until"})
_SECONDS = re.compile(r"^\d{1,12}(?:\.\d{1,9})?\Z", re.ASCII)
_DURATION = re.compile(r"^(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s))+\Z", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)", re.ASCII)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class ContainerPrune:
    """Removes what has stopped."""

    def __init__(self, door: Door, owned: Owned) -> None:
        self._door = door
        self._owned = owned
        self._deeds = ContainerDeeds(door)

    def handlers(self) -> Mapping[str, Handler]:
        """By endpoint."""
        return {"POST /containers/prune": self.prune}

    async def prune(self, call: Call, reply: Reply) -> None:
        """Remove what has stopped, but JupyterHub's servers and what the platform did not make."""
        filters = parse_filters(call.first("filters"))
        until = check_prune_filters(filters, self._door.platform.clock.now())
        stopped = await self._owned.listed(
            call.caller,
            {"status": _STOPPED, "label": filters.get("label", ())},
            {"all": "1", "size": "1"},
        )
        removed: list[str] = []
        freed = 0
        for entry in stopped:
            if not is_prunable(entry, filters, until):
                continue
            path = f"/containers/{entry['Id']}/json"
            found = await self._door.engine.ask("GET", path)
            if not found.ok or not is_managed(found.value) or not self._is_own(call, found.value):
                continue
            answer = await self._deeds.done(call, found.value, removal({}, pruned=True))
            if answer.ok:
                removed.append(str(entry["Id"]))
                freed += int(entry.get("SizeRw") or 0)
        await reply.json({"ContainersDeleted": removed or None, "SpaceReclaimed": freed})

    def _is_own(self, call: Call, inspected: Mapping[str, Any]) -> bool:
        return self._owned.is_own(labels_of(inspected), call.caller)


def is_prunable(entry: Mapping[str, Any], filters: Filters, until: datetime | None) -> bool:
    """Whether an entry of the list of stopped containers is to go."""
    marks = entry.get("Labels") or {}
    if marks.get(labels.MANAGED) != "true" or labels.origin_of(marks) is Interface.HUB:
        return False
    if any(has_label(marks, unwanted) for unwanted in filters.get("label!", ())):
        return False
    return until is None or datetime.fromtimestamp(int(entry["Created"]), UTC) < until


def check_prune_filters(filters: Filters, now: datetime) -> datetime | None:
    """Until when something must have been made to be pruned, or `None`.

    Raises:
        InvalidRequest: A filter is not known, or `until` is no moment.
    """
    for name in filters:
        if name not in _KNOWN:
            raise InvalidRequest(f"invalid filter {shown(name)}")
    moments: Sequence[str] = filters.get("until", ())
    if len(moments) > 1:
        raise InvalidRequest("more than one until filter specified")
    return moment(moments[0], now) if moments else None


def moment(text: str, now: datetime) -> datetime:
    """The moment that `24h`, `1700000000` or `2026-01-31T12:00:00` says.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        if _SECONDS.match(text):
            return datetime.fromtimestamp(float(text), UTC)
        if _DURATION.match(text):
            parts = _DURATION_PART.findall(text)
            return now - timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in parts))
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as exc:
        raise InvalidRequest(
            f"{shown(text)} is not a time.", "Use 24h, or 2026-01-31T12:00:00."
        ) from exc
    return found if found.tzinfo else found.astimezone()
