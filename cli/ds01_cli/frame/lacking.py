"""A command that needs what this installation has not: most are the server's."""

from collections.abc import Sequence
from pathlib import Path

from ds01_cli.commands import PROGRAM
from ds01_cli.frame.caller import is_root
from ds01_cli.frame.table import found
from ds01_spawner.client.places import USUAL_SOCKET
from ds01_spawner.domain.errors import DS01Error, Forbidden, Unavailable

OF_THE_PROGRAM = frozenset({"rich", "typer"})
"""What the extra `cli` brings."""

OF_THE_SERVER = frozenset(
    {
        "apprise",
        "cryptography",
        "docker",
        "dockerspawner",
        "jinja2",
        "jupyterhub",
        "prometheus_client",
        "pynvml",
        "requests",
        "sqlalchemy",
        "tornado",
        "traitlets",
        "urllib3",
    }
)
"""What the extra `hub` brings."""

OF_LINUX = frozenset({"fcntl", "grp", "pwd", "resource", "termios", "tty"})
"""What Python has not on Windows."""


def lacking(missing: ModuleNotFoundError, arguments: Sequence[str]) -> DS01Error | None:
    """What it means that a module is missing; `None`: the program itself is at fault.

    Args:
        missing: What Python says.
        arguments: What was typed after `ds01`.
    """
    module = (missing.name or "").partition(".")[0]
    if module in OF_THE_PROGRAM:
        return Unavailable(
            f"{module} is not installed, which the program needs.",
            "Install it with its extra: pip install 'ds01[cli]'",
        )
    if module in OF_THE_SERVER and is_on_server() and not is_root():
        command = _command(arguments)
        return Forbidden(f"{command} is for administrators.", f"Use sudo: sudo ds01 {command}")
    if module in OF_THE_SERVER | OF_LINUX:
        return Unavailable(
            f"{_command(arguments)} belongs on the server; it needs {module}, which is not here.",
            "There DS01 is installed with the extra hub: pip install 'ds01[cli,hub]'",
        )
    return None


def is_on_server() -> bool:
    """Whether the gateway's socket is here, and so an installation with all that is needed."""
    return Path(USUAL_SOCKET).is_socket()


def _command(arguments: Sequence[str]) -> str:
    """`admin user list`, of what was typed."""
    words: list[str] = []
    for word in arguments:
        if found([*words, word], PROGRAM) is None:
            break
        words.append(word)
    return " ".join(words) or "This"
