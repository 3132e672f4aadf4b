"""The image of a project: whether it is as its Dockerfile says, and its container."""

from pathlib import Path

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.home.build_context import files_for
from ds01_spawner.home.image_places import Place
from ds01_spawner.home.images import own_image
from ds01_spawner.recipes.project import Project
from ds01_spawner.recipes.source import source_digest


def place_of(folder: Path, project: Project) -> tuple[Place, str]:
    """Where a project's Dockerfile is, and its text.

    Raises:
        NotFound: It has none.
        InvalidRequest: It cannot be read.
    """
    place = Place(folder, folder.name)
    text = place.read()
    if text is None:
        raise NotFound(
            f"{project.name} has no Dockerfile.",
            f"Make one: ds01 image create --project {folder}",
        )
    return place, text


def need_of(client: Client, folder: Path, project: Project) -> str:
    """Why the project's image has to be built; empty where it is as the files are.

    Raises:
        NotFound: The project has no Dockerfile.
        InvalidRequest: What it reads cannot be read.
    """
    place, text = place_of(folder, project)
    if own_image(client, project.image_name) is None:
        return "not built yet"
    built = client.image(project.image_name).source
    now = source_digest(text, files_for(place.folder, text))
    return "" if built == now else "not of the files that are here now"


def container_of(client: Client, project: Project) -> m.Container | None:
    """The project's container, or `None`."""
    try:
        return client.container(project.name)
    except NotFound:
        return None
