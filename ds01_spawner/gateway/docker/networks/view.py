"""Networks as their owner sees them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.names import network_name
from ds01_spawner.gateway.docker.reading.names import is_own_name, own_name

NO_NETWORK = "none"
"""The one network of the engine's own that people see: it joins nobody to anybody."""

_HIDDEN_OPTIONS = frozenset({"com.docker.network.bridge.name"})


def is_own(network: Mapping[str, Any], user: str, instance: str) -> bool:
    """Whether a network of the engine's is this person's: made by them, or for them."""
    name = str(network.get("Name") or "")
    if name == network_name(user):
        return True
    marks = network.get("Labels") or {}
    return (
        is_own_name(name, user)
        and marks.get(labels.MANAGED) == "true"
        and marks.get(labels.USER) == user
        and marks.get(labels.INSTANCE) == instance
    )


def network_view(network: Mapping[str, Any], user: str) -> dict[str, Any]:
    """A network as `GET /networks/{id}` shows it.

    What the platform adds is left out: Compose takes an option or a label that is not in its file
    for a changed network, and refuses to go on.
    """
    if network.get("Name") == NO_NETWORK:
        return {**network, "Containers": {}}
    seen = dict(network)
    seen["Name"] = own_name(str(network.get("Name") or ""), user)
    seen["Labels"] = labels.unreserved(network.get("Labels") or {})
    seen["Options"] = {
        key: value
        for key, value in (network.get("Options") or {}).items()
        if key not in _HIDDEN_OPTIONS
    }
    seen["Containers"] = {
        container_id: {**endpoint, "Name": own_name(str(endpoint.get("Name") or ""), user)}
        for container_id, endpoint in (network.get("Containers") or {}).items()
        if is_own_name(str(endpoint.get("Name") or ""), user)
    }
    return seen


def has_name(name: str, patterns: Iterable[str]) -> bool:
    """Whether a filter on names lets `name` through; no patterns let everything through.

    A pattern is part of a name, with `^` and `$` at its ends. The engine takes regular expressions;
    what people send is never run as one.
    """
    wanted = tuple(patterns)
    return not wanted or any(_matches(name, pattern) for pattern in wanted)


def _matches(name: str, pattern: str) -> bool:
    at_start, at_end = pattern.startswith("^"), pattern.endswith("$")
    text = pattern.removeprefix("^").removesuffix("$").removeprefix("/").replace("\\", "")
    if at_start and at_end:
        return name == text
    if at_start:
        return name.startswith(text)
    return name.endswith(text) if at_end else text in name
