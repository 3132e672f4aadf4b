"""The options of commands that make a container; `create` and `deploy` share them."""

from typing import Annotated

import typer

from ds01_cli.frame import completing

NewName = Annotated[
    str | None, typer.Argument(help="What to call it, such as thesis.", show_default=False)
]
Command = Annotated[
    list[str] | None,
    typer.Argument(help="What runs in it, after --; without it, it waits for you."),
]
Image = Annotated[
    str | None,
    typer.Option(
        help="Made of which image; without it, the usual one.", autocompletion=completing.images
    ),
]
Framework = Annotated[
    str | None, typer.Option(help="Any image with it: pytorch, tensorflow, jax, …")
]
Project = Annotated[str | None, typer.Option(help="Which project it belongs to.")]
Workspace = Annotated[
    str | None, typer.Option("-w", "--workspace", help="Your folder that becomes /workspace.")
]
Data = Annotated[str | None, typer.Option("-d", "--data", help="Your folder that becomes /data.")]
Folders = Annotated[
    list[str] | None,
    typer.Option("--folder", metavar="FOLDER:PLACE[:ro]", help="One more folder."),
]
Variables = Annotated[
    list[str] | None, typer.Option("-e", "--env", metavar="NAME=VALUE", help="One variable.")
]
CpuOnly = Annotated[bool, typer.Option("--cpu-only", help="Without a GPU.")]
NumGpus = Annotated[
    int | None, typer.Option("--num-gpus", metavar="N", help="How many GPU slots; usually 1.")
]
Gpu = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="mig, full, a size such as 2g.10gb, or at least 20gb."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would get; make nothing.")]
