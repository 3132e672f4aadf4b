"""`--guided`: what a command is about to do, told before each of its steps."""

import sys
from contextvars import ContextVar

from ds01_spawner import handbook

_COMMAND: ContextVar[str | None] = ContextVar("guided_command", default=None)


def begin(command: str | None) -> None:
    """Guide from here on through `command`, or not at all."""
    _COMMAND.set(command)


def is_on() -> bool:
    """Whether somebody is being guided."""
    return _COMMAND.get() is not None


def tell(step: str) -> None:
    """Tell what comes next, if somebody is being guided, and let them go on when they are ready.

    Without a terminal it is told, and nobody is waited for.

    Args:
        step: One of the steps of the command's page.
    """
    command = _COMMAND.get()
    if command is None:
        return
    from ds01_cli.frame import pages  # noqa: PLC0415 - only where it is read

    pages.print_markdown(handbook.page(command).steps[step])
    if sys.stdin.isatty() and sys.stdout.isatty():
        try:
            input("Press Enter to go on, Ctrl-C to stop. ")
        except EOFError as exc:
            raise KeyboardInterrupt from exc
