"""Whether a container is short enough in a list, with what it has from its image. Pure."""

from collections.abc import Mapping
from typing import Any

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.options.container import AskedContainer
from ds01_spawner.gateway.docker.reading.listing_bounds import check_labels_fit, check_size

MOST_COMMAND_BYTES = 64 * 1024
"""Some give `sh -c` a whole script; the kernel takes 128 KiB in one argument."""

MOST_PATH_BYTES = 32 * 1024
MOST_EXPOSED_PORTS = 1024


def check_container_fits(asked: AskedContainer, image: Mapping[str, Any]) -> None:
    """Return when a container is short enough in a list, with what it has from its image.

    Args:
        asked: What was asked for.
        image: `Config` of the image's inspect JSON.

    Raises:
        InvalidRequest: Something is too long.
    """
    inherited = image.get("Labels") or {}
    check_labels_fit(inherited, asked.labels.kept, whose="The labels of the container and image")
    wishes, mounts = asked.wishes, asked.mounts
    entrypoint = wishes.get("Entrypoint", image.get("Entrypoint"))
    command = wishes.get("Cmd") or image.get("Cmd")
    check_size("The command has", [*(entrypoint or ()), *(command or ())], MOST_COMMAND_BYTES)
    targets = [
        *(each.target for each in mounts.binds),
        *(each.target for each in mounts.volumes),
        *(image.get("Volumes") or ()),
    ]
    check_size("The paths of the mounts have", targets, MOST_PATH_BYTES)
    for marks in (dict(each.labels) for each in mounts.volumes):
        check_labels_fit(marks, whose="The labels of a volume")
    exposed = {*(image.get("ExposedPorts") or ()), *wishes.get("ExposedPorts", ())}
    if len(exposed) > MOST_EXPOSED_PORTS:
        raise InvalidRequest(
            f"The container exposes {len(exposed):,} ports; {MOST_EXPOSED_PORTS:,} are allowed.",
            "Leave --expose out: containers on one network reach every port of each other.",
        )
