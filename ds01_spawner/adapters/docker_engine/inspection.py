"""From the engine's JSON to `Container`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ds01_spawner.adapters.docker_engine.demand import demand_of
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.labels import MANAGED, parse_timestamp

_NEVER = "0001-01-01T00:00:00Z"


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether the labels are the platform's."""
    return labels.get(MANAGED) == "true"


def state_of(text: str) -> ContainerState:
    """The state that the engine names; one that is not known counts as running."""
    try:
        return ContainerState(text)
    except ValueError:
        return ContainerState.RUNNING


def inspected_container(inspected: Mapping[str, Any]) -> Container:
    """Every field, from the answer of `GET /containers/{id}/json`."""
    state = inspected["State"]
    labels = (inspected.get("Config") or {}).get("Labels") or {}
    return Container(
        id=inspected["Id"],
        name=inspected["Name"].removeprefix("/"),
        state=state_of(state["Status"]),
        labels=labels,
        created_at=moment(inspected["Created"]) or datetime.fromtimestamp(0, UTC),
        started_at=moment(state.get("StartedAt")),
        finished_at=finished_at(inspected),
        demand=demand_of(inspected, ours=is_ours(labels)),
        pid=state.get("Pid") or None,
    )


def finished_at(inspected: Mapping[str, Any]) -> datetime | None:
    """The end of the last run, or `None` while it runs or when it never ran."""
    state = inspected["State"]
    return None if state_of(state["Status"]).is_live else moment(state.get("FinishedAt"))


def listed_container(
    listed: Mapping[str, Any], demand: DeviceDemand, ended: datetime | None
) -> Container:
    """One entry of `GET /containers/json`, with what had to be looked up."""
    return Container(
        id=listed["Id"],
        name=listed_name(listed),
        state=state_of(listed["State"]),
        labels=listed.get("Labels") or {},
        created_at=datetime.fromtimestamp(listed["Created"], UTC),
        finished_at=ended,
        demand=demand,
    )


def listed_name(listed: Mapping[str, Any]) -> str:
    """The container's own name; `/other/alias` is a link's name for it."""
    names = [name.removeprefix("/") for name in listed.get("Names") or ()]
    return next((name for name in names if "/" not in name), str(listed["Id"])[:12])


def moment(text: str | None) -> datetime | None:
    """A time as the engine writes it, or `None` for its zero time."""
    return None if not text or text == _NEVER else parse_timestamp(text)
