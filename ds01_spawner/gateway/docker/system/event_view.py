"""The engine's events as one person sees them: their own, under their own names. Pure.

https://docs.docker.com/reference/cli/docker/system/events/
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.labels import IMAGE_OWNER
from ds01_spawner.domain.names import home_volume, network_name, shown, user_slug
from ds01_spawner.gateway.docker.reading.filters import encode_filters, parse_filters
from ds01_spawner.gateway.docker.reading.image_names import shown_image
from ds01_spawner.gateway.docker.reading.names import is_own_name, own_name

ENGINE_FILTERS = frozenset({"type", "event", "scope", "label"})
"""Filters that mean the same to the engine, whoever asks."""

_OUR_FILTERS = frozenset({"container", "image", "network", "volume"})
_OTHERS_FILTERS = frozenset({"config", "daemon", "node", "plugin", "secret", "service"})
_MOMENT = re.compile(r"^[0-9]{1,11}(?:\.[0-9]{1,9})?\Z")

EventFilters = Mapping[str, frozenset[str]]
"""Values by the name of the filter; each is an alternative."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at events.

    Attributes:
        user: Login name.
        owns_container: Whether a container with these labels is theirs.
    """

    user: str
    owns_container: Callable[[Mapping[str, str]], bool]


def event_for(event: Any, viewer: Viewer, filters: EventFilters) -> dict[str, Any] | None:
    """The event in its viewer's words; `None` when it is not theirs, or not asked for.

    Events of the engine itself (daemon, plugins, what was pruned) are nobody's.
    """
    if not isinstance(event, Mapping) or not isinstance(event.get("Actor"), Mapping):
        return None
    translate = _BY_TYPE.get(str(event.get("Type")))
    if translate is None:
        return None
    attributes = {key: str(text) for key, text in (event["Actor"].get("Attributes") or {}).items()}
    told = translate(str(event["Actor"].get("ID") or ""), attributes, viewer)
    if told is None or not _asked_for(str(event["Type"]), told, filters):
        return None
    actor_id, attributes = told
    seen = {**event, "Actor": {**event["Actor"], "ID": actor_id, "Attributes": attributes}}
    if "id" in event:
        seen["id"] = actor_id
    if "from" in event:
        seen["from"] = attributes.get("image", "")
    return seen


def filters_of(text: str, user: str) -> EventFilters:
    """The filters that a client sent, checked.

    Raises:
        InvalidRequest: They are not filters, or Docker has none of that name for events.
    """
    given = parse_filters(text)
    for name in given:
        if name not in ENGINE_FILTERS | _OUR_FILTERS | _OTHERS_FILTERS:
            raise InvalidRequest(f"invalid filter {shown(name)}")
    return {
        name: frozenset(own_name(each, user) if name in _OUR_FILTERS else each for each in values)
        for name, values in given.items()
    }


def engine_filters(filters: EventFilters) -> str:
    """Those that the engine may apply before, as it reads them."""
    return encode_filters(
        {name: sorted(values) for name, values in filters.items() if name in ENGINE_FILTERS}
    )


def wants_nothing(filters: EventFilters) -> bool:
    """Whether they ask for what no person ever sees."""
    return any(values for name, values in filters.items() if name in _OTHERS_FILTERS)


def check_moments(since: str, until: str) -> None:
    """Return when both are empty or moments, in order.

    Raises:
        InvalidRequest: They are not.
    """
    for name, text in (("since", since), ("until", until)):
        if text and not _MOMENT.match(text):
            raise InvalidRequest(f"{name} must be seconds since 1970; found {shown(text)}.")
    if since and until and float(since) > float(until):
        raise InvalidRequest("`since` time cannot be after `until` time")


_Told = tuple[str, dict[str, str]]


def _container(actor_id: str, attributes: dict[str, str], viewer: Viewer) -> _Told | None:
    if not viewer.owns_container(attributes):
        return None
    told = dict(attributes)
    for key in ("name", "oldName"):
        if key in told:
            told[key] = own_name(told[key], viewer.user)
    if "image" in told:
        told["image"] = shown_image(told["image"], viewer.user)
    return actor_id, told


def _network(actor_id: str, attributes: dict[str, str], viewer: Viewer) -> _Told | None:
    name = attributes.get("name", "")
    if name == network_name(viewer.user):
        return actor_id, attributes
    if not is_own_name(name, viewer.user):
        return None
    return actor_id, {**attributes, "name": own_name(name, viewer.user)}


def _volume(actor_id: str, attributes: dict[str, str], viewer: Viewer) -> _Told | None:
    if actor_id == home_volume(viewer.user):
        return actor_id, attributes
    if not is_own_name(actor_id, viewer.user):
        return None
    return own_name(actor_id, viewer.user), attributes


def _image(actor_id: str, attributes: dict[str, str], viewer: Viewer) -> _Told | None:
    name = attributes.get("name", "")
    own = _own_image(name, viewer.user)
    labelled = attributes.get(IMAGE_OWNER) == user_slug(viewer.user)
    if own is None and not labelled:
        return None
    own_id = _own_image(actor_id, viewer.user)
    if own_id is None and not actor_id.startswith("sha256:"):
        return None
    return own_id or actor_id, {**attributes, "name": own or ""}


def _own_image(reference: str, user: str) -> str | None:
    """What a person calls an image of their own by its name; `None` for any other."""
    own = shown_image(reference, user)
    return None if own == reference else own


_BY_TYPE: Mapping[str, Callable[[str, dict[str, str], Viewer], _Told | None]] = {
    "container": _container,
    "network": _network,
    "volume": _volume,
    "image": _image,
}


def _asked_for(kind: str, told: _Told, filters: EventFilters) -> bool:
    """As the engine decides, but by the names that the viewer knows."""
    actor_id, attributes = told
    name = attributes.get("name", "")
    for filter_name in _OUR_FILTERS & set(filters):
        wanted = filters[filter_name]
        if not wanted:
            continue
        if filter_name == "image":
            image = attributes.get("image", "") if kind == "container" else name
            candidates = {actor_id, image, image.rpartition(":")[0]}
            found = kind in {"container", "image"} and bool(candidates & wanted)
        else:
            beginnings = tuple(wanted)
            matches = actor_id.startswith(beginnings) or name.startswith(beginnings)
            found = kind == filter_name and matches
        if not found:
            return False
    return True
