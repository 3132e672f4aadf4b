"""`ds01 completion`: what makes the Tab key complete commands, options and names."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from ds01_cli.frame import guide


class Shell(StrEnum):
    """Shells that know completion."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.", show_default=False)],
) -> None:
    """Print what makes the Tab key complete.

    For bash, put into ~/.bashrc:  eval "$(ds01 completion bash)"
    """
    from ds01_cli.main import COMPLETING  # noqa: PLC0415 - it imports the table, which names this

    guide.tell("use")
    os.environ[COMPLETING] = f"source_{shell}"
    answer([])


def answer(arguments: list[str]) -> None:
    """Answer a shell that asks for the script, or for what could stand next.

    Raises:
        SystemExit: Always.
    """
    from typer.completion import (  # noqa: PLC0415 - only where a shell asks
        get_completion_inspect_parameters,
    )

    from ds01_cli.main import call  # noqa: PLC0415 - it imports the table, which names this

    get_completion_inspect_parameters()  # makes typer know the shells
    call(arguments)
