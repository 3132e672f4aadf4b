"""`ds01 container deploy`: makes a container, waits for its GPU, starts it, says how to get in."""

from typing import Annotated

import typer

from ds01_cli.container import options
from ds01_cli.container.create import show_plan
from ds01_cli.container.naming import Json
from ds01_cli.frame import asking, guide, printing, session

_USUAL_WAIT = "24h"


def deploy(  # noqa: PLR0913 - the flags of the command
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
        typer.Option(metavar="TIME", help="For a GPU at most so long; 0 is not at all.  [24h]"),
    ] = None,
    open_shell: Annotated[bool, typer.Option("--open", help="Open a shell in it then.")] = False,
    background: Annotated[
        bool, typer.Option("--background", help="Open nothing; that is the usual way.")
    ] = False,
    dry_run: options.DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a container, wait for its GPU, and start it.

    Without a name you are asked for what it needs.
    """
    from ds01_cli.container import choosing, making, ways  # noqa: PLC0415 - help does without pydantic

    _check_opening(open_shell=open_shell, background=background, as_json=as_json)
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
        wait=_USUAL_WAIT if wait is None else wait,
        command=command or (),
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
            return
        try:
            hub_url = ways.hub_of(client)
        except KeyboardInterrupt:
            hub_url = None  # it is there already: who is not told so leaves it behind
        guide.tell("enter")
        ways.tell(made, hub_url)
        if open_shell:
            from ds01_cli.container import entering  # noqa: PLC0415 - only where one is opened

            raise typer.Exit(entering.shell(client, made.name))


def _check_opening(*, open_shell: bool, background: bool, as_json: bool) -> None:
    if open_shell and (background or as_json):
        other = "--background" if background else "--json"
        raise typer.BadParameter(f"It cannot go with {other}.", param_hint="--open")
    if open_shell and not asking.can_ask():
        raise typer.BadParameter("A shell needs a terminal.", param_hint="--open")
