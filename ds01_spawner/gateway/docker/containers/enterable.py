"""What is looked at each time before something more is run in a container."""

from collections.abc import Mapping
from typing import Any

from ds01_spawner.adapters.docker_engine.group_file import check_group_file
from ds01_spawner.composition import Platform
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.docker.options.exec import runs_as
from ds01_spawner.operations.containers.readiness import check_image_user


def check_enterable(
    platform: Platform, user: str, account: UnixAccount, inspected: Mapping[str, Any]
) -> None:
    """Return when the person may run something in a container of theirs; blocks.

    Args:
        platform: The platform.
        user: The person.
        account: Their account.
        inspected: The engine's inspect JSON of the container, which was made here.

    Raises:
        Forbidden: It would have rights that are not theirs, or not any more.
        Unavailable: There is no valid policy.
    """
    check_group_file(inspected)
    if not runs_as(account, (inspected.get("Config") or {}).get("User") or ""):
        limits = platform.admission.limits(user)
        check_image_user(runs_as=None, own=account.uid, limits=limits)
