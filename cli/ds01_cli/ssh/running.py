"""Runs the programs of OpenSSH with what they need to know about containers."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from ds01_cli.ssh import setup
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.recipes.ssh_config import container_of, host_of


def become(name: str, arguments: Sequence[str]) -> NoReturn:
    """Go on as `ssh` or one of its kind; its exit code is this program's."""
    where = setup.ready()
    command = [setup.program(name), "-F", str(where.config), *arguments]
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - it is what was asked for
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - the same


def host(name: str | None) -> str:
    """The host name of a container.

    Args:
        name: What it is called; `None` is the only one that runs, or the only one there is; of
            several one is chosen.

    Raises:
        NotFound: There is none.
        BadParameter: There are several, and there is nobody to ask.
    """
    return host_of(container_of(name) if name is not None else only_one())


def only_one() -> str:
    """The name of the only container that runs, or of the only one there is, or the one chosen."""
    from ds01_cli.container import naming  # noqa: PLC0415 - who names a container does without
    from ds01_cli.frame import session  # noqa: PLC0415 - the same

    with session.connect() as client:
        try:
            return naming.only(client, None, {"running"})
        except NotFound:
            every = naming.LIVE | naming.STOPPED
            return naming.only(client, None, every, none="You have no container.")
