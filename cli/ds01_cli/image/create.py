"""`ds01 image create`: choices become a Dockerfile, and that an image."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ds01_cli.frame import asking, guide, printing, session
from ds01_cli.image.choosing import Flags, recipe_of
from ds01_cli.image.making import Wishes, check_unedited, made
from ds01_spawner.domain.errors import Conflict, InvalidRequest
from ds01_spawner.home.image_places import DOCKERFILE, Place, name_for, place_of
from ds01_spawner.home.images import catalogue_of, own_image
from ds01_spawner.home.requirement_files import requirements_of
from ds01_spawner.recipes.dockerfile import written
from ds01_spawner.recipes.packages import apt_packages, image_name, pip_packages
from ds01_spawner.recipes.recipe import dumped

_Many = list[str] | None


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
        bool | None, typer.Option("--jupyter/--no-jupyter", help="JupyterLab and the hub's server.")
    ] = None,
    data_science: Annotated[
        bool | None,
        typer.Option("--data-science/--no-data-science", help="pandas, scipy and their like."),
    ] = None,
    pip: Annotated[
        _Many, typer.Option(help="One more Python package, such as 'numpy>=1.26,<3'.")
    ] = None,
    apt: Annotated[_Many, typer.Option(help="One more system package, such as ffmpeg.")] = None,
    requirements: Annotated[
        str | None,
        typer.Option(
            "--requirements",
            "-r",
            help="requirements.txt, environment.yml or pyproject.toml.",
        ),
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Keep the Dockerfile in this project.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option(help="Write over a Dockerfile that was changed by hand.")
    ] = False,
    build: Annotated[bool, typer.Option("--build/--no-build", help="Build it, too.")] = True,
    dry_run: Annotated[bool, typer.Option(help="Print the Dockerfile; change nothing.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print all that is told.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Make an image with the packages you need."""
    guide.tell("name")
    called = name_for(name, project) or asking.text("Name of the image", "NAME", check=_named)
    place = place_of(called, project)
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
        lists = requirements_of(place, requirements)
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
        with _taken_back(place, files):
            for file, content in files.items():
                place.write(content, file)
            if not build:
                _tell_unbuilt(called, place, as_json=as_json)
                return
            made(client, called, place, text, Wishes(verbose=verbose, as_json=as_json))


@contextmanager
def _taken_back(place: Place, names: Iterable[str]) -> Iterator[None]:
    """Files of these names are as they were again, when somebody presses Ctrl-C."""
    before = {name: place.read(name) for name in names}
    try:
        yield
    except KeyboardInterrupt:
        for name, text in before.items():
            if text is not None:
                place.write(text, name)
        place.remove(name for name, text in before.items() if text is None)
        raise


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
