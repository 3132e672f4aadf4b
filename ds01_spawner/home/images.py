"""Images of one's own, as the API tells of them: what they can be made of, and which there are."""

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.recipes.catalogue import Catalogue, Framework, UseCase

LATEST = ":latest"
"""The tag of images of one's own that nobody names."""


def catalogue_of(options: m.ImageOptions) -> Catalogue:
    """What there is to choose from, as the server tells it."""
    frameworks = tuple(Framework(**each.model_dump()) for each in options.frameworks)
    use_cases = tuple(UseCase(**each.model_dump()) for each in options.use_cases)
    return Catalogue(
        frameworks=frameworks,
        use_cases=use_cases,
        jupyter=options.jupyter,
        data_science=options.data_science,
        tools=options.tools,
        notices_from=options.notices_from,
        host_settings=options.host_settings,
    )


def own_image(client: Client, name: str) -> m.Image | None:
    """The image of one's own that is called so."""
    wanted = f"{name}{LATEST}"
    return next(
        (each for each in client.images().images if each.own and each.title == wanted), None
    )


def called(image: m.Image) -> str:
    """What a person calls an image: its key in the catalogue, or the name of one's own."""
    return (image.key or image.title).removesuffix(LATEST)
