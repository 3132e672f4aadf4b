"""Who runs the program, and whether the platform's files are open to them."""

import os
import pwd
from pathlib import Path

import typer

from ds01_spawner.composition import STATE_VARIABLE, Directories, Platform, open_platform
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, Unavailable
from ds01_spawner.domain.names import check_user


def caller() -> str:
    """The login name of whoever typed the command: under sudo, not root's."""
    if os.geteuid() == 0 and (name := os.environ.get("SUDO_USER")):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def subject(user: str | None) -> str:
    """Whose containers a command is about: `user`, or whoever typed it.

    Raises:
        Forbidden: They are somebody else's, and it was no administrator who asked.
        typer.BadParameter: The name cannot be a person's, or root named nobody.
    """
    if user is None:
        if caller() == "root":
            raise typer.BadParameter(
                "root has no containers. Say whose: --user NAME.", param_hint="--user"
            )
        return caller()
    if user != caller():
        only_administrators()
    try:
        return check_user(user)
    except InvalidRequest as exc:
        raise typer.BadParameter(str(exc), param_hint="--user") from exc


def only_administrators() -> None:
    """Return to root and to whom the platform's files belong, as those of a demo.

    Raises:
        Forbidden: It is somebody else.
    """
    state = Directories.from_environment().state
    if os.geteuid() != 0 and not (state.is_dir() and state.stat().st_uid == os.geteuid()):
        raise Forbidden("Other people's containers are for administrators.", "Try it with sudo.")


def open_to_caller() -> Platform:
    """The platform, unless its files are closed to whoever typed the command.

    Raises:
        Unavailable: They are, or there are none.
    """
    directories = Directories.from_environment()
    state = directories.state
    try:
        state.stat()
    except FileNotFoundError as exc:
        raise Unavailable(
            f"There is no platform in {state}.", f"Set {STATE_VARIABLE} if it is elsewhere."
        ) from exc
    except OSError as exc:
        raise _closed(state) from exc
    if not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        raise _closed(state)
    return open_platform(directories, actor="cli")


def _closed(state: Path) -> Unavailable:
    return Unavailable(
        f"{state} is open to administrators alone.",
        "Use the hub's home page, or put sudo before the command.",
    )
