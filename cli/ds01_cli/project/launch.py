"""`ds01 project launch`: from a project's files to a shell in its container."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.container import choosing, entering, making, naming, options, ways
from ds01_cli.container.create import show_plan
from ds01_cli.frame import asking, guide, here, printing, session, waiting
from ds01_cli.image.making import Wishes, made
from ds01_cli.project import building
from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, Forbidden
from ds01_spawner.home.projects import find, shown_path
from ds01_spawner.recipes.project import Project

_USUAL_WAIT = "24h"
_NO_GPU = "none"


@dataclass(frozen=True, slots=True)
class _Wanted:
    folder: Path
    project: Project
    request: m.CreateRequest
    says_gpu: bool = False


def launch(  # noqa: PLR0913 - the flags of the command
    name: Annotated[
        str | None, typer.Argument(help="Its name or folder; without it, the one you are in.")
    ] = None,
    *,
    rebuild: Annotated[
        bool | None,
        typer.Option("--rebuild/--no-build", help="Build the image in any case, or never."),
    ] = None,
    num_gpus: options.NumGpus = None,
    gpu: options.Gpu = None,
    wait: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="For a GPU at most so long; 0 is not at all.  [24h]"),
    ] = None,
    open_shell: Annotated[bool, typer.Option("--open", help="Open a shell in it then.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done; do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Start a project's container; build its image first where that is needed."""
    if open_shell and (as_json or not asking.can_ask()):
        raise typer.BadParameter("A shell needs a terminal.", param_hint="--open")
    folder, project = find(name)
    _check_here(folder)
    request = _request(folder, project, gpu, num_gpus, wait)
    says_gpu = gpu is not None or num_gpus is not None
    wanted = _Wanted(folder, project, request, says_gpu)
    with session.connect() as client:
        guide.tell("image")
        need = "as you say" if rebuild else building.need_of(client, folder, project)
        builds = bool(need) and rebuild is not False
        if dry_run:
            _plan(client, wanted, need if builds else "", as_json=as_json)
            return
        if builds:
            _build(client, wanted, need)
        guide.tell("container")
        container = _running(client, wanted, built=builds)
        if as_json:
            printing.print_json({"container": container, "built": builds})
            return
        ways.tell(container, ways.hub_of(client))
        if open_shell:
            guide.tell("open")
            raise typer.Exit(entering.shell(client, container.name))


def _request(
    folder: Path, project: Project, gpu: str | None, num_gpus: int | None, wait: str | None
) -> m.CreateRequest:
    count = project.gpus if num_gpus is None else num_gpus
    usual = None if project.gpu == _NO_GPU and num_gpus else project.gpu or None
    without = usual == _NO_GPU and gpu is None
    size, number = choosing.gpu_of(
        choosing.Flags(
            cpu_only=without,
            gpu=None if without else gpu or usual,
            num_gpus=None if without else count,
        )
    )
    return m.CreateRequest(
        name=project.name,
        image=project.image_name,
        gpus=number,
        gpu=size,
        wait=choosing.wait_of(_USUAL_WAIT if wait is None else wait),
        workspace=str(folder),
        project=project.name,
    )


def _plan(client: Client, wanted: _Wanted, need: str, *, as_json: bool) -> None:
    if need and not as_json:
        printing.say(f"The image {wanted.project.image_name} would be built: it is {need}.")
    existing = building.container_of(client, wanted.project)
    if existing is None:
        # What is not built yet cannot be planned with; any image has the same GPU and limits.
        request = wanted.request.model_copy(update={"image": None}) if need else wanted.request
        show_plan(client, request, as_json=as_json)
    elif as_json:
        printing.print_json({"container": existing, "built": False})
    else:
        done = "would be started" if existing.state in naming.STOPPED else "is used as it is"
        printing.say(f"The container {existing.name} ({naming.words(existing.state)}) {done}.")
    if existing is not None:
        _note_gpu(wanted, existing)


def _build(client: Client, wanted: _Wanted, need: str) -> None:
    project = wanted.project
    place, text = building.place_of(wanted.folder, project)
    printing.console(stderr=True).print(f"The image {project.image_name} is {need}: building it.")
    made(client, project.image_name, place, text, Wishes(announces=False))


def _running(client: Client, wanted: _Wanted, *, built: bool) -> m.Container:
    """The project's container, running.

    Raises:
        Conflict: There is one that cannot be used.
    """
    existing = building.container_of(client, wanted.project)
    if existing is None:
        return making.made(client, wanted.request)
    name = existing.name
    _note_gpu(wanted, existing)
    if existing.state == "paused":
        raise Conflict(f"{name} is paused.", f"Let it go on: ds01 container unpause {name}")
    if existing.state in naming.STOPPED:
        with waiting.status(f"Starting {name} …"):
            existing = client.start(name)
    if built:
        printing.note(
            f"{name} was made before this build and still has the image of then. "
            f"To change that: ds01 container retire {name}, and launch again."
        )
    return existing


def _note_gpu(wanted: _Wanted, existing: m.Container) -> None:
    if not wanted.says_gpu:
        return
    name = existing.name
    keeps = "the GPU that it has" if existing.gpu_slots else "what it was made with"
    printing.note(
        f"{name} is there already and keeps {keeps}. "
        f"To change that: ds01 container retire {name}, and launch again."
    )


def _check_here(folder: Path) -> None:
    """Return when the folder is on the server, where containers can have it.

    Raises:
        Forbidden: It is on the person's own computer.
    """
    if here.on_server():
        return
    raise Forbidden(
        f"{shown_path(folder)} is on this computer, and the container is on the server.",
        "Launch it there: log in with ssh, or open a terminal in JupyterLab.",
    )
