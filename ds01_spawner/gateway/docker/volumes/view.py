"""Volumes as their owner sees them, and what they may ask of one. Pure.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Volume
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest
from ds01_spawner.domain.names import check_docker_name, home_volume, shown
from ds01_spawner.gateway.docker.options.forbidden_fields import LOCAL_VOLUMES
from ds01_spawner.gateway.docker.reading.filters import Filters
from ds01_spawner.gateway.docker.reading.go_json import Fields, is_empty
from ds01_spawner.gateway.docker.reading.listing_bounds import check_labels_fit
from ds01_spawner.gateway.docker.reading.names import engine_name, is_own_name, own_name

_ANONYMOUS = re.compile(r"^[0-9a-f]{64}\Z")
ANONYMOUS_MARK = "com.docker.volume.anonymous"
"""The engine's own label on volumes without a name, from Docker 23 on."""

_LIST_FILTERS = frozenset({"dangling", "driver", "label", "name"})
_PRUNE_FILTERS = frozenset({"all", "label", "label!"})
_NAMED_TOO_BEFORE = (1, 42)


@dataclass(frozen=True, slots=True)
class VolumeWish:
    """A volume as somebody wants it.

    Attributes:
        name: What they call it; empty for the engine's choice.
        labels: Without those of the platform.
    """

    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def parse_volume(body: Fields, user: str) -> VolumeWish:
    """The volume that `POST /volumes/create` asks for.

    Raises:
        InvalidRequest: It makes no sense.
        Forbidden: It is more than a folder of the engine's.
        Conflict: It has the name of the person's home.
    """
    name = body.text("Name")
    if name:
        check_volume_name(name, user)
    if body.text("Driver") not in {"", "local"} or not is_empty(body.take("DriverOpts")):
        # type=none,o=bind makes a volume of any folder of the server.
        raise Forbidden(
            LOCAL_VOLUMES,
            "Leave them out; mount a folder of your own with -v /path:/path.",
        )
    marks = body.text_entries("Labels")
    body.finish()
    check_labels_fit(marks)
    return VolumeWish(name, labels.unreserved(marks))


def check_volume_name(name: str, user: str) -> None:
    """Return when the person may call a new volume so.

    Raises:
        InvalidRequest: Docker takes no such name.
        Conflict: It is that of the person's home.
    """
    check_docker_name(name)
    if name == home_volume(user):
        raise Conflict(f"{name} is your home in JupyterHub.", "Choose another name.")


def volume_payload(wish: VolumeWish, user: str, instance: str) -> dict[str, Any]:
    """The body that the engine gets."""
    payload: dict[str, Any] = {
        "Driver": "local",
        "Labels": {**wish.labels, **labels.own_marks(user, instance)},
    }
    if wish.name:
        payload["Name"] = engine_name(wish.name, user)
    return payload


def is_anonymous(name: str) -> bool:
    """Whether the engine chose this name."""
    return _ANONYMOUS.match(name) is not None


def is_own(
    volume: Mapping[str, Any], user: str, instance: str, mounted: Collection[str] = ()
) -> bool:
    """Whether a volume of the engine's is this person's.

    Args:
        volume: The engine's JSON.
        user: The person.
        instance: Id of this installation.
        mounted: Names of the volumes that the person's containers have: what the engine makes for
            a container carries nobody's name.
    """
    name = str(volume.get("Name") or "")
    marks = volume.get("Labels") or {}
    if marks.get(labels.INSTANCE, instance) != instance:
        return False
    if is_own_name(name, user) or name == home_volume(user):
        return True
    by_label = marks.get(labels.MANAGED) == "true" and marks.get(labels.USER) == user
    return is_anonymous(name) and (by_label or name in mounted)


def is_kept(volume: Mapping[str, Any], user: str) -> bool:
    """Whether one's own volume is there because its owner made it; others go with containers."""
    name = str(volume.get("Name") or "")
    if is_anonymous(name):
        return labels.MANAGED in (volume.get("Labels") or {})
    return name != home_volume(user)


def mounted_volumes(listed: Collection[Mapping[str, Any]]) -> frozenset[str]:
    """The names of the volumes in entries of `GET /containers/json`."""
    return frozenset(
        str(mount["Name"])
        for entry in listed
        for mount in entry.get("Mounts") or ()
        if mount.get("Type") == "volume" and mount.get("Name")
    )


def volume_view(volume: Mapping[str, Any], user: str) -> dict[str, Any]:
    """A volume as `GET /volumes/{name}` shows it.

    Without the platform's labels: Compose takes what is not in its file for a change.
    """
    seen = dict(volume)
    seen["Name"] = own_name(str(volume.get("Name") or ""), user)
    seen["Labels"] = labels.unreserved(volume.get("Labels") or {}) or None
    where = str(volume.get("Mountpoint") or "")
    seen["Mountpoint"] = "/".join([own_name(part, user) for part in where.split("/")])
    return seen


def check_filters(filters: Filters, *, prune: bool = False) -> None:
    """Return when these filters are known.

    Raises:
        InvalidRequest: One is not.
    """
    for name in filters:
        if name not in (_PRUNE_FILTERS if prune else _LIST_FILTERS):
            raise InvalidRequest(f"invalid filter {shown(name)}")


def prunes_named(version: str, filters: Filters) -> bool:
    """Whether a prune takes volumes with names: always once, and from API 1.42 on request only."""
    if any(value.lower() in {"1", "true"} for value in filters.get("all", ())):
        return True
    major, _, minor = version.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        return False
    return (int(major), int(minor)) < _NAMED_TOO_BEFORE
