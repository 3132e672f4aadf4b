"""`ds01 image create`: choices become a Dockerfile, and that an image."""

from typing import Annotated

import typer

from ds01_cli.frame import asking, completing, guide, printing, session
from ds01_cli.frame.flags import Json
from ds01_cli.image import options
from ds01_cli.image.choosing import Flags, recipe_of
from ds01_cli.image.making import Wishes, check_unedited, made, taken_back
from ds01_spawner.domain.errors import Conflict, InvalidRequest
from ds01_spawner.home.image_places import DOCKERFILE, Place, name_for, place_of_image
from ds01_spawner.home.images import catalogue_of, own_image
from ds01_spawner.home.projects import image_around
from ds01_spawner.home.requirement_files import renewed, requirements_of
from ds01_spawner.recipes.dockerfile import written
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.packages import apt_packages, image_name, pip_packages
from ds01_spawner.recipes.recipe import dumped


def create(  # noqa: PLR0913 - the flags of the command
    *,
    name: Annotated[str | None, typer.Argument(help="What to call it, such as thesis.")] = None,
    framework: Annotated[
        str | None, typer.Option(help="pytorch, tensorflow, jax, cpu, …; asked for without it.")
    ] = None,
    use_case: Annotated[
        str | None,
        typer.Option("--use-case", help="ml, cv, nlp, rl, audio, ts, llm or custom."),
    ] = None,
    jupyter: Annotated[
        bool | None,
        typer.Option("--jupyter/--no-jupyter", help="JupyterLab, to work in the browser."),
    ] = None,
    data_science: Annotated[
        bool | None,
        typer.Option("--data-science/--no-data-science", help="pandas, scipy and their like."),
    ] = None,
    pip: Annotated[
        options.Many,
        typer.Option(metavar="PACKAGE", help="One more Python package, such as 'numpy>=1.26,<3'."),
    ] = None,
    apt: Annotated[
        options.Many,
        typer.Option(metavar="PACKAGE", help="One more system package, such as ffmpeg."),
    ] = None,
    requirements: Annotated[
        str | None,
        typer.Option(
            "--requirements",
            "-r",
            metavar="FILE",
            help="requirements.txt, environment.yml or pyproject.toml.",
        ),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(
            help="Keep the Dockerfile in this project.", autocompletion=completing.projects
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    build: Annotated[bool, typer.Option("--build/--no-build", help="Build it, too.")] = True,
    dry_run: options.DryRun = False,
    verbose: options.Verbose = False,
    as_json: Json = False,
) -> None:
    """Make an image with the packages you need."""
    guide.tell("name")
    called = name_for(name, project) or asking.text(
        "Name of the image", "NAME", image_around(), check=_named
    )
    place = place_of_image(called, project)
    with session.connect() as client:
        before = place.read()
        if not dry_run:
            check_unedited(called, place, before, overwrite=overwrite)
            if own_image(client, called) and not overwrite:
                raise Conflict(
                    f"You have an image called {called}.",
                    f"Change it: ds01 image update {called}{place.flag}; "
                    "or make it anew: --overwrite.",
                )
        catalogue = catalogue_of(client.image_options())
        if project is None and place.project is not None and not _is_meant(called, place, dry_run):
            raise Conflict("Nothing was made.", "Choose another name for an image of its own.")
        lists = requirements_of(place, requirements)
        if requirements is None and place.project is not None:
            lists = renewed(place, _lists_before(before))
        printing.note(*lists.notes)
        flags = Flags(
            framework,
            use_case,
            jupyter,
            data_science,
            pip_packages(pip or ()),
            apt_packages(apt or ()),
            lists.names,
        )
        recipe = recipe_of(flags, catalogue)
        text = written(recipe, catalogue, called)
        if dry_run:
            _print_dry(text, called, dumped(recipe), as_json=as_json)
            return
        files = {**lists.written, DOCKERFILE: text}
        with taken_back(place, files):
            for file, content in files.items():
                place.write(content, file)
            if not build:
                _tell_unbuilt(called, place, as_json=as_json)
                return
            made(client, called, place, text, Wishes(verbose=verbose, as_json=as_json))


def _is_meant(name: str, place: Place, dry_run: bool) -> bool:  # noqa: FBT001 - as it was said
    """Whether the Dockerfile of a project that nobody has named may be written: said or asked."""
    if asking.can_ask() and not dry_run:
        question = f"{name} is the image of a project. Write its Dockerfile, {place.shown}?"
        return asking.confirm(question, "--project", default=True)
    printing.note(f"{name} is the image of a project; its Dockerfile is {place.shown}.")
    return True


def _lists_before(text: str | None) -> tuple[str, ...]:
    """The files from which the Dockerfile that is there reads packages: they stay in the recipe."""
    recipe = None if text is None else kept(text).recipe
    return () if recipe is None else recipe.requirements


def _tell_unbuilt(name: str, place: Place, *, as_json: bool) -> None:
    if as_json:
        printing.print_json({"build": None, "dockerfile": str(place.dockerfile)})
        return
    build = f"ds01 image update {name}{place.flag} --rebuild"
    printing.say(f"Wrote {place.shown}. Build it: {build}")


def _print_dry(text: str, name: str, recipe: str, *, as_json: bool) -> None:
    if as_json:
        printing.print_json({"name": name, "dockerfile": text, "recipe": recipe})
    else:
        typer.echo(text, nl=False)


def _named(text: str) -> str:
    try:
        return image_name(text)
    except InvalidRequest as exc:
        raise ValueError(str(exc)) from exc
