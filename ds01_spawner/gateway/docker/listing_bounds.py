"""How much one object may add to a list of everybody's. Pure.

Some answers of the engine are about all containers, volumes or images, and are read whole.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.asked import AskedContainer

MOST_LABEL_BYTES = 32 * 1024
MOST_COMMAND_BYTES = 64 * 1024
"""Some give `sh -c` a whole script; the kernel takes 128 KiB in one argument."""

MOST_PATH_BYTES = 32 * 1024
MOST_EXPOSED_PORTS = 1024


def check_labels_fit(*given: Mapping[str, str], whose: str = "The labels") -> None:
    """Return when labels are short enough together; of one that is said twice, the last counts.

    Args:
        given: Labels, the inherited ones first.
        whose: Begins the sentence that refuses them.

    Raises:
        InvalidRequest: They are too long.
    """
    together = {key: value for marks in given for key, value in marks.items()}
    _check(f"{whose} have", [*together, *together.values()], MOST_LABEL_BYTES)


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
    _check("The command has", [*(entrypoint or ()), *(command or ())], MOST_COMMAND_BYTES)
    targets = [
        *(each.target for each in mounts.binds),
        *(each.target for each in mounts.volumes),
        *(image.get("Volumes") or ()),
    ]
    _check("The paths of the mounts have", targets, MOST_PATH_BYTES)
    for marks in (dict(each.labels) for each in mounts.volumes):
        check_labels_fit(marks, whose="The labels of a volume")
    exposed = {*(image.get("ExposedPorts") or ()), *wishes.get("ExposedPorts", ())}
    if len(exposed) > MOST_EXPOSED_PORTS:
        raise InvalidRequest(
            f"The container exposes {len(exposed):,} ports; {MOST_EXPOSED_PORTS:,} are allowed.",
            "Leave --expose out: containers on one network reach every port of each other.",
        )


def _check(begun: str, texts: Iterable[str], most: int) -> None:
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if size > most:
        raise InvalidRequest(f"{begun} {size:,} bytes; {most:,} are allowed.", "Shorten them.")
