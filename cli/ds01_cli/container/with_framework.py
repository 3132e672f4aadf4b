"""An image with a framework in it: one's own before the catalogue's, the newest first."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ds01_spawner.domain.errors import DS01Error, NotFound
from ds01_spawner.domain.names import shown
from ds01_spawner.recipes.recipe import loaded

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Image

_MOST_LOOKED_AT = 20
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
LATEST = ":latest"


def image_with(client: "Client", framework: str) -> str:
    """What to ask for, to get an image with that framework.

    An image of one's own, made with `ds01 image create --framework` of that name, goes before one
    of the catalogue that has it in its name or title.

    Raises:
        NotFound: There is none.
    """
    word = framework.strip().casefold()
    offered = client.images().images
    own = sorted((each for each in offered if each.own), key=_age, reverse=True)
    for each in own[:_MOST_LOOKED_AT]:
        if word and _framework_of(client, each) in {word, f"{word}-cpu"}:
            return own_name(each)
    for each in offered:
        if word and not each.own and word in f"{each.key} {each.title}".casefold():
            return each.key or each.reference
    raise NotFound(
        f"No image with {shown(framework)} is here.",
        f"Make one: ds01 image create --framework {framework}; or see what there is:"
        " ds01 image list",
    )


def own_name(image: "Image") -> str:
    """What its owner calls an image: `thesis`, or with a tag where that is not the usual one."""
    return image.title.removesuffix(LATEST)


def _framework_of(client: "Client", image: "Image") -> str | None:
    try:
        recipe = client.image(own_name(image)).recipe
        return None if recipe is None else loaded(recipe).framework
    except DS01Error:  # it is gone, or of another release
        return None


def _age(image: "Image") -> datetime:
    return image.created_at or _LONG_AGO
