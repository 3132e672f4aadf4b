"""`ds01 container attach`, `run` and `exec`: into a container."""

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import naming, terminal
from ds01_cli.container.naming import AnyName, RunningName
from ds01_cli.frame import completing, guide, printing, session, waiting
from ds01_cli.frame.flags import User
from ds01_spawner.client.words import state_words
from ds01_spawner.domain.errors import Conflict, DS01Error

if TYPE_CHECKING:
    from ds01_spawner.client import Client

_SHELL = (
    "sh",
    "-c",
    "export SHELL=$(command -v bash || command -v sh); exec $SHELL {}",
)
"""Not a login shell: `/etc/profile` would take the image's own PATH away."""

_MARK = "TERM_SESSION_ID"
"""As on macOS; variables that begin with DS01 are the platform's own."""
_HANG_UP = """\
for each in /proc/[0-9]*; do
  grep -qs "TERM_SESSION_ID=$1" "$each/environ" && grep -qs '^PPid:.0$' "$each/status" &&
    kill -HUP "${each#/proc/}"
done"""
"""Ends what was begun on a terminal: it bears the mark, and nothing in the container began it."""

_TERMINAL = ("TERM", "COLORTERM")
_USUAL_TERMINAL = "xterm-256color"


def attach(name: RunningName = None, *, user: User = None) -> None:
    """Open a shell in a running container.

    To leave it: type exit, or press Ctrl-D. The container runs on.
    """
    guide.tell("shell")
    with session.connect() as client:
        raise typer.Exit(shell(client, naming.only(client, name, user=user), user=user))


def run(
    name: AnyName = None,
    command: Annotated[
        list[str] | None, typer.Argument(help="What to run, after --; without it, a shell.")
    ] = None,
) -> None:
    """Start a container if it is stopped, and open a shell in it."""
    with session.connect() as client:
        states = naming.LIVE | naming.STOPPED
        chosen = naming.only(client, name, states, none="You have no container.")
        state = client.container(chosen).state
        if state in naming.STOPPED:
            guide.tell("start")
            with waiting.status(f"Starting {chosen} …"):
                client.start(chosen)
        guide.tell("shell")
        words = _command(command)
        if not words:
            raise typer.Exit(shell(client, chosen))
        is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        raise typer.Exit(ran(client, chosen, words, tty=is_terminal, takes_input=is_terminal))


def execute(  # noqa: PLR0913 - the flags of the command
    name: Annotated[
        str,
        typer.Argument(help="Which container.", autocompletion=completing.running_containers),
    ],
    command: Annotated[list[str], typer.Argument(help="What to run, after --.")],
    *,
    interactive: Annotated[
        bool, typer.Option("-i", "--interactive", help="Give it what you type or pipe in.")
    ] = False,
    tty: Annotated[
        bool, typer.Option("-t", "--tty", help="Give it your terminal, as for nvtop; means -i.")
    ] = False,
    workdir: Annotated[
        str | None, typer.Option("-w", "--workdir", help="In which folder of the container.")
    ] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option("-e", "--env", metavar="NAME=VALUE", help="One environment variable."),
    ] = None,
    user: User = None,
) -> None:
    """Run one command in a running container.

    This command ends with the other's exit code.
    """
    words = _command(command)
    if not words:
        raise typer.BadParameter("Say what to run: ds01 container exec NAME -- COMMAND")
    if tty and not sys.stdin.isatty():
        raise typer.BadParameter("Your input is no terminal. Leave it out.", param_hint="-t")
    guide.tell("run")
    with session.connect() as client:
        code = ran(
            client,
            naming.meant(name),
            words,
            tty=tty,
            takes_input=tty or interactive,
            environment=dict(map(_variable, variables or ())),
            workdir=workdir,
            user=user,
        )
    raise typer.Exit(code)


def shell(client: "Client", name: str, *, user: str | None = None) -> int:
    """A shell in a running container: bash, where there is one; its exit code.

    Without a terminal it runs what is piped in.
    """
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    *start, script = _SHELL
    words = [*start, script.format("-i" if is_terminal else "-s")]
    return ran(client, name, words, tty=is_terminal, takes_input=True, user=user)


def ran(  # noqa: PLR0913 - what a command is run with
    client: "Client",
    name: str,
    command: Sequence[str],
    *,
    tty: bool,
    takes_input: bool,
    environment: Mapping[str, str] | None = None,
    workdir: str | None = None,
    user: str | None = None,
) -> int:
    """Run a command, and carry what it reads and writes; its exit code.

    Raises:
        Conflict: The container does not run.
        NotFound: There is none.
    """
    _check_runs(client, name, user)
    mark = secrets.token_hex(8)
    said = {**({**_terminal(), _MARK: mark} if tty else {}), **(environment or {})}
    size = terminal.size_of(sys.stdin.fileno()) if tty else None
    try:
        with client.exec(
            name, command, tty=tty, size=size, environment=said, workdir=workdir, user=user
        ) as running:
            return terminal.carried(running, terminal=tty, takes_input=takes_input)
    except KeyboardInterrupt:
        printing.note(f"What you began may still run in {name}.")
        raise
    except SystemExit:  # the window was closed
        _hang_up(client, name, mark, user)
        raise


def _hang_up(client: "Client", name: str, mark: str, user: str | None) -> None:
    """End a shell whose terminal is gone, as SSH does: Docker would leave it there for good."""
    with (
        suppress(DS01Error),
        client.exec(name, ["sh", "-c", _HANG_UP, "sh", mark], user=user) as ending,
    ):
        ending.end_input()
        while ending.read() is not None:
            pass


def _check_runs(client: "Client", name: str, user: str | None) -> None:
    state = client.container(name, user=user).state
    if state == "running":
        return
    if state == "paused":
        raise Conflict(f"{name} is paused.", f"Let it go on: ds01 container unpause {name}")
    raise Conflict(
        f"{name} does not run: it is {state_words(state)}.",
        f"Start it and go in: ds01 container run {name}",
    )


def _terminal() -> dict[str, str]:
    found = {key: os.environ[key] for key in _TERMINAL if os.environ.get(key)}
    return {"TERM": _USUAL_TERMINAL, **found}


def _command(words: Sequence[str] | None) -> list[str]:
    """What stands behind the name, without the `--` between them."""
    found = list(words or ())
    return found[1:] if found[:1] == ["--"] else found


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text} is no variable. Try NAME=VALUE.", param_hint="--env")
    return name, value
