"""The folders of a home, and whether the home that is here is the one on the server."""

import os
from pathlib import Path

from ds01_spawner.client import places
from ds01_spawner.domain.errors import DS01Error, InvalidRequest
from ds01_spawner.home import mounts

PROJECTS = "projects"
"""The folder of one's home in which projects are made."""

FOLDERS = (PROJECTS, "data", ".config")
"""Those that everybody begins with."""

IN_A_CONTAINER = "DS01_CONTAINER"
"""The variable with the name of the container in which this runs."""


def on_server() -> bool:
    """Whether the home that is here is the one on the server.

    A container has it at its own path, so a terminal in one is on the server as well.

    Raises:
        Unavailable: Nothing says where the API is.
    """
    return in_container() or places.find().socket is not None


def in_container() -> bool:
    """Whether this runs in a container."""
    return bool(os.environ.get(IN_A_CONTAINER))


def projects() -> Path:
    """Where projects are made."""
    return Path.home() / PROJECTS


def missing() -> tuple[str, ...]:
    """Those of `FOLDERS` that are not there."""
    return tuple(name for name in FOLDERS if not (Path.home() / name).is_dir())


def make(folder: Path) -> bool:
    """Whether a folder had to be made.

    Raises:
        DS01Error: Something is in its place, or there is no room.
    """
    try:
        folder.mkdir()
    except FileExistsError as exc:
        if not folder.is_dir():
            raise DS01Error(
                f"{folder} is a file where a folder should be.", "Rename it, and run this again."
            ) from exc
        return False
    except OSError as exc:
        raise DS01Error(
            f"{folder} cannot be made: {exc.strerror}.",
            "Make room, or tell your administrator; then run this again.",
        ) from exc
    return True


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
        raise _not_of_the_server(path)
    return str(found or path)


def check_on_server(folder: Path) -> None:
    """Return to who is where the server can know `folder`.

    Raises:
        InvalidRequest: It is a folder of this container, and none of the home.
    """
    if in_container() and _in_home(folder) is None:
        raise _not_of_the_server(folder)


def _not_of_the_server(path: Path) -> InvalidRequest:
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
