"""Finds somebody's container for the API, and proves whose it is."""

from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.containers.lookup import owner
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook


def container_named(platform: Platform, user: str, wanted: str) -> ContainerOutlook:
    """The person's container of that name: what they call it, or what the engine does.

    Raises:
        NotFound: They have none.
        Unavailable: Engine, ledger or policy cannot be read.
    """
    mine = platform.outlook.read().of(user).containers
    found = [each for each in mine if wanted in {each.name, each.container_name}]
    if not found:
        names_of = ", ".join(each.name for each in mine)
        raise NotFound(
            f"There is no container called {shown(wanted)}.",
            f"There are: {names_of}." if names_of else "Make one: ds01 container deploy.",
        )
    return found[0]


def proven(platform: Platform, found: ContainerOutlook) -> Container:
    """The container as the engine has it now, if its labels prove whose it is.

    What the platform did not make may bear anybody's name: images bring labels along.

    Raises:
        NotFound: It is gone, or they do not.
        Unavailable: The engine does not answer.
    """
    container = platform.engine.container(found.container_id)
    if container is None:
        raise NotFound(f"{found.name} has just been removed.")
    if owner(container.labels, platform.instance) != found.user:
        raise NotFound(
            f"{found.name} was made past the platform, which leaves it alone.",
            "An administrator can stop it.",
        )
    return container


def again_of(platform: Platform, container: Container) -> ContainerOutlook | None:
    """The container after something was done to it; `None` while it is made anew, or is gone."""
    for each in platform.outlook.read().containers:
        if each.container_id == container.id or each.container_name == container.name:
            return each
    return None


def is_older(container: Container) -> bool:
    """Whether it is from before the platform: its owner may look at it and end it."""
    return container.labels.get(labels.INSTANCE) is None


def runs_of(platform: Platform, container_id: str) -> bool:
    """Whether a container's processes exist."""
    container = platform.engine.container(container_id)
    return container is not None and container.state.is_live
