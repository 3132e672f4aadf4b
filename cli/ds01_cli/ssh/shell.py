"""`ds01 ssh`: a shell in a container, or one command."""

from typing import Annotated

import typer

from ds01_cli.frame import completing, guide
from ds01_cli.ssh import running


def ssh(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Which container; without it, the only one that runs.",
            autocompletion=completing.containers,
        ),
    ] = None,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="What to run; without it, a shell."),
    ] = None,
    *,
    terminal: Annotated[
        bool, typer.Option("-t", "--tty", help="Give a command a terminal, as for nvtop.")
    ] = False,
) -> None:
    """Open a shell in a container, or run one command there.

    A container that is stopped is started, where your limits say so.
    """
    host = running.host(name)
    guide.tell("connect")
    running.become("ssh", [*(["-t"] if terminal else []), host, *(command or [])])
