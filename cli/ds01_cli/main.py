"""The `ds01` program: its commands by name, and its exit codes.

A command's module is imported only when the command runs, so that `ds01 --help` is quick.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from ds01_spawner import __version__
from ds01_spawner.domain.errors import DS01Error, NoCapacity, NotFound, PolicyError, Refused


class _Entry(NamedTuple):
    module: str
    help: str


COMMANDS = {
    "container": _Entry("ds01_cli.containers", "See your containers, and when each stops."),
    "extend": _Entry("ds01_cli.extend", "Keep a container running although nobody uses it."),
    "policy": _Entry("ds01_cli.policy", "Check, explain and migrate the limits of everybody."),
    "gpu": _Entry("ds01_cli.gpu", "See GPU slots, who holds them, and who waits."),
    "events": _Entry("ds01_cli.events", "Read the audit log."),
    "admin": _Entry("ds01_cli.admin", "Look after the platform."),
}

FAILED = 1
REFUSED = 3
NO_CAPACITY = 4
NOT_FOUND = 5
INTERRUPTED = 130


class CommandsByName(TyperGroup):
    """Imports a command when it is asked for; lists them without importing any."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._listing = False
        self.commands = {
            name: TyperCommand(name, help=entry.help) for name, entry in COMMANDS.items()
        }

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or a stand-in with its help where all are listed."""
        if self._listing or cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(COMMANDS[cmd_name].module)
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The list of commands."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app = typer.Typer(
    cls=CommandsByName,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if wanted:
        typer.echo(f"ds01 {__version__}")
        raise typer.Exit


@app.callback()
def ds01(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Share a GPU server: containers, GPU slots and one policy file."""
    del version


def exit_code(error: DS01Error) -> int:
    """What the program's exit code says about `error`."""
    match error:
        case NoCapacity():
            return NO_CAPACITY
        case Refused():
            return REFUSED
        case NotFound():
            return NOT_FOUND
        case _:
            return FAILED


def run(arguments: Sequence[str]) -> int:
    """Run the program and return its exit code; errors are on stderr, in a sentence."""
    try:
        app(args=list(arguments), prog_name="ds01")
    except DS01Error as exc:
        prefix = "" if isinstance(exc, PolicyError) else "ds01: "
        print(f"{prefix}{exc}", file=sys.stderr)  # noqa: T201 - the program's own output
        return exit_code(exc)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    return 0


def main() -> None:
    """Entry point of the `ds01` program."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
