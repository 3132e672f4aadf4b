"""`docker container prune`: a person's own stopped containers, one after the other.

The engine's own prune, which networks are pruned with, takes a filter by label, but only one runs
at a time on a server, and it records nothing of what it removes for admission and the log.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.docker.containers.containers import removal
from ds01_spawner.gateway.docker.containers.deeds import ContainerDeeds
from ds01_spawner.gateway.docker.containers.lookup import Owned, is_managed, labels_of
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.reading.filters import Filters, has_label, parse_filters
from ds01_spawner.gateway.docker.reading.prune_filters import check_prune_filters
from ds01_spawner.gateway.wire.call import Call, Handler, Reply

_STOPPED = ["created", "exited", "dead"]


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
