"""The flags of commands that make a container: `create`, `deploy` and `project launch`."""

from dataclasses import dataclass
from typing import Annotated

import typer

from ds01_cli.frame import asking, completing

USUAL_WAIT = "24h"

NewName = Annotated[
    str | None, typer.Argument(help="What to call it, such as thesis.", show_default=False)
]
Command = Annotated[
    list[str] | None,
    typer.Argument(help="What runs in it, after --; without it, it waits for you."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would get; make nothing.")]


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """What any container may get, besides its image and its workspace.

    Attributes:
        data: The folder that becomes `/data`.
        cpu_only: Whether it has no GPU.
        num_gpus: How many slots.
        gpu: Their size.
    """

    data: Annotated[
        str | None,
        typer.Option("-d", "--data", metavar="FOLDER", help="Your folder that becomes /data."),
    ] = None
    cpu_only: Annotated[bool, typer.Option("--cpu-only", help="Without a GPU.")] = False
    num_gpus: Annotated[
        int | None, typer.Option("--num-gpus", metavar="N", help="How many GPU slots; usually 1.")
    ] = None
    gpu: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="mig, full, a size such as 2g.10gb, or at least 20gb."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Contents(Equipment):
    """What a container is made of; `None` was not said.

    Attributes:
        image: Of what it is made.
        framework: What is in its image.
        project: Which project it belongs to.
        workspace: The folder that becomes `/workspace`.
        folders: More of them.
        variables: As `NAME=VALUE`.
    """

    image: Annotated[
        str | None,
        typer.Option(
            help="Made of which image; without it, the usual one.",
            autocompletion=completing.images,
        ),
    ] = None
    framework: Annotated[
        str | None, typer.Option(help="Any image with it: pytorch, tensorflow, jax, …")
    ] = None
    project: Annotated[
        str | None,
        typer.Option(help="Which project it belongs to.", autocompletion=completing.projects),
    ] = None
    workspace: Annotated[
        str | None,
        typer.Option(
            "-w", "--workspace", metavar="FOLDER", help="Your folder that becomes /workspace."
        ),
    ] = None
    folders: Annotated[
        list[str] | None,
        typer.Option("--folder", metavar="FOLDER:PLACE[:ro]", help="One more folder of yours."),
    ] = None
    variables: Annotated[
        list[str] | None,
        typer.Option("-e", "--env", metavar="NAME=VALUE", help="One environment variable."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """How a container begins that is made and started.

    Attributes:
        wait: How long to wait for its GPU, as it was said.
        open_shell: Whether a shell is opened in it.
        background: Whether none is, which is the usual way.
    """

    wait: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Wait for a GPU at most so long; 0 is not at all.  [24h]"
        ),
    ] = None
    open_shell: Annotated[bool, typer.Option("--open", help="Then open a shell in it.")] = False
    background: Annotated[
        bool, typer.Option("--background", help="Open nothing; that is the usual way.")
    ] = False

    @property
    def waits(self) -> str:
        """How long to wait."""
        return USUAL_WAIT if self.wait is None else self.wait

    def check(self, *, as_json: bool) -> None:
        """Return when a shell can be opened, or none is to be.

        Raises:
            BadParameter: It cannot.
        """
        if self.open_shell and (self.background or as_json):
            other = "--background" if self.background else "--json"
            raise typer.BadParameter(f"It cannot go with {other}.", param_hint="--open")
        if self.open_shell and not asking.can_ask():
            raise typer.BadParameter("A shell needs a terminal.", param_hint="--open")
