"""What one person's things take of the disk, from what the engine says of everybody's. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ds01_spawner.gateway.docker.containers.views import listed_view
from ds01_spawner.gateway.docker.volumes.view import volume_view

TYPES = ("container", "image", "volume", "build-cache")
UNKNOWN = -1
"""Docker's own figure for a size that was not found out; clients show `N/A`."""

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes that the engine counted.

    Attributes:
        shared: By image id: how much of it other images have too.
        volumes: By the engine's name.
    """

    shared: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)


def sizes_of(everybodys: Entry) -> Sizes:
    """The sizes in the engine's answer to `GET /system/df`."""
    return Sizes(
        {
            str(each.get("Id")): int(each.get("SharedSize", UNKNOWN))
            for each in everybodys.get("Images") or ()
        },
        {
            str(each.get("Name")): int((each.get("UsageData") or {}).get("Size", UNKNOWN))
            for each in everybodys.get("Volumes") or ()
        },
    )


@dataclass(frozen=True, slots=True)
class Things:
    """What somebody has.

    Attributes:
        user: Who.
        containers: As the engine lists them, with sizes.
        images: As `GET /images/json` shows them to their owner.
        volumes: As the engine shows them.
    """

    user: str
    containers: Sequence[Entry]
    images: Sequence[Entry]
    volumes: Sequence[Entry]


def disk_use(things: Things, sizes: Sizes, wanted: Sequence[str]) -> dict[str, Any]:
    """`GET /system/df` for one person.

    Args:
        things: What they have.
        sizes: What the engine counted.
        wanted: Which of `TYPES`; the others are null.
    """
    images = _images(things, sizes)
    containers = [listed_view(each, things.user) for each in things.containers]
    return {
        "LayersSize": _layers(images) if "image" in wanted else 0,
        "Images": images if "image" in wanted else None,
        "Containers": containers if "container" in wanted else None,
        "Volumes": _volumes(things, sizes) if "volume" in wanted else None,
        "BuildCache": [] if "build-cache" in wanted else None,
        "BuilderSize": 0,
    }


def _images(things: Things, sizes: Sizes) -> list[dict[str, Any]]:
    used = Counter(str(each.get("ImageID")) for each in things.containers)
    return [
        {
            **each,
            "Containers": used[str(each.get("Id"))],
            "SharedSize": sizes.shared.get(str(each.get("Id")), UNKNOWN),
        }
        for each in things.images
    ]


def _volumes(things: Things, sizes: Sizes) -> list[dict[str, Any]]:
    used = Counter(
        str(mount.get("Name"))
        for each in things.containers
        for mount in each.get("Mounts") or ()
        if mount.get("Type") == "volume"
    )
    found = []
    for each in things.volumes:
        name = str(each.get("Name"))
        figures = {"Size": sizes.volumes.get(name, UNKNOWN), "RefCount": used[name]}
        found.append({**volume_view(each, things.user), "UsageData": figures})
    return found


def _layers(images: Sequence[Entry]) -> int:
    """Bytes of all layers, as nearly as can be said without the layers: what is shared, once."""
    shared = [max(0, int(each["SharedSize"])) for each in images]
    whole = sum(int(each.get("Size") or 0) for each in images)
    return whole - sum(shared) + max(shared, default=0)
