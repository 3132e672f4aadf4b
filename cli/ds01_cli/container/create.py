"""`ds01 container create`: makes a container, and leaves it at that."""

from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import options
from ds01_cli.container.naming import Json
from ds01_cli.container.ways import gpu_words
from ds01_cli.frame import guide, printing, session
from ds01_spawner.domain.wording import clean

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Container, CreateRequest


def create(  # noqa: PLR0913 - the flags of the command
    name: options.NewName = None,
    command: options.Command = None,
    *,
    image: options.Image = None,
    framework: options.Framework = None,
    project: options.Project = None,
    workspace: options.Workspace = None,
    data: options.Data = None,
    folders: options.Folders = None,
    variables: options.Variables = None,
    cpu_only: options.CpuOnly = False,
    num_gpus: options.NumGpus = None,
    gpu: options.Gpu = None,
    wait: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="For a GPU, such as 15m; without it, not at all."),
    ] = None,
    dry_run: options.DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a container without starting it.

    To have it started, too: ds01 container deploy.
    """
    from ds01_cli.container import choosing, making  # noqa: PLC0415 - help does without pydantic

    flags = choosing.Flags(
        name=name,
        image=image,
        framework=framework,
        project=project,
        workspace=workspace,
        data=data,
        folders=folders or (),
        variables=variables or (),
        cpu_only=cpu_only,
        num_gpus=num_gpus,
        gpu=gpu,
        wait=wait,
        command=command or (),
        start=False,
    )
    with session.connect() as client:
        wanted = choosing.wanted(client, flags)
        if dry_run:
            show_plan(client, wanted, as_json=as_json)
            return
        guide.tell("make")
        made = making.made(client, wanted)
    if as_json:
        printing.print_json(made)
    else:
        printing.say(*_told(made, has_gpu=bool(wanted.gpus)))


def show_plan(client: "Client", wanted: "CreateRequest", *, as_json: bool) -> None:
    """Print what a request would come to now.

    Raises:
        DS01Error: It would be refused.
    """
    from ds01_spawner.client.problems import error_of  # noqa: PLC0415 - help does without pydantic

    plan = client.plan(wanted)
    error = None if plan.refused is None else error_of(plan.refused)
    if as_json:
        printing.print_json(plan)
    else:
        printing.say(*(each for each in plan.sentences if each != str(error)))
    for warning in plan.warnings:
        printing.note(clean(warning, printing.PIPED_WIDTH))
    if error is not None:
        raise error
    if not as_json:
        printing.say("Nothing was made: this was only a look (--dry-run).")


def _told(made: "Container", *, has_gpu: bool) -> list[str]:
    told = [f"{made.name} is made{gpu_words(made)}. Start it: ds01 container start {made.name}"]
    if has_gpu:
        told.append(
            "Its GPU is kept for 90 seconds. Started later, it gets one if one is free then."
        )
    return told
