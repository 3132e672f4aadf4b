"""The `ds01` program: its commands by name, and its exit codes.

What is needed for one command is loaded when it runs: help is quick, and so is `ssh-proxy`, which
stands between a keyboard and a container.
"""

import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

from ds01_cli.commands import PROGRAM
from ds01_cli.frame.table import Group, found, group_help
from ds01_spawner import __version__
from ds01_spawner.domain.errors import DS01Error, NoCapacity, NotFound, PolicyError, Refused

FAILED = 1
REFUSED = 3
NO_CAPACITY = 4
NOT_FOUND = 5
INTERRUPTED = 130

WITHOUT_FRAME = {"ssh-proxy": "ds01_cli.ssh.proxy"}
"""Commands that read their own arguments: modules with `main(arguments) -> exit code`."""

COMPLETING = "_DS01_COMPLETE"
"""A shell sets it when it asks what could stand next."""

_HELP = frozenset({"-h", "--help"})


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
        return _ran(list(arguments))
    except DS01Error as exc:
        return _failed(exc)
    except ModuleNotFoundError as exc:
        from ds01_cli.frame.lacking import lacking  # noqa: PLC0415 - only where one is missing

        if (error := lacking(exc, arguments)) is None:
            raise
        return _failed(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)


def main() -> None:
    """Entry point of the `ds01` program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal cannot show is no failure
            stream.reconfigure(errors="replace")
    code = run(sys.argv[1:])
    # It is done: Ctrl-C while Python takes itself down changes nothing any more.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def _failed(error: DS01Error) -> int:
    prefix = "" if isinstance(error, PolicyError) else "ds01: "
    print(f"{prefix}{error}", file=sys.stderr)  # noqa: T201 - the program's own output
    return exit_code(error)


def _ran(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(f"ds01 {__version__}")  # noqa: T201 - the program's own output
        return 0
    if arguments and (module := WITHOUT_FRAME.get(arguments[0])):
        code: int = importlib.import_module(module).main(arguments[1:])
        return code
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    if COMPLETING in os.environ:
        from ds01_cli.frame.completion import answer  # noqa: PLC0415 - only where a shell asks

        answer(arguments)
    if (listing := _listing(arguments)) is not None:
        print(listing)  # noqa: T201 - the program's own output
        return 0
    call(arguments)
    return 0


def _listing(arguments: list[str]) -> str | None:
    """Help on commands below one word, where nothing else is asked for."""
    words = arguments[:-1] if arguments and arguments[-1] in _HELP else arguments
    entry = found(words, PROGRAM)
    return group_help(" ".join(words), entry) if isinstance(entry, Group) else None


def call(arguments: list[str]) -> None:
    """Run a command.

    Raises:
        SystemExit: Always; with what the command ends with, 2 for wrong usage.
    """
    from ds01_cli.frame.group import loaded  # noqa: PLC0415 - help does without typer

    loaded("", PROGRAM)(args=arguments, prog_name="ds01")


if __name__ == "__main__":
    main()
