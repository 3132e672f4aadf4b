"""`ds01 image update`: other packages, or everything anew."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Json
from ds01_cli.image import options
from ds01_cli.image.making import Wishes, made, taken_back
from ds01_spawner.client import Client
from ds01_spawner.domain.errors import Conflict, NotFound
from ds01_spawner.home.image_places import Place, name_for, place_of_image
from ds01_spawner.home.images import catalogue_of
from ds01_spawner.home.requirement_files import renewed, requirements_of
from ds01_spawner.recipes.catalogue import Catalogue
from ds01_spawner.recipes.dockerfile import written
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.packages import apt_package, pip_package
from ds01_spawner.recipes.recipe import Recipe, dumped, loaded, with_packages


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be different.

    Attributes:
        add: Packages for pip.
        apt: Debian packages.
        remove: Names of either.
        framework: Another one.
        use_case: Another one.
        requirements: A file that lists packages.
        rebuild: Whether it is built though nothing is different, with everything fetched anew.
        overwrite: Whether a Dockerfile that was changed by hand may go.
    """

    add: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    framework: str | None = None
    use_case: str | None = None
    requirements: str | None = None
    rebuild: bool = False
    overwrite: bool = False

    @property
    def of_recipe(self) -> bool:
        """Whether the recipe is to be another."""
        wanted = (self.add, self.apt, self.remove, self.framework, self.use_case, self.requirements)
        return any(wanted)


def update(  # noqa: PLR0913 - the flags of the command
    *,
    name: options.OwnName = None,
    add: Annotated[
        options.Many,
        typer.Option(metavar="PACKAGE", help="One more Python package, or another version."),
    ] = None,
    apt: Annotated[
        options.Many, typer.Option(metavar="PACKAGE", help="One more system package.")
    ] = None,
    remove: Annotated[
        options.Many, typer.Option(metavar="PACKAGE", help="A package that is not needed any more.")
    ] = None,
    framework: Annotated[str | None, typer.Option(help="Another framework.")] = None,
    use_case: Annotated[str | None, typer.Option("--use-case", help="Another use case.")] = None,
    requirements: Annotated[
        str | None,
        typer.Option("--requirements", "-r", metavar="FILE", help="A file that lists packages."),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Fetch everything anew, for newer versions.")
    ] = False,
    project: options.Project = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    verbose: options.Verbose = False,
    as_json: Json = False,
) -> None:
    """Add or remove packages of an image, or build it anew."""
    guide.tell("change")
    called = name_for(name, project)
    if called is None:
        raise typer.BadParameter("Say which image: ds01 image update NAME.")
    changes = Changes(
        tuple(map(pip_package, add or ())),
        tuple(map(apt_package, apt or ())),
        tuple(remove or ()),
        framework,
        use_case,
        requirements,
        rebuild,
        overwrite,
    )
    wishes = Wishes(fresh=rebuild, verbose=verbose, as_json=as_json)
    with session.connect() as client:
        place = place_of_image(called, project)
        apply(client, called, place, changes, wishes, dry_run=dry_run)


def apply(  # noqa: PLR0913 - what, where, how
    client: Client,
    name: str,
    place: Place,
    changes: Changes,
    wishes: Wishes,
    *,
    dry_run: bool = False,
) -> None:
    """Build an image as it is to be. Its Dockerfile is written once that has worked.

    Raises:
        NotFound: There is no such image, or nothing tells what it was made of.
        Conflict: Its Dockerfile was changed by hand, and is to say something else.
        BuildFailed: The build failed; the image and its Dockerfile are as they were.
    """
    before = place.read()
    text, lists = _text(client, name, place, before, changes)
    if dry_run:
        _print_dry(name, text, as_json=wishes.as_json)
        return
    same = text == before and all(place.read(file) == said for file, said in lists.items())
    if same and not changes.rebuild and not changes.requirements:
        if wishes.as_json:
            printing.print_json({"build": None, "dockerfile": str(place.dockerfile)})
        else:
            printing.say(f"{name} is like that already. To build it anew: --rebuild")
        return
    with taken_back(place, lists):
        for file, content in lists.items():
            place.write(content, file)
        made(client, name, place, text, wishes)
        if text != before:
            place.write(text)


def _print_dry(name: str, text: str, *, as_json: bool) -> None:
    if as_json:
        recipe = kept(text).recipe
        said = None if recipe is None else dumped(recipe)
        printing.print_json({"name": name, "dockerfile": text, "recipe": said})
    else:
        typer.echo(text, nl=False)


def _text(
    client: Client, name: str, place: Place, before: str | None, changes: Changes
) -> tuple[str, Mapping[str, str]]:
    """The Dockerfile as it is to be, and the lists of packages that it reads, made anew."""
    there = None if before is None else kept(before)
    if before is not None and there is not None and there.edited and not changes.overwrite:
        if changes.of_recipe:
            raise Conflict(
                f"{place.shown} was changed by hand, and is left as it is.",
                f"Change it there, then: ds01 image update {name}{place.flag} --rebuild; "
                "or let it be written anew, without your changes: --overwrite.",
            )
        return before, {}
    recipe = there.recipe if there is not None else None
    catalogue = catalogue_of(client.image_options())
    changed = _changed(recipe or _of_image(client, name, place), changes, catalogue)
    if changes.requirements is not None:
        lists = requirements_of(place, changes.requirements)
        changed = replace(changed, requirements=lists.names)
    else:
        lists = renewed(place, changed.requirements)
    printing.note(*lists.notes)
    return written(changed, catalogue, name), lists.written


def _changed(recipe: Recipe, changes: Changes, catalogue: Catalogue) -> Recipe:
    files = {each for each in changes.remove if each in recipe.requirements}
    packages = [each for each in changes.remove if each not in files]
    changed = with_packages(recipe, add=changes.add, apt=changes.apt, remove=packages)
    if files:
        left = tuple(each for each in recipe.requirements if each not in files)
        changed = replace(changed, requirements=left)
    if changes.framework is not None:
        changed = replace(changed, framework=catalogue.framework(changes.framework).key)
    if changes.use_case is not None:
        changed = replace(changed, use_case=catalogue.use_case(changes.use_case).key)
    return changed


def _of_image(client: Client, name: str, place: Place) -> Recipe:
    said = client.image(name).recipe
    if said is None:
        raise NotFound(
            f"Nothing tells what {name} was made of.",
            f"Make it anew: ds01 image create {name}{place.flag} --overwrite.",
        )
    recipe = loaded(said)
    missing = [each for each in recipe.requirements if not (place.folder / each).exists()]
    if missing:
        raise NotFound(
            f"{name} is made with {missing[0]}, which is not in {place.folder}.",
            f"Say where its project is: ds01 image update {name} --project FOLDER.",
        )
    return recipe
