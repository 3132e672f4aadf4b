"""Places in a container where nothing is mounted and nothing begins, whoever asks for it."""

import posixpath
from collections.abc import Iterable

from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.grant import NOTICES
from ds01_spawner.domain.names import shown

_WITH_ALL_BELOW = (
    "/proc",
    "/sys",
    NOTICES,
    # NVIDIA's runtime takes a mount here for a wish for that device.
    "/run/nvidia-container-devices",
    "/var/run/nvidia-container-devices",
)
_ALONE = frozenset({"/etc", "/etc/group"})
"""Groups are looked up there at each start and `docker exec`, before anybody else can look."""


def is_closed(target: str) -> bool:
    """Whether a normal absolute path inside is the platform's or the kernel's."""
    return target in _ALONE or any(
        target == closed or target.startswith(f"{closed}/") for closed in _WITH_ALL_BELOW
    )


def check_image_volumes(image: str, targets: Iterable[str]) -> None:
    """Return when an image has no volume of its own (`VOLUME`) at a closed place.

    Args:
        image: What it is called, for the message.
        targets: Where it has volumes.

    Raises:
        Forbidden: It has.
    """
    for target in targets:
        plain = "/" + posixpath.normpath(target).lstrip("/")
        if plain == "/" or is_closed(plain):
            raise Forbidden(
                f"The image {shown(image)} has a volume at {shown(plain)}, where nothing may be "
                "mounted.",
                "Build it without that VOLUME.",
            )


def check_working_dir(folder: str) -> None:
    """Return when something may begin in a folder of a container.

    Below /proc/self/fd a runtime may have left a folder of the host open (CVE-2024-21626).

    Raises:
        Forbidden: It is the kernel's.
    """
    plain = "/" + posixpath.normpath(folder).lstrip("/")
    is_memory = plain == "/dev/shm" or plain.startswith("/dev/shm/")  # noqa: S108 - the container's
    if plain.startswith(("/proc/", "/sys/", "/dev/")) and not is_memory:
        raise Forbidden(
            f"The working directory {shown(folder)} is the kernel's, not the container's.",
            "Use a folder of the image: -w /tmp.",
        )
