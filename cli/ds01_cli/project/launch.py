"""`ds01 project launch`: from a project's files to a shell in its container."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.container import choosing, entering, making, naming, options, plan, ways
from ds01_cli.frame import completing, guide, here, printing, session, waiting
from ds01_cli.frame.flags import Json
from ds01_cli.image.making import Wishes, made
from ds01_cli.project import building
from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.words import state_words
from ds01_spawner.domain.errors import Conflict, Forbidden
from ds01_spawner.home.projects import find, shown_path
from ds01_spawner.recipes.project import Project

_NO_GPU = "none"


@dataclass(frozen=True, slots=True)
class _Wanted:
    folder: Path
    project: Project
    request: m.CreateRequest
    equipment: options.Equipment

    @property
    def says_equipment(self) -> bool:
        """Whether something was said that counts only for a container that is made."""
        return self.equipment != options.Equipment()


def launch(  # noqa: PLR0913 - the flags of the command
    name: Annotated[
        str | None,
        typer.Argument(
            help="Its name or folder; without it, the one you are in.",
            autocompletion=completing.projects,
        ),
    ] = None,
    *,
    rebuild: Annotated[
        bool | None,
        typer.Option("--rebuild/--no-build", help="Build the image in any case, or never."),
    ] = None,
    equipment: options.Equipment,
    beginning: options.Beginning,
    dry_run: options.DryRun = False,
    as_json: Json = False,
) -> None:
    """Start a project's container; build its image first where that is needed."""
    beginning.check(as_json=as_json)
    folder, project = find(name)
    _check_here(folder)
    wanted = _Wanted(folder, project, _request(folder, project, equipment, beginning), equipment)
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
        if beginning.open_shell:
            guide.tell("open")
            raise typer.Exit(entering.shell(client, container.name))


def _request(
    folder: Path, project: Project, said: options.Equipment, beginning: options.Beginning
) -> m.CreateRequest:
    size, number = choosing.gpu_of(_equipment(project, said))
    return m.CreateRequest(
        name=project.name,
        image=project.image_name,
        gpus=number,
        gpu=size,
        wait=choosing.wait_of(beginning.waits),
        workspace=str(folder),
        data=choosing.folder(said.data),
        project=project.name,
    )


def _equipment(project: Project, said: options.Equipment) -> options.Equipment:
    """What was said, and for the rest what the project's settings say."""
    if said.cpu_only:
        return said
    if project.gpu == _NO_GPU and said.gpu is None:
        return replace(said, cpu_only=not said.num_gpus)
    count = project.gpus if said.num_gpus is None else said.num_gpus
    return replace(said, gpu=said.gpu or project.gpu or None, num_gpus=count)


def _plan(client: Client, wanted: _Wanted, need: str, *, as_json: bool) -> None:
    if need and not as_json:
        printing.say(f"The image {wanted.project.image_name} would be built: it is {need}.")
    existing = building.container_of(client, wanted.project)
    if existing is None:
        # What is not built yet cannot be planned with; any image has the same GPU and limits.
        request = wanted.request.model_copy(update={"image": None}) if need else wanted.request
        plan.show(client, request, as_json=as_json)
    elif as_json:
        printing.print_json({"container": existing, "built": False})
    else:
        done = "would be started" if existing.state in naming.STOPPED else "is used as it is"
        printing.say(f"The container {existing.name} ({state_words(existing.state)}) {done}.")
    if existing is not None:
        _note_kept(wanted, existing)


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
    _note_kept(wanted, existing)
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


def _note_kept(wanted: _Wanted, existing: m.Container) -> None:
    if not wanted.says_equipment:
        return
    name = existing.name
    of_gpu = existing.gpu_slots and wanted.equipment.data is None
    keeps = "the GPU that it has" if of_gpu else "what it was made with"
    printing.note(
        f"{name} is there already and keeps {keeps}. "
        f"To change that: ds01 container retire {name}, and launch again."
    )


def _check_here(folder: Path) -> None:
    """Return when the folder is on the server, where containers can have it.

    Raises:
        Forbidden: It is on the person's own computer.
        InvalidRequest: It is only in the container in which they are.
    """
    if here.on_server():
        here.check_on_server(folder)
        return
    raise Forbidden(
        f"{shown_path(folder)} is on this computer, and the container is on the server.",
        "Launch it there: log in with ssh, or open a terminal in JupyterLab.",
    )
