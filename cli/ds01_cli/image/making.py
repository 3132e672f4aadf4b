"""What `create`, `update` and `save-from` share: a Dockerfile in its place, and a build."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ds01_cli.frame import guide, printing
from ds01_cli.image.building import build
from ds01_spawner.client import Client
from ds01_spawner.domain.errors import Conflict, DS01Error
from ds01_spawner.home.build_context import files_for
from ds01_spawner.home.builds import BuildFailed, Wanted, said_sizes
from ds01_spawner.home.image_places import Place
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.recipe import dumped


@dataclass(frozen=True, slots=True)
class Wishes:
    """How it is to be done.

    Attributes:
        builds: Whether the image is built, and not only its Dockerfile written.
        fresh: Whether everything is fetched anew.
        verbose: Whether all that the builder tells is printed.
        as_json: Whether the answer is for programs.
        announces: Whether it is said what can be done with the image.
    """

    builds: bool = True
    fresh: bool = False
    verbose: bool = False
    as_json: bool = False
    announces: bool = True


def made(client: Client, name: str, place: Place, text: str, wishes: Wishes) -> None:
    """Build an image of a Dockerfile's text, and say how it ended.

    Args:
        client: Of the API.
        name: What the image is called.
        place: Where the Dockerfile is.
        text: What is in it.
        wishes: How it is to be done.

    Raises:
        BuildFailed: It failed; with `--json`, that has been printed as well.
    """
    guide.tell("build")
    recipe = kept(text).recipe
    wanted = Wanted(
        name,
        text,
        files_for(place.folder, text),
        place.shown,
        recipe=None if recipe is None else dumped(recipe),
        fresh=wishes.fresh,
    )
    try:
        ended = build(client, wanted, verbose=wishes.verbose)
    except BuildFailed as exc:
        if wishes.as_json:
            why = exc.explanation
            printing.print_json(
                {"build": exc.build, "what": why.what, "fix": why.fix, "line": why.line}
            )
        raise
    if wishes.as_json:
        printing.print_json({"build": ended, "dockerfile": str(place.dockerfile)})
        return
    ready = f"The image {name} is ready{said_sizes(ended)}."
    if not wishes.announces:
        printing.console(stderr=True).print(ready)
        return
    printing.say(
        ready,
        f"Its Dockerfile: {place.shown}",
        f"Start a container of it: ds01 container deploy --image {name}",
    )


@contextmanager
def taken_back(place: Place, names: Iterable[str]) -> Iterator[None]:
    """Files of these names are as they were again, when there is no image to go with them.

    What was not built because of what the Dockerfile says stays: that is where to correct it.
    """
    before = {name: place.read(name) for name in names}
    try:
        yield
    except BuildFailed:
        raise
    except (KeyboardInterrupt, DS01Error):
        for name, text in before.items():
            if text is not None:
                place.write(text, name)
        place.remove(name for name, text in before.items() if text is None)
        raise


def check_unedited(name: str, place: Place, text: str | None, *, overwrite: bool) -> None:
    """Return when the Dockerfile that is there may be written over.

    Raises:
        Conflict: Somebody changed it, and nobody said that it may go.
    """
    if text is None or overwrite or not kept(text).edited:
        return
    raise Conflict(
        f"{place.shown} was changed by hand, and is left as it is.",
        f"Build what it says: ds01 image update {name}{place.flag} --rebuild; "
        "or write over it: --overwrite.",
    )
