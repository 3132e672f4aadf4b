"""The folders of a home, and whether the home that is here is the one on the server."""

import os
from pathlib import Path

from ds01_spawner.client import places
from ds01_spawner.domain.errors import DS01Error

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
    return bool(os.environ.get(IN_A_CONTAINER)) or places.find().socket is not None


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
