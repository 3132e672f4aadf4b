"""Whether this is the server, where folders are those that containers can have."""

import os
from pathlib import Path

from ds01_cli.frame import mounts
from ds01_spawner.client import places
from ds01_spawner.domain.errors import InvalidRequest

PROJECTS = "projects"
"""The folder of one's home in which projects are made."""

_IN_A_CONTAINER = "DS01_CONTAINER"


def on_server() -> bool:
    """Whether the home that is here is the one on the server.

    A container has it at its own path, so a terminal in one is on the server as well.

    Raises:
        Unavailable: Nothing says where the API is.
    """
    return in_container() or places.find().socket is not None


def in_container() -> bool:
    """Whether this is typed in a container."""
    return bool(os.environ.get(_IN_A_CONTAINER))


def projects() -> Path:
    """Where projects are made."""
    return Path.home() / PROJECTS


def resolved(path: Path) -> Path:
    """A path without links. What is in one's home is named so, also where a container has it.

    A container has a folder of the home as `/workspace`; the server knows it only as what it is.
    """
    found = path.resolve()
    return (_in_home(found) or found) if in_container() else found


def server_path(text: str) -> str:
    """The server's path of a folder that was typed on the server, or in a container.

    Raises:
        InvalidRequest: It is a folder of this container, and none of the home.
    """
    path = Path(os.path.normpath(Path.cwd() / text))
    if not in_container():
        return str(path)
    found = _in_home(path)
    if found is None and not Path(text).is_absolute():
        raise not_of_the_server(path)
    return str(found or path)


def check_on_server(folder: Path) -> None:
    """Return to who is where the server can know `folder`.

    Raises:
        InvalidRequest: It is a folder of this container, and none of the home.
    """
    if in_container() and _in_home(folder) is None:
        raise not_of_the_server(folder)


def not_of_the_server(path: Path) -> InvalidRequest:
    """That a folder cannot be given to another container."""
    return InvalidRequest(
        f"{path} is a folder of this container, and not one of your home.",
        "Other containers can only have folders of the server: move it to your home,"
        f" {Path.home()}.",
    )


def _in_home(path: Path) -> Path | None:
    if path.is_relative_to(Path.home()):
        return path
    return mounts.below(Path.home().resolve(), path, mounts.read())
