"""From the engine's JSON to `Container`."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ds01_spawner.adapters.docker_engine.demand import demand_of
from ds01_spawner.domain.bind import as_owner_named, binds_of, staged_key
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand, Mount
from ds01_spawner.domain.labels import MANAGED, parse_timestamp

_NEVER = "0001-01-01T00:00:00Z"
_FROM_HOST = frozenset({"bind", "volume"})
_UID = re.compile(r"^[0-9]{1,10}$", re.ASCII)


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
        mounts=mounts_of(inspected.get("Mounts"), labels),
        exit_code=exit_code(inspected),
        uid=uid_of(inspected),
        addresses=addresses_of(inspected.get("NetworkSettings")),
        binds_key=binds_key_of(inspected.get("Mounts")),
        working_dir=(inspected.get("Config") or {}).get("WorkingDir") or "",
    )


def finished_at(inspected: Mapping[str, Any]) -> datetime | None:
    """The end of the last run, or `None` while it runs or when it never ran."""
    state = inspected["State"]
    return None if state_of(state["Status"]).is_live else moment(state.get("FinishedAt"))


def exit_code(inspected: Mapping[str, Any]) -> int | None:
    """How the last run ended; the engine says 0 of one that never ran or runs."""
    code = inspected["State"].get("ExitCode")
    return None if code is None or finished_at(inspected) is None else int(code)


def uid_of(inspected: Mapping[str, Any]) -> int | None:
    """Whom it runs as: root where nothing is said, and not known where a name is."""
    user = ((inspected.get("Config") or {}).get("User") or "0").partition(":")[0]
    return int(user) if _UID.match(user) else None


def environment_of(inspected: Mapping[str, Any]) -> dict[str, str]:
    """Its environment variables."""
    given = (inspected.get("Config") or {}).get("Env") or ()
    return dict(entry.partition("=")[::2] for entry in given)


def mounts_of(
    shown: Iterable[Mapping[str, Any]] | None, labels: Mapping[str, str]
) -> tuple[Mount, ...]:
    """What of the host is mounted into it, by lists and inspections alike; no tmpfs.

    A folder of its owner's has its real path, not that of its stage.
    """
    wanted = binds_of(labels)
    return tuple(
        as_owner_named(
            Mount(
                kind=str(mount["Type"]),
                source=str(mount["Source"]),
                target=str(mount.get("Destination") or ""),
                read_only=mount.get("RW") is False,
            ),
            wanted,
        )
        for mount in shown or ()
        if mount.get("Type") in _FROM_HOST and mount.get("Source")
    )


def binds_key_of(shown: Iterable[Mapping[str, Any]] | None) -> str:
    """Names the stage that its owner's folders come from."""
    return staged_key([str(each.get("Source")) for each in shown or () if each["Type"] == "bind"])


def addresses_of(settings: Mapping[str, Any] | None) -> dict[str, str]:
    """Its IP address on each network, by lists and inspections alike."""
    networks = (settings or {}).get("Networks") or {}
    return {
        name: endpoint["IPAddress"]
        for name, endpoint in networks.items()
        if endpoint and endpoint.get("IPAddress")
    }


def listed_container(
    listed: Mapping[str, Any],
    demand: DeviceDemand,
    *,
    uid: int | None = None,
    ended: datetime | None = None,
    code: int | None = None,
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
        mounts=mounts_of(listed.get("Mounts"), listed.get("Labels") or {}),
        exit_code=code,
        uid=uid,
        addresses=addresses_of(listed.get("NetworkSettings")),
        binds_key=binds_key_of(listed.get("Mounts")),
    )


def listed_name(listed: Mapping[str, Any]) -> str:
    """The container's own name; `/other/alias` is a link's name for it."""
    names = [name.removeprefix("/") for name in listed.get("Names") or ()]
    return next((name for name in names if "/" not in name), str(listed["Id"])[:12])


def moment(text: str | None) -> datetime | None:
    """A time as the engine writes it, or `None` for its zero time."""
    return None if not text or text == _NEVER else parse_timestamp(text)
