"""Where mounts of a new container really go: links of its image count, too. Pure."""

import posixpath
from collections.abc import Mapping

from ds01_spawner.domain.closed_places import check_working_dir, is_closed
from ds01_spawner.domain.container import Container, ContainerSpec
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.grant import NOTICES
from ds01_spawner.domain.names import shown

_NEXT_STEP = "Build the image without that, or choose another one."


def places_of(container: Container) -> frozenset[str]:
    """The paths of a container at which the engine mounts or makes something."""
    targets = {_normal(mount.target) for mount in container.mounts}
    return frozenset(
        targets | ({_normal(container.working_dir)} if container.working_dir else set())
    )


def check_places(container: Container, spec: ContainerSpec, led: Mapping[str, str]) -> None:
    """Return when nothing is mounted or made but where the platform said.

    The engine makes places of mounts that do not exist, as root: in a folder of the server that is
    mounted by then, where its image has a link that leads there or a volume of its own.

    Args:
        container: As the engine made it, with the volumes of its image.
        spec: What the engine was told.
        led: Where the paths of `places_of` lead in the files of the image.

    Raises:
        Forbidden: A path leads to a closed place or, by the image alone, into such a folder.
    """
    told = {_normal(mount.target) for mount in spec.mounts} | {_normal(spec.working_dir or "/")}
    folders = {
        _normal(mount.target)
        for mount in spec.mounts
        if mount.kind == "bind" and mount.target != NOTICES
    }
    if container.working_dir:
        check_working_dir(led.get(_normal(container.working_dir), container.working_dir))
    for path in sorted(places_of(container)):
        real = led.get(path, path)
        if path != real and (real == "/" or is_closed(real)):
            raise Forbidden(
                f"{shown(path)} of the image {spec.image} leads to {shown(real)}, where nothing "
                "may be mounted.",
                _NEXT_STEP,
            )
        for folder in folders - {path}:
            is_meant = path in told and _is_within(path, folder)
            if not is_meant and _is_within(real, led.get(folder, folder)):
                raise Forbidden(
                    f"{shown(path)} of the image {spec.image} is in {shown(folder)}, a folder of "
                    "the server, where an image has nothing made.",
                    _NEXT_STEP,
                )


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _normal(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")
