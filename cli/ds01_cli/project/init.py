"""`ds01 project init`: a folder with everything that a project begins with."""

from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.frame import asking, guide, printing, session
from ds01_cli.frame.asking import Choice
from ds01_cli.frame.flags import Json
from ds01_spawner.domain.errors import Conflict, InvalidRequest
from ds01_spawner.home.images import catalogue_of
from ds01_spawner.home.project_files import (
    check_free,
    check_roots,
    is_root,
    make,
    make_repository,
    planned,
)
from ds01_spawner.home.projects import shown_path, usual_folder
from ds01_spawner.recipes.catalogue import NO_USE_CASE, Catalogue, Framework
from ds01_spawner.recipes.project import Project, project_name


def init(  # noqa: PLR0913 - the flags of the command
    *,
    name: Annotated[
        str | None, typer.Argument(help="What to call it, such as leaf-segmentation.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--type", help="cv, nlp, rl, ts, llm, audio, ml or custom."),
    ] = None,
    framework: Annotated[
        str | None, typer.Option(help="pytorch, tensorflow, jax, cpu, …; the usual one without it.")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="mig, full, a size such as 2g.10gb, at least 20gb, or none."
        ),
    ] = None,
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="What it is about, in one line.")
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Ask nothing: what is not said is as usual.")
    ] = False,
    git: Annotated[bool, typer.Option("--git/--no-git", help="Make it a git repository.")] = True,
    with_devcontainer: Annotated[
        bool, typer.Option("--devcontainer", help="With settings for VS Code's Dev Containers.")
    ] = False,
    inside: Annotated[
        Path | None,
        typer.Option(
            "--in", metavar="FOLDER", help="Make it in this folder; without it, in ~/projects."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be made.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a project: its folders, its Dockerfile, and a git repository."""
    guide.tell("name")
    called = project_name(name) if name else asking.text("Name of the project", "NAME", check=_name)
    folder = (inside.expanduser() if inside else usual_folder()) / called
    check_free(folder)
    if is_root():
        check_roots(folder.parent)
    asks = not quick and asking.can_ask()
    with session.connect() as client:
        catalogue = catalogue_of(client.image_options())
    chosen = _kind(kind, catalogue, asks=asks)
    base = _framework(framework, catalogue, asks=asks and kind is None)
    size = gpu if gpu is not None else ("" if base.gpu else "none")
    project = Project(called, chosen, size, description=description)
    files = planned(project, base.key, catalogue, with_devcontainer=with_devcontainer)
    if not dry_run:
        guide.tell("files")
        make(folder, files)
    notes = () if dry_run or not git else make_repository(folder)
    if as_json:
        told = {"name": called, "folder": str(folder), "type": chosen, "framework": base.key}
        printing.print_json({**told, "files": sorted(files), "made": not dry_run})
        return
    printing.note(*notes)
    if dry_run:
        printing.say(f"{shown_path(folder)} would have:", *(f"  {path}" for path in sorted(files)))
        return
    printing.say(
        f"The project {called} is in {shown_path(folder)}.",
        "Put packages that it needs into requirements.txt, data into data/raw.",
        f"Then build its image and begin: ds01 project launch {called} --open",
    )


def _kind(said: str | None, catalogue: Catalogue, *, asks: bool) -> str:
    guide.tell("type")
    if said is not None:
        return catalogue.use_case(said).key
    if not asks:
        return NO_USE_CASE
    options = [
        Choice(each.key, each.key, f"{each.title}. {each.description}")
        for each in catalogue.use_cases
    ]
    return asking.choose("What is it about", options, "--type", NO_USE_CASE)


def _framework(said: str | None, catalogue: Catalogue, *, asks: bool) -> Framework:
    guide.tell("framework")
    if said is not None:
        return catalogue.framework(said)
    usual = catalogue.frameworks[0]
    if not asks:
        return usual
    options = [
        Choice(each.key, each.key, f"{each.title}. {each.description}".strip())
        for each in catalogue.frameworks
    ]
    return catalogue.framework(asking.choose("Framework", options, "--framework", usual.key))


def _name(text: str) -> str:
    try:
        checked = project_name(text)
        check_free(usual_folder() / checked)
    except (InvalidRequest, Conflict) as exc:
        raise ValueError(str(exc)) from exc
    return checked
