"""Containers as the engine's JSON shows them."""

import hashlib
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.gateway.docker.reading.names import engine_name

INSTANCE = "0123456789ab"


def container_id(name: str) -> str:
    """A full id that depends on the name alone."""
    return hashlib.sha256(name.encode()).hexdigest()


def managed(name: str, user: str, *, instance: str = INSTANCE, **more: str) -> dict[str, str]:
    """The labels of a container that the gateway made; `ds01_group` is spelled for `ds01.group`."""
    return {
        labels.MANAGED: "true",
        labels.USER: user,
        labels.INSTANCE: instance,
        labels.NAME: name,
        labels.INTERFACE: "docker",
        labels.CREATED_AT: "2026-01-31T12:00:00.000000Z",
        **{key.replace("_", ".", 1): value for key, value in more.items()},
    }


def legacy(name: str, user: str) -> dict[str, str]:
    """The labels of a container that AIME's `mlc` made."""
    return {"aime.mlc": "1", labels.LEGACY_USER: user, labels.LEGACY_NAME: name}


def inspected(
    name: str,
    marks: dict[str, str],
    *,
    status: str = "running",
    full_id: str = "",
    **more: Any,
) -> dict[str, Any]:
    """`GET /containers/{id}/json` of a container that the engine calls `name`."""
    return {
        "Id": full_id or container_id(name),
        "Name": f"/{name}",
        "Created": "2026-01-31T12:00:00.5Z",
        "State": {"Status": status, "Running": status == "running", "ExitCode": 0},
        "Config": {"Labels": marks, "Image": "image"},
        "HostConfig": {"NetworkMode": "ds01-alice"},
        "Mounts": [],
        **more,
    }


def own(name: str, user: str, **more: Any) -> dict[str, Any]:
    """A container that a person made through the gateway."""
    return inspected(engine_name(name, user), managed(name, user), **more)
