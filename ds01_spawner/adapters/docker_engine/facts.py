"""What the engine's list leaves out, looked up once and remembered."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ds01_spawner.adapters.docker_engine.demand import demand_of
from ds01_spawner.adapters.docker_engine.inspection import (
    exit_code,
    finished_at,
    is_ours,
    listed_container,
    state_of,
    uid_of,
)
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.labels import gpu_uuids_of

END_KEPT_SECONDS = 60.0
"""How long an end is believed. A container may start and end again between two lists; then its
status text differs ("Exited (0) 5 minutes ago"), and where it does not, this bounds the error."""


@dataclass(frozen=True, slots=True)
class _Lasting:
    demand: DeviceDemand
    uid: int | None


@dataclass(frozen=True, slots=True)
class _End:
    moment: datetime | None
    exit_code: int | None
    status: str
    looked_up: float


class ContainerFacts:
    """Completes lists of containers. Devices and user never change; an end is that of one run.

    Args:
        inspect: The engine's answer about one container, or `None` when it is gone.
        monotonic: Seconds.
    """

    def __init__(
        self,
        inspect: Callable[[str], Mapping[str, Any] | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inspect = inspect
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._lasting: dict[str, _Lasting] = {}
        self._ends: dict[str, _End] = {}

    def complete(self, listed: Sequence[Mapping[str, Any]]) -> tuple[Container, ...]:
        """The containers of a list; one that is gone by now is left out.

        Raises:
            Unavailable: One that had to be looked up could not be.
        """
        completed = [self._complete_one(entry) for entry in listed]
        ids = {entry["Id"] for entry in listed}
        with self._lock:
            for remembered in (self._lasting, self._ends):
                for gone in remembered.keys() - ids:
                    del remembered[gone]
        return tuple(container for container in completed if container is not None)

    def _complete_one(self, entry: Mapping[str, Any]) -> Container | None:
        container_id, labels = entry["Id"], entry.get("Labels") or {}
        state = state_of(entry["State"])
        held = gpu_uuids_of(labels)
        if state is ContainerState.CREATED and is_ours(labels):
            # While it is being started the engine does not let anybody inspect it, and it has no
            # process yet, so its labels will do.
            return listed_container(entry, DeviceDemand(uuids=held))
        ended = bool(held) and not state.is_live and state is not ContainerState.CREATED
        with self._lock:
            if state.is_live:
                self._ends.pop(container_id, None)
            lasting = self._lasting.get(container_id)
            end = self._ends.get(container_id)
        if lasting is None or (ended and not self._is_current(end, entry)):
            inspected = self._inspect(container_id)
            if inspected is None:
                return None
            lasting = _Lasting(demand_of(inspected, ours=is_ours(labels)), uid_of(inspected))
            end = _End(
                finished_at(inspected),
                exit_code(inspected),
                entry.get("Status", ""),
                self._monotonic(),
            )
            with self._lock:
                self._lasting[container_id] = lasting
                self._ends[container_id] = end
        if end is None or not ended:
            return listed_container(entry, lasting.demand, uid=lasting.uid)
        return listed_container(
            entry, lasting.demand, uid=lasting.uid, ended=end.moment, code=end.exit_code
        )

    def _is_current(self, end: _End | None, entry: Mapping[str, Any]) -> bool:
        return (
            end is not None
            and end.status == entry.get("Status", "")
            and self._monotonic() - end.looked_up < END_KEPT_SECONDS
        )
