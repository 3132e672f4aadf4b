"""Images of one's own, as the API tells of them: what they can be made of, and which there are."""

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.recipes.catalogue import Catalogue, Framework, UseCase


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
    wanted = f"{name}:latest"
    return next(
        (each for each in client.images().images if each.own and each.title == wanted), None
    )
