"""What `create`, `update` and `save-from` share: a Dockerfile in its place, and a build."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ds01_cli.frame import guide, here, printing
from ds01_cli.image.building import BuildFailed, Wanted, build, said_sizes
from ds01_cli.image.context import files_for
from ds01_cli.image.dockerfile import Place
from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, DS01Error, InvalidRequest, NotFound
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.recipe import dumped
from ds01_spawner.recipes.requirements import as_text, listed

_FROM = "requirements.from-"


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
        verbose=wishes.verbose,
    )
    try:
        ended = build(client, wanted)
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


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the build reads packages from.

    Attributes:
        names: Files beside the Dockerfile.
        written: Text of those that are not there yet.
    """

    names: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)


def requirements_of(place: Place, path: str | None) -> Requirements:
    """The files that a build reads packages from, for what a person gave.

    A `requirements.txt` of the folder is read as it is. Anything else is said anew in a file
    beside the Dockerfile, which is for the caller to write.

    Args:
        place: Where the Dockerfile is.
        path: What the person gave; `None` for nothing.

    Raises:
        NotFound: It is not there.
        InvalidRequest: It lists no packages that can be read.
    """
    if path is None:
        return Requirements()
    given = Path(path).expanduser()
    beside = place.folder / given
    source = beside if not given.exists() and beside.exists() else given
    found = listed(source.name, _read(source))
    printing.note(*found.notes)
    inside = here.resolved(source).parent == here.resolved(place.folder)
    if inside and source.suffix == ".txt":
        for name in found.includes:
            listed(name, _read(place.folder / name))
        return Requirements((source.name, *found.includes))
    if found.includes:
        raise InvalidRequest(
            f"{source.name} includes {found.includes[0]}, which is not in the image's folder.",
            f"Put both into {place.folder}, and give --requirements {source.name}.",
        )
    name = f"{_FROM}{source.stem}.txt"
    return Requirements((name,), {name: as_text(found, source.name)})


def renewed(place: Place, names: tuple[str, ...]) -> Requirements:
    """The same files, with the text of those that were made from others, as these are now.

    Raises:
        InvalidRequest: One of those lists no packages that can be read.
    """
    written: dict[str, str] = {}
    for name in names:
        stem = name.removeprefix(_FROM).removesuffix(".txt")
        if not name.startswith(_FROM):
            continue
        for suffix in (".yml", ".yaml", ".toml"):
            source = place.folder / f"{stem}{suffix}"
            if source.is_file():
                found = listed(source.name, _read(source))
                written[name] = as_text(found, source.name)
                printing.note(*found.notes)
                break
    return Requirements(names, written)


def own_image(client: Client, name: str) -> m.Image | None:
    """The image of one's own that is called so."""
    wanted = f"{name}:latest"
    return next(
        (each for each in client.images().images if each.own and each.title == wanted), None
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as exc:
        raise NotFound(f"There is no file {path}.", "Give its path, or leave it out.") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc}.") from exc
