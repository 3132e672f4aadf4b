"""Options that several commands about images have."""

from typing import Annotated

import typer

from ds01_cli.frame import completing

Many = list[str] | None

AnyName = Annotated[
    str, typer.Argument(help="What it is called.", autocompletion=completing.images)
]
OwnName = Annotated[
    str | None, typer.Argument(help="Which image.", autocompletion=completing.own_images)
]
OwnNames = Annotated[
    list[str],
    typer.Argument(help="Which images.", autocompletion=completing.own_images),
]
Project = Annotated[
    str | None,
    typer.Option(help="The project whose Dockerfile is meant.", autocompletion=completing.projects),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write over a Dockerfile that was changed by hand.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", "-f", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the Dockerfile; change nothing.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Print all that the build tells.")]
