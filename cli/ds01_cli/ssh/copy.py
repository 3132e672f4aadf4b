"""`ds01 cp`: copies files with scp."""

import re
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.frame import completing, guide
from ds01_cli.ssh import running
from ds01_spawner.recipes.ssh_config import container_of, host_of

_REMOTE = re.compile(r"^([A-Za-z0-9][A-Za-z0-9_.-]+):(.*)$", re.DOTALL)
"""Two letters at least: one is a drive of Windows."""


def cp(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATHS",
            help="From where, and last to where; NAME:PATH is in a container.",
            autocompletion=completing.sides,
        ),
    ],
) -> None:
    """Copy files into a container, or out of it.

    Folders are copied with everything in them.
    """
    if len(paths) < 2:  # noqa: PLR2004 - from and to
        raise typer.BadParameter("Say from where and to where: ds01 cp data.csv thesis:data/")
    sides = [_side(path) for path in paths]
    if not any(remote for remote, _ in sides):
        raise typer.BadParameter("One side is in a container: ds01 cp data.csv thesis:data/")
    guide.tell("copy")
    running.become("scp", ["-r", "--", *(text for _, text in sides)])


def _side(path: str) -> tuple[bool, str]:
    """Whether a path is in a container, and what `scp` calls it."""
    found = _REMOTE.match(path)
    if found is None or Path(path).exists():
        return False, path if path.startswith(("/", ".", "~")) else f"./{path}"
    return True, f"{host_of(container_of(found[1]))}:{found[2]}"
