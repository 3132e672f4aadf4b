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
        name: What it is called; `None` is the only one that runs, or the only one there is.

    Raises:
        NotFound: There is none, or not only one.
    """
    return host_of(container_of(name) if name is not None else only_one())


def only_one() -> str:
    """The name of the only container that runs, or of the only one there is."""
    from ds01_cli.frame import session  # noqa: PLC0415 - who names a container does without

    with session.connect() as client:
        every = client.containers().containers
    if not every:
        raise NotFound("You have no container.", "Make one: ds01 container deploy")
    running = [each for each in every if each.state == "running"]
    found = running or every
    if len(found) != 1:
        names = ", ".join(each.name for each in found)
        raise NotFound(f"You have several containers: {names}.", "Say which one you mean.")
    return found[0].name
