"""`ds01 container create`: makes a container, and leaves it at that."""

from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import options, plan
from ds01_cli.container.ways import gpu_words
from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Json

if TYPE_CHECKING:
    from ds01_spawner.client.models import Container


def create(  # noqa: PLR0913 - the flags of the command
    name: options.NewName = None,
    command: options.Command = None,
    *,
    contents: options.Contents,
    wait: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Wait for a GPU, such as 15m; without it, not at all."),
    ] = None,
    dry_run: options.DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a container without starting it.

    To have it started, too: ds01 container deploy.
    """
    from ds01_cli.container import choosing, making  # noqa: PLC0415 - help does without pydantic

    flags = choosing.Flags(
        **vars(contents), name=name, wait=wait, command=command or (), start=False
    )
    with session.connect() as client:
        wanted = choosing.wanted(client, flags)
        if dry_run:
            plan.show(client, wanted, as_json=as_json)
            return
        guide.tell("make")
        made = making.made(client, wanted)
    if as_json:
        printing.print_json(made)
    else:
        printing.say(*_told(made, has_gpu=bool(wanted.gpus)))


def _told(made: "Container", *, has_gpu: bool) -> list[str]:
    told = [f"{made.name} is made{gpu_words(made)}. Start it: ds01 container start {made.name}"]
    if has_gpu:
        told.append(
            "Its GPU is kept for 90 seconds. Started later, it gets one if one is free then."
        )
    return told
