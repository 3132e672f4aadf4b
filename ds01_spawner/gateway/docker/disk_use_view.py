"""What one person's things take of the disk, from what the engine says of everybody's. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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


def disk_use(  # noqa: PLR0913, PLR0917 - what is added up
    entries: Sequence[Entry],
    containers: Sequence[Entry],
    images: Sequence[Entry],
    volumes: Mapping[str, Entry],
    sizes: Sizes,
    wanted: Sequence[str],
) -> dict[str, Any]:
    """`GET /system/df` for one person.

    Args:
        entries: Their containers as the engine lists them, with sizes.
        containers: The same as they see them.
        images: Images as they see them.
        volumes: Their volumes as they see them, by the engine's names.
        sizes: What the engine counted.
        wanted: Which of `TYPES`; the others are null.
    """
    by_image = Counter(str(each.get("ImageID")) for each in entries)
    by_volume = Counter(
        str(mount.get("Name"))
        for each in entries
        for mount in each.get("Mounts") or ()
        if mount.get("Type") == "volume"
    )
    seen = [
        {
            **each,
            "Containers": by_image[str(each.get("Id"))],
            "SharedSize": sizes.shared.get(str(each.get("Id")), UNKNOWN),
        }
        for each in images
    ]
    used = [
        {
            **each,
            "UsageData": {"Size": sizes.volumes.get(name, UNKNOWN), "RefCount": by_volume[name]},
        }
        for name, each in volumes.items()
    ]
    return {
        "LayersSize": _layers(seen) if "image" in wanted else 0,
        "Images": seen if "image" in wanted else None,
        "Containers": list(containers) if "container" in wanted else None,
        "Volumes": used if "volume" in wanted else None,
        "BuildCache": [] if "build-cache" in wanted else None,
        "BuilderSize": 0,
    }


def _layers(images: Sequence[Entry]) -> int:
    """Bytes of all layers, as nearly as can be said without the layers: what is shared, once."""
    shared = [max(0, int(each["SharedSize"])) for each in images]
    whole = sum(int(each.get("Size") or 0) for each in images)
    return whole - sum(shared) + max(shared, default=0)
