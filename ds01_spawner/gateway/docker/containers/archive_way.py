"""Who copies for `docker cp`.

The engine copies as root, and mounts what a container has wherever the paths lead at that moment.
Who can change a folder on the way, in a volume or from within, has something mounted over any
folder of the host. So the engine copies only where nobody can: nothing runs, no folder of the
server is mounted, no mount's place leads through a link or another mount, and the path through no
mount. What runs is copied from within by a process of the container's user; out of what does not
run, and into its volumes, by one that sees its layers and volumes and nothing else
(`adapters.container_files`). The rest by nobody.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.docker_engine.inspection import inspected_container
from ds01_spawner.adapters.docker_engine.layers import layers_of, leads_to, walked
from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict
from ds01_spawner.domain.grant import NOTICES
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.containers.archive_process import Volume
from ds01_spawner.gateway.docker.containers.lookup import labels_of

ENGINES_OWN = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", NOTICES)
"""Where the engine mounts something for every container."""

_VOLUME, _BIND = "volume", "bind"


class Way(StrEnum):
    """Who copies."""

    ENGINE = "engine"
    INSIDE = "inside"
    BESIDE = "beside"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Ground:
    """What the layers of a container that does not run say about a copy.

    Attributes:
        layers: The topmost first; none where the engine keeps them otherwise.
        is_plain: Whether no place of a mount leads through a link or into another mount.
        through: The mount's place that the path leads through; empty without one.
    """

    layers: tuple[Path, ...] = ()
    is_plain: bool = False
    through: str = ""


def ground_of(inspected: Mapping[str, Any], path: str) -> Ground:
    """Look at the layers: what is read in them does not change while nothing runs there.

    Raises:
        Forbidden: A path leads nowhere.
    """
    layers = layers_of(inspected)
    mounts = inspected.get("Mounts") or ()
    if all(map(_is_notices, mounts)):
        return Ground(layers, is_plain=True)
    if not layers:
        return Ground()
    places = {_place(each) for each in mounts}
    everywhere = places.union(ENGINES_OWN)
    is_plain = all(leads_to(layers, place) == place for place in everywhere)
    # As long as the way goes: what is mounted there decides how it goes on.
    met = [place for place in walked(layers, _normal(path)) if place in places]
    return Ground(layers, is_plain and not _are_nested(everywhere), met[0] if met else "")


def way_of(inspected: Mapping[str, Any], ground: Ground, *, is_put: bool) -> Way:
    """Who copies from and to a container, by its inspect JSON. Pure.

    The folder with notices changes nothing: nobody writes there. What docker did not make, its
    maker starts without a look at copies (`Stillness`), and it is not written to.
    """
    state = inspected.get("State") or {}
    if state.get("Restarting"):
        return Way.NOBODY
    if state.get("Running"):
        return Way.INSIDE if state.get("Pid") else Way.NOBODY
    is_dockers = labels.origin_of(labels_of(inspected)) in labels.DOCKER_DOORS
    mounts = [each for each in inspected.get("Mounts") or () if not _is_notices(each)]
    are_volumes = all(_is_volume(each) for each in mounts)
    is_still = not mounts or (are_volumes and ground.is_plain and not ground.through)
    if is_dockers and is_still:
        return Way.ENGINE
    met: Mapping[str, Any] = next((m for m in mounts if _place(m) == ground.through), {})
    if not ground.layers or met.get("Type") == _BIND:
        return Way.NOBODY
    if is_put:
        return Way.BESIDE if is_dockers and _is_volume(met) and met.get("RW") else Way.NOBODY
    return Way.BESIDE


def refusal(inspected: Mapping[str, Any], ground: Ground, ref: str, *, is_put: bool) -> Conflict:
    """Why nobody copies, and what works instead."""
    state = inspected.get("State") or {}
    if state.get("Running") or state.get("Restarting"):
        return Conflict(f"{ref} is just being restarted.", "Copy again in a moment.")
    mounts = inspected_container(inspected).mounts
    met = next((each for each in mounts if _normal(each.target) == ground.through), None)
    if met is not None and met.kind == _BIND:
        return Conflict(
            f"{ground.through} in {ref} is {shown(met.source)} of the server, and {ref} does not "
            "run.",
            "Copy from and to that folder itself, without docker.",
        )
    if is_put:
        return Conflict(
            f"{ref} does not run, and nothing is copied there: it has something mounted, or "
            "docker did not make it.",
            f"docker start {ref}, then copy.",
        )
    return Conflict(
        f"{ref} is stopped and has volumes or folders mounted.",
        f"docker start {ref}, then copy; or docker export {ref} | tar -x PATH, without what is "
        "mounted.",
    )


def volumes_of(inspected: Mapping[str, Any]) -> tuple[Volume, ...]:
    """Its volumes, outer ones first."""
    every = [
        Volume(str(each["Source"]), _place(each), each.get("RW") is True)
        for each in inspected.get("Mounts") or ()
        if _is_volume(each)
    ]
    return tuple(sorted(every, key=lambda volume: (volume.target.count("/"), volume.target)))


def _are_nested(places: Iterable[str]) -> bool:
    ordered: Sequence[str] = sorted(f"{place.rstrip('/')}/" for place in places)
    return any(below.startswith(above) for above, below in pairwise(ordered))


def _is_notices(mount: Mapping[str, Any]) -> bool:
    is_there = mount.get("Type") == _BIND and mount.get("Destination") == NOTICES
    return is_there and mount.get("RW") is False


def _is_volume(mount: Mapping[str, Any]) -> bool:
    return mount.get("Type") == _VOLUME and mount.get("Driver") == "local"


def _place(mount: Mapping[str, Any]) -> str:
    return _normal(str(mount.get("Destination")))


def _normal(path: str) -> str:
    return "/" + posixpath.normpath("/" + path).lstrip("/")
