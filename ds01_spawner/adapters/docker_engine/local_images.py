"""The images that the engine has, by name."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ds01_spawner.adapters.docker_engine.connection import Call, Connection
from ds01_spawner.ports import LocalImage

_UNNAMED = "<none>:<none>"


def local_images(connection: Connection) -> Mapping[str, LocalImage]:
    """Every image that has a name, by each of its references."""
    found = connection.json(Call("GET", "/images/json", "list images")) or ()
    return {
        reference: LocalImage(int(each.get("Size") or 0), _moment(each.get("Created")))
        for each in found
        for reference in each.get("RepoTags") or ()
        if reference != _UNNAMED
    }


def _moment(seconds: object) -> datetime | None:
    # An image without a date has the year 1, which is negative.
    if not isinstance(seconds, int) or seconds <= 0:
        return None
    return datetime.fromtimestamp(seconds, UTC)
